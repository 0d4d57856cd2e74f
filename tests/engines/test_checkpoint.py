from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.engines.utils import IterationEvents

import monai_consingan
from monai_consingan.engines import ConSinGANTrainer, TrainingCheckpoint
from monai_consingan.errors import ConSinGANError

Make = Callable[..., ConSinGANTrainer]
Fingerprint = Callable[[ConSinGANTrainer], str]


@pytest.fixture(scope="module")
def killed_trainings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = str(Path(monai_consingan.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_training.py")), str(tmp_path_factory.mktemp("killed"))],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "slices", "kills", "starts"),
    [
        ("in mid-stage", 1, 1, [6]),
        ("in mid-stage", 3, 1, [6]),
        ("between stages", 1, 1, [5]),
        ("between stages", 3, 1, [5]),
        ("again and again", 1, 3, [8]),
        ("at the last iteration of a stage", 1, 1, [4]),
        ("while writing", 1, 1, [5]),
        ("from outside", 1, 1, [6, 8]),
    ],
)
def test_killed_and_resumed_is_the_same_to_the_byte(
    killed_trainings: dict[str, Any], name: str, slices: int, kills: int, starts: list[int]
) -> None:
    result, whole = killed_trainings[f"{name}, {slices} slices"], killed_trainings[f"whole, {slices} slices"]
    assert whole["ends"] == ["exit 0"]
    assert result["ends"] == ["killed"] * kills + ["exit 0"]
    assert not whole["resumed"] and result["resumed"]
    assert result["start"] in starts
    assert result["hash"] == whole["hash"]


def attach(
    trainer: ConSinGANTrainer, path: Path, every: int = 2, fingerprint: str = "a training"
) -> TrainingCheckpoint:
    checkpoint = TrainingCheckpoint(path, fingerprint, every=every)
    checkpoint.attach(trainer)
    return checkpoint


def test_saved_every_few_iterations_and_after_every_stage(make_trainer: Make, tmp_path: Path) -> None:
    trainer, path = make_trainer(iterations=5), tmp_path / "checkpoint.pt"
    attach(trainer, path)
    saved: list[int] = []

    def look(engine: ConSinGANTrainer) -> None:
        if path.exists():
            saved.append(torch.load(path, weights_only=True)["trainer"]["iteration"])

    trainer.add_event_handler(Events.ITERATION_COMPLETED | Events.EPOCH_COMPLETED, look)
    trainer.run()
    assert sorted(set(saved)) == [2, 4, 5, 6, 8, 10, 12, 14, 15]
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_restore_without_a_file_changes_nothing(make_trainer: Make, fingerprint: Fingerprint, tmp_path: Path) -> None:
    trainer = make_trainer()
    before = fingerprint(trainer)
    assert not TrainingCheckpoint(tmp_path / "none.pt", "a training").restore(trainer)
    assert fingerprint(trainer) == before


def test_finished_training_is_restored_whole(make_trainer: Make, fingerprint: Fingerprint, tmp_path: Path) -> None:
    trainer, other = make_trainer(), make_trainer()
    attach(trainer, tmp_path / "checkpoint.pt")
    trainer.run()
    assert TrainingCheckpoint(tmp_path / "checkpoint.pt", "a training").restore(other)
    assert fingerprint(other) == fingerprint(trainer)
    x = trainer.pyramid[0]
    with torch.no_grad():
        assert torch.equal(other.generator(x), trainer.generator(x))


@pytest.mark.parametrize("spoiled", ["noise", "weights"])
def test_nan_keeps_the_last_good_checkpoint(
    make_trainer: Make, fingerprint: Fingerprint, tmp_path: Path, spoiled: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    trainer = make_trainer(iterations=4, check_every=1 if spoiled == "noise" else 100)
    attach(trainer, path, every=1)

    @trainer.on(IterationEvents.MODEL_COMPLETED)
    def spoil(engine: ConSinGANTrainer) -> None:
        if engine.state.iteration == 6:
            if spoiled == "noise":
                engine.draws.noise = lambda *where: torch.full_like(where[-1], float("nan"))  # type: ignore[method-assign]
            else:
                with torch.no_grad():
                    list(engine.generator.tail.parameters())[-1].fill_(float("nan"))

    with pytest.raises(ConSinGANError, match="Training ended at stage 1"):
        trainer.run()
    good = make_trainer(iterations=4)
    assert TrainingCheckpoint(path, "a training").restore(good)
    assert good.state.iteration == (6 if spoiled == "noise" else 5)
    assert good.is_finite
    good.run()
    whole = make_trainer(iterations=4)
    whole.run()
    assert fingerprint(good) == fingerprint(whole)


def test_checkpoint_of_another_training(make_trainer: Make, tmp_path: Path) -> None:
    trainer, path = make_trainer(), tmp_path / "checkpoint.pt"
    attach(trainer, path)
    trainer.run()
    with pytest.raises(ConSinGANError, match=r"checkpoint\.pt is of a training with other images, settings or seed"):
        TrainingCheckpoint(path, "another training").restore(make_trainer())


def test_checkpoint_that_is_none(make_trainer: Make, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint = TrainingCheckpoint(path, "a training")
    path.write_bytes(b"nothing of use")
    with pytest.raises(ConSinGANError, match="cannot be read safely"):
        checkpoint.restore(make_trainer())
    torch.save({"format": "monai-consingan checkpoint 0"}, path)
    with pytest.raises(ConSinGANError, match="has the format 'monai-consingan checkpoint 0'"):
        checkpoint.restore(make_trainer())
    torch.save({"format": "monai-consingan checkpoint 1"}, path)
    with pytest.raises(ConSinGANError, match="another folder"):
        checkpoint.restore(make_trainer())
