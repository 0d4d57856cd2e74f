"""Training a model, and how far it is."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError
from monai_consingan.models.model import TrainedModel
from monai_consingan.models.training import TrainingProgress, fingerprint, train_model
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings

SLICES = torch.rand(2, 1, 14, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1


def settings(task: str = "harmonization", **changes: Any) -> TrainingSettings:
    small = {"iterations": 3, "channels": 2, "num_layers": 1, "stages": 2, "min_size": 8}
    return TrainingSettings(task, **{**small, **changes})


def content(model: TrainedModel) -> bytes:
    tensors = [*model.generator.state_dict().values(), *model.discriminator.state_dict().values()]
    return b"".join(tensor.numpy().tobytes() for tensor in tensors)


class Stop:
    """Ends a training after an iteration, as an interrupt from the keyboard does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=self.iteration), self)

    def __call__(self) -> None:
        raise KeyboardInterrupt


class Count:
    """Counts iterations."""

    def __init__(self) -> None:
        self.iterations = 0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self) -> None:
        self.iterations += 1


@pytest.mark.parametrize("task", ["harmonization", "editing", "generation", "retarget", "animation"])
def test_trains_every_task(task: str) -> None:
    count = Count()
    model = train_model(SLICES, settings(task), seed=7, handlers=[count])
    assert count.iterations == 6
    assert (model.settings, model.seed, model.image_size) == (settings(task), 7, (14, 12))
    assert not model.generator.training
    with torch.no_grad():
        assert model.generator(torch.zeros(1, 1, *model.generator.stage_sizes[0])).shape == (1, 1, 14, 12)
    assert int(model.generator.stage) == 1


def test_seed_alone_decides() -> None:
    results = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)
        random.seed(global_seed)
        torch.rand(3)
        before = torch.get_rng_state(), np.random.get_state(legacy=False), random.getstate()
        results.append(content(train_model(SLICES, settings(), seed=seed)))
        assert torch.equal(torch.get_rng_state(), before[0])
        np.testing.assert_equal(np.random.get_state(legacy=False), before[1])
        assert random.getstate() == before[2]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("stop", [27, 30, 56])
def test_interrupted_and_resumed_is_the_same_to_the_byte(tmp_path: Path, stop: int) -> None:
    chosen = settings(iterations=30)
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_model(SLICES, chosen, checkpoint=path, handlers=[Stop(stop)])
    assert path.exists()
    count = Count()
    resumed = train_model(SLICES, chosen, checkpoint=path, handlers=[count])
    assert count.iterations == 60 - {27: 25, 30: 25, 56: 50}[stop]
    assert content(resumed) == content(_whole(30))


def _whole(iterations: int, kept: dict[int, TrainedModel] = {}) -> TrainedModel:  # noqa: B006
    if iterations not in kept:
        kept[iterations] = train_model(SLICES, settings(iterations=iterations))
    return kept[iterations]


def test_finished_training_is_not_repeated(tmp_path: Path) -> None:
    path, count = tmp_path / "checkpoint.pt", Count()
    first = train_model(SLICES, settings(), checkpoint=path)
    again = train_model(SLICES, settings(), checkpoint=path, handlers=[count])
    assert count.iterations == 0
    assert content(again) == content(first) == content(_whole(3))


@pytest.mark.parametrize("what", ["slices", "settings", "seed", "start"])
def test_checkpoint_of_another_training(tmp_path: Path, what: str) -> None:
    path = tmp_path / "checkpoint.pt"
    train_model(SLICES, settings(), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ConSinGANError, match="is of a training with other images, settings or seed"):
        train_model(
            SLICES.flip(0) if what == "slices" else SLICES,
            settings(iterations=4) if what == "settings" else settings(),
            seed=int(what == "seed"),
            checkpoint=path,
            start=_whole(3) if what == "start" else None,
        )
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_fingerprint_tells_trainings_apart() -> None:
    prints = [
        fingerprint(SLICES, settings(), 0),
        fingerprint(SLICES[:1], settings(), 0),
        fingerprint(SLICES.reshape(2, 1, 12, 14), settings(), 0),
        fingerprint(SLICES + 1e-6, settings(), 0),
        fingerprint(SLICES, settings(lr_scale=0.2), 0),
        fingerprint(SLICES, settings(), 1),
        fingerprint(SLICES, settings(), 0, torch.zeros(1)),
    ]
    assert len(set(prints)) == len(prints)
    assert fingerprint(SLICES.clone(), settings(), 0) == prints[0]


def test_augmentation_can_be_left_out() -> None:
    assert content(train_model(SLICES, settings(augment=False))) != content(_whole(3))
    assert content(train_model(SLICES, settings("generation", augment=False))) == content(
        train_model(SLICES, settings("generation"))
    )


def test_warm_start(tmp_path: Path) -> None:
    start = _whole(30)
    before = content(start)
    start.save(tmp_path / "model.pt")
    loaded = TrainedModel.load(tmp_path)
    warm = train_model(SLICES.flip(0), settings(), start=loaded, seed=1)
    assert content(start) == content(loaded) == before
    for ours, theirs in zip(warm.generator.body, start.generator.body, strict=True):
        assert torch.equal(ours.fixed_noise, theirs.fixed_noise)
        assert torch.equal(ours.noise_amplitude, theirs.noise_amplitude)
    cold = train_model(SLICES.flip(0), settings(), seed=1)

    def distance(model: TrainedModel) -> float:
        weights = (network.state_dict()["tail.0.weight"] for network in (model.generator, start.generator))
        return float(torch.sub(*weights).abs().mean())

    assert 0 < distance(warm) < 0.5 * distance(cold)


def test_fine_tuning_changes_the_last_stage_only(tmp_path: Path) -> None:
    chosen = settings(concurrent_stages=1, stages=3)
    start = train_model(SLICES, chosen)
    naive = SLICES.clone()
    naive[..., 4:8, 4:8] = 0.9
    count = Count()
    tuned = train_model(
        SLICES, chosen, start=start, stage_input=naive, handlers=[count], checkpoint=tmp_path / "checkpoint.pt"
    )
    assert count.iterations == 3
    other = train_model(SLICES, chosen, start=start, stage_input=SLICES)
    ours, theirs, others = (model.generator.state_dict() for model in (tuned, start, other))
    for key in ours:
        trained = "body.2.layers" in key or "tail" in key
        assert torch.equal(ours[key], theirs[key]) is not trained, key
    assert not torch.equal(ours["tail.0.weight"], others["tail.0.weight"])
    again = train_model(SLICES, chosen, start=start, stage_input=naive, checkpoint=tmp_path / "checkpoint.pt")
    assert content(again) == content(tuned)


def test_a_training_on_other_inputs_trains_every_stage() -> None:
    painted, count = -SLICES, Count()
    made, plain = (train_model(SLICES, settings(), stage_input=given, handlers=[count]) for given in (painted, SLICES))
    assert count.iterations == 2 * 2 * 3
    ours, theirs = (model.generator.state_dict() for model in (made, plain))
    for key in ("head.conv.weight", "body.0.layers.0.conv.weight", "body.1.layers.0.conv.weight"):
        assert not torch.equal(ours[key], theirs[key]), key
    unaugmented = train_model(SLICES, settings(augment=False))
    assert torch.equal(theirs["head.conv.weight"], unaugmented.generator.state_dict()["head.conv.weight"])


def test_fine_tuning_needs_images_like_the_slices() -> None:
    with pytest.raises(ConSinGANError, match=r"stage_input has shape \(1, 1, 14, 12\), but the slices have \(2, 1"):
        train_model(SLICES, settings(), start=_whole(3), stage_input=SLICES[:1])


@pytest.mark.parametrize(
    "changes", [{"channels": 3}, {"stages": 3}, {"num_layers": 2, "min_size": 9}, {"min_size": 9}], ids=str
)
def test_start_with_other_networks(changes: dict[str, Any]) -> None:
    with pytest.raises(ConSinGANError, match=r"has other networks \(2 stages, 2 channels, slices of \(14, 12\)\)"):
        train_model(SLICES, settings(**changes), start=_whole(3))


def test_slices_too_small() -> None:
    with pytest.raises(ConSinGANError, match=r"min size is 8 pixels.*at most 6"):
        train_model(SLICES[..., :6], settings())
    with pytest.raises(ConSinGANError, match="patches of 11 pixels"):
        train_model(SLICES, settings(num_layers=3))


def test_slices_above_the_largest_size(tmp_path: Path) -> None:
    model = train_model(SLICES, settings(max_size=10), checkpoint=tmp_path / "checkpoint.pt")
    assert model.image_size == (10, 9)
    model.save(tmp_path / "model.pt")
    assert content(TrainedModel.load(tmp_path)) == content(model)


def test_nan_is_an_error_that_leaves_no_model(tmp_path: Path) -> None:
    slices = SLICES.clone()
    slices[0, 0, 0, 0] = float("nan")
    with pytest.raises(ConSinGANError, match="slices to train on hold NaN"):
        train_model(slices, settings(iterations=40), checkpoint=tmp_path / "checkpoint.pt")
    assert os.listdir(tmp_path) == []


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    train_model(SLICES, settings(), progress=True)
    shown = capsys.readouterr()
    assert "training 100%" in shown.err
    assert shown.out == ""
    train_model(SLICES, settings())
    assert capsys.readouterr().err == ""


def test_negative_seed() -> None:
    with pytest.raises(ConSinGANError, match="seed is -1"):
        train_model(SLICES, settings(), seed=-1)


def test_options_of_the_training_reach_the_trainer() -> None:
    exact = content(train_model(SLICES, settings(), seed=1))
    for change in ({"discriminator_steps": 1}, {"precision": "bf16"}):
        assert content(train_model(SLICES, settings(**change), seed=1)) != exact
    seen: list[bool] = []

    class Look:
        def attach(self, engine: Any) -> None:
            seen.append(engine.steps.plain)

    train_model(SLICES, settings(plain=True, iterations=1), handlers=[Look()])
    assert seen == [True]


def test_a_settled_stage_ends_early_and_progress_goes_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    count = Count()
    chosen = settings(settle=0.9, iterations=120, learning_rate=1e-7)
    train_model(SLICES[:1], chosen, handlers=[count], progress=True)
    assert count.iterations == 2 * 50
    assert "240/240" in capsys.readouterr().err


def trainer() -> ConSinGANTrainer:
    torch.manual_seed(0)
    generator = ConSinGANGenerator([(12, 12), (16, 16)], channels=2)
    slices = [torch.zeros(1, 1, 16, 16)]
    settings = TrainingSettings("editing", stages=2, iterations=3)
    return ConSinGANTrainer("cpu", slices, generator, ConSinGANDiscriminator(channels=2), settings)


def test_one_bar_for_all_stages_in_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    training = trainer()
    TrainingProgress().attach(training)
    training.run()
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.strip()]
    assert len(lines) == 2
    assert "training 100%" in lines[-1] and "6/6, stage 2 of 2" in lines[-1]


def test_an_error_in_training_still_ends_it() -> None:
    training = trainer()
    TrainingProgress().attach(training)

    @training.on(Events.ITERATION_COMPLETED(once=2))
    def fail(engine: ConSinGANTrainer) -> None:
        raise ConSinGANError("stop")

    with pytest.raises(ConSinGANError, match="stop"):
        training.run()
