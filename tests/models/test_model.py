from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.models.model import MODEL_NAME, TrainedModel, new_networks
from monai_consingan.settings import TrainingSettings


def make(task: str = "harmonization", image_size: tuple[int, int] = (20, 18), **settings: Any) -> TrainedModel:
    chosen = TrainingSettings(task, **{"channels": 2, "num_layers": 1, "stages": 2, **settings})
    generator, discriminator = new_networks(chosen, image_size, seed=3)
    for body in generator.body:
        body.fixed_noise.normal_()
        body.noise_amplitude.fill_(0.1)
    return TrainedModel(generator.eval(), discriminator.eval(), chosen, seed=3)


def changed(path: Path, **entries: Any) -> Path:
    """Replace entries of a model's file; those that are None are taken away, and so is the hash."""
    state = {**torch.load(path, weights_only=True), **entries, "sha256": None}
    torch.save({key: value for key, value in state.items() if value is not None}, path)
    return path


@pytest.mark.parametrize("task", ["harmonization", "editing", "generation", "retarget", "animation"])
def test_round_trip(tmp_path: Path, task: str) -> None:
    model = make(task)
    model.save(tmp_path / MODEL_NAME)
    for path in (tmp_path, tmp_path / MODEL_NAME, str(tmp_path)):
        loaded = TrainedModel.load(path, task=task)
        assert (loaded.settings, loaded.seed, loaded.image_size) == (model.settings, 3, (20, 18))
        assert not loaded.generator.training and not loaded.discriminator.training
        for name in ("generator", "discriminator"):
            ours, theirs = getattr(loaded, name).state_dict(), getattr(model, name).state_dict()
            assert list(ours) == list(theirs)
            assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    x = torch.randn(1, 1, *model.generator.stage_sizes[0])
    assert torch.equal(loaded.generator(x), model.generator(x))
    assert os.listdir(tmp_path) == [MODEL_NAME]


@pytest.mark.parametrize(
    ("image_size", "settings"),
    [
        ((300, 280), {}),
        ((60, 20), {"max_size": 30}),
        ((187, 187), {"max_size": 3 * 17}),
        ((30, 26), {"max_size": 20, "min_size": 10, "stages": 4}),
    ],
)
def test_slices_above_the_largest_size(tmp_path: Path, image_size: tuple[int, int], settings: dict[str, Any]) -> None:
    model = make(image_size=image_size, **settings)
    model.save(tmp_path / MODEL_NAME)
    loaded = TrainedModel.load(tmp_path)
    assert loaded.generator.stage_sizes == model.generator.stage_sizes
    assert loaded.image_size == model.image_size


def test_new_networks_depend_on_the_seed_alone() -> None:
    settings = TrainingSettings("editing", channels=2, num_layers=1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = new_networks(settings, (20, 18), 5)[0].state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = new_networks(settings, (20, 18), 5)[0].state_dict()
    third = new_networks(settings, (20, 18), 6)[0].state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["head.conv.weight"], third["head.conv.weight"])


def test_loading_leaves_the_global_random_state(tmp_path: Path) -> None:
    make().save(tmp_path / MODEL_NAME)
    before = torch.get_rng_state()
    TrainedModel.load(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_networks_are_the_task_s() -> None:
    assert "head.adn.N.weight" in make("editing").generator.state_dict()
    generation = make("generation")
    assert "head.adn.N.weight" not in generation.generator.state_dict()
    assert generation.generator.noise_border and not make("retarget").generator.noise_border
    assert generation.discriminator.negative_slope == 0.05
    assert make("harmonization", negative_slope=0.2).discriminator.negative_slope == 0.2


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=r"model\.pt does not exist: give the folder of a run"):
        TrainedModel.load(tmp_path)


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / MODEL_NAME
    make().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConSinGANError, match=r"model\.pt cannot be read safely"):
        TrainedModel.load(path)


def test_malicious(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trace'}",)

    path = tmp_path / MODEL_NAME
    make().save(path)
    state = torch.load(path, weights_only=True)
    del state["sha256"]
    torch.save({**state, "seed": Attack()}, path)
    with pytest.raises(ConSinGANError, match="cannot be read safely"):
        TrainedModel.load(path)
    assert not (tmp_path / "trace").exists()


def test_another_task(tmp_path: Path) -> None:
    make("editing").save(tmp_path / MODEL_NAME)
    with pytest.raises(ConSinGANError, match="was trained for task 'editing', but 'harmonization' is needed"):
        TrainedModel.load(tmp_path, task="harmonization")


def test_another_version(tmp_path: Path) -> None:
    path = tmp_path / MODEL_NAME
    make().save(path)
    changed(path, format="monai-consingan model 2")
    with pytest.raises(ConSinGANError, match="has the format 'monai-consingan model 2', but 'monai-consingan model 1'"):
        TrainedModel.load(path)


@pytest.mark.parametrize("entry", ["settings", "generator", "discriminator", "seed"])
def test_incomplete(tmp_path: Path, entry: str) -> None:
    path = tmp_path / MODEL_NAME
    make().save(path)
    changed(path, **{entry: None})
    with pytest.raises(ConSinGANError, match=rf"does not fit its own settings \('{entry}'\)"):
        TrainedModel.load(path)


@pytest.mark.parametrize(
    "changes",
    [{"channels": 3}, {"num_layers": 2}, {"stages": 3}, {"task": "generation"}, {"task": "painting"}, {"depth": 1}],
    ids=str,
)
def test_weights_of_other_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    path, model = tmp_path / MODEL_NAME, make()
    model.save(path)
    changed(path, settings={**model.settings.as_dict(), **changes})
    with pytest.raises(ConSinGANError, match="does not fit its own settings") as caught:
        TrainedModel.load(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("broken", [{}, {"sizes": torch.zeros(2, 2)}, {"sizes": [[8, 8]]}, [1]], ids=str)
def test_broken_weights(tmp_path: Path, broken: Any) -> None:
    path = tmp_path / MODEL_NAME
    make().save(path)
    changed(path, generator=broken)
    with pytest.raises(ConSinGANError, match="does not fit its own settings"):
        TrainedModel.load(path)
