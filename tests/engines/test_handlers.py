"""Ending stages early, and folders that are locked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_consingan.engines import ConSinGANTrainer, StageSettling, TrainingCheckpoint
from monai_consingan.engines.handlers import LockedFolderHandler
from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked


def lengths(trainer: ConSinGANTrainer) -> list[int]:
    """Iterations that each stage really took, once it has run."""
    counts = [0] * 3
    trainer.add_event_handler(
        Events.ITERATION_STARTED, lambda: counts.__setitem__(trainer.stage, counts[trainer.stage] + 1)
    )
    return counts


def settled(trainer: ConSinGANTrainer, error: Any, distance: Any = lambda _: 1.0) -> list[int]:
    """Run with losses that are given by iteration; the iterations that each stage took."""

    @trainer.on(Events.ITERATION_COMPLETED)
    def replace(engine: ConSinGANTrainer) -> None:
        done = engine.state.iteration - (engine.state.epoch - 1) * engine.state.epoch_length
        real = torch.tensor(-float(distance(done)))
        engine.state.output[0] |= {"reconstruction_loss": error(done), "critic_real": real, "critic_fake": 0.0}

    StageSettling(0.1, window=3).attach(trainer)
    counts = lengths(trainer)
    trainer.run()
    return counts


def test_a_stage_ends_when_both_have_settled(make_trainer: Any) -> None:
    assert settled(make_trainer(iterations=20), error=lambda _: 1.0) == [6, 6, 6]
    assert settled(make_trainer(iterations=20), error=lambda done: max(1.0, 8.0 - done)) == [12, 12, 12]


def test_a_stage_does_not_end_while_one_still_moves(make_trainer: Any) -> None:
    assert settled(make_trainer(iterations=14), error=lambda done: 0.9**done) == [14, 14, 14]
    assert settled(make_trainer(iterations=14), error=lambda _: 1.0, distance=lambda done: 2.0**done) == [14, 14, 14]


def test_all_stages_are_trained_and_the_next_begins_as_usual(make_trainer: Any) -> None:
    trainer = make_trainer(iterations=20)
    started = []
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: started.append((trainer.stage, trainer.state.iteration)))
    settled(trainer, error=lambda _: 1.0)
    assert started == [(0, 0), (1, 20), (2, 40)]
    assert int(trainer.generator.stage) == 2
    amplitudes = [float(body.noise_amplitude) for body in trainer.generator.body]
    assert amplitudes[0] == 1 and 0 < amplitudes[1] < 1 and 0 < amplitudes[2] < 1


class Stop(Exception):
    """Stands for a kill."""


def test_resumed_ends_where_it_would_have(make_trainer: Any, fingerprint: Any, tmp_path: Path) -> None:
    def trainer(stop: int | None, name: str) -> ConSinGANTrainer:
        run: ConSinGANTrainer = make_trainer(iterations=12)
        StageSettling(0.6, window=2).attach(run)
        keeper = TrainingCheckpoint(tmp_path / name, "x", every=1)
        keeper.restore(run)
        keeper.attach(run)
        if stop is not None:
            run.add_event_handler(
                Events.ITERATION_COMPLETED(event_filter=lambda _, n: run.state.iteration == stop), _kill
            )
        return run

    whole = trainer(None, "whole")
    counts = lengths(whole)
    whole.run()
    assert sum(counts) < 36
    for stop in (3, 4, 13):
        with pytest.raises(Stop):
            trainer(stop, f"cut{stop}").run()
        again = trainer(None, f"cut{stop}")
        again.run()
        assert fingerprint(again) == fingerprint(whole)


def _kill(engine: ConSinGANTrainer) -> None:
    raise Stop


@pytest.mark.parametrize(
    ("options", "message"), [((0.0,), "settle is 0.0"), ((1.0,), "settle is 1.0"), ((0.1, 0), "is 0 ")]
)
def test_out_of_range(options: Any, message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        StageSettling(*options)


@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_is_locked_while_an_engine_runs(tmp_path: Path, fails: bool) -> None:
    tried = []

    def step(engine: Engine, batch: Any) -> None:
        with pytest.raises(ConSinGANError, match=str(tmp_path)), locked(tmp_path / "run"):
            pass
        tried.append(batch)
        if fails:
            raise ValueError("out of luck")

    engine = Engine(step)
    LockedFolderHandler(tmp_path / "run").attach(engine)
    if fails:
        with pytest.raises(ValueError, match="out of luck"):
            engine.run([1])
    else:
        engine.run([1])
    assert tried == [1]
    with locked(tmp_path / "run"):
        pass
