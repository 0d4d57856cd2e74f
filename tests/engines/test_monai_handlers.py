"""Handlers of MONAI and Ignite, as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from ignite.handlers import ProgressBar
from monai.handlers import (
    CheckpointLoader,
    CheckpointSaver,
    LrScheduleHandler,
    MeanSquaredError,
    MetricLogger,
    StatsHandler,
    from_engine,
)
from torch.optim.lr_scheduler import StepLR

from monai_consingan.engines import ConSinGANTrainer

Make = Callable[..., ConSinGANTrainer]
Fingerprint = Callable[[ConSinGANTrainer], str]


def test_stats_handler(make_trainer: Make, capsys: pytest.CaptureFixture[str]) -> None:
    handler = StatsHandler(name="stats of a training", output_transform=from_engine(["loss"], first=True))
    make_trainer(stages=2, train_handlers=[handler]).run()
    lines = [line for line in capsys.readouterr().out.splitlines() if "Loss:" in line]
    assert len(lines) == 6
    assert "Epoch: 2/2, Iter: 3/3" in lines[-1]


def test_metric_logger_and_a_metric(make_trainer: Make) -> None:
    kept = MetricLogger(loss_transform=from_engine(["loss"], first=True))
    error = MeanSquaredError(output_transform=from_engine(["reconstruction", "image"]))
    trainer = make_trainer(stages=2, train_handlers=[kept], key_train_metric={"mse": error})
    losses: list[float] = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output[0]["loss"]))
    per_epoch: list[float] = []

    @trainer.on(Events.EPOCH_COMPLETED)
    def keep(engine: ConSinGANTrainer) -> None:
        per_epoch.append(engine.state.metrics["mse"])

    trainer.run()
    assert [float(loss) for _, loss in kept.loss] == losses
    assert len(per_epoch) == 2 and all(0 < value < 2 for value in per_epoch)


def test_progress_bar(make_trainer: Make, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make_trainer(stages=2, iterations=5)
    ProgressBar(desc="stage", persist=True).attach(
        trainer, output_transform=lambda output: {"reconstruction": output[0]["reconstruction_loss"]}
    )
    trainer.run()
    shown = capsys.readouterr().err
    assert "stage [1/2]: [5/5] 100%" in shown and "stage [2/2]: [5/5] 100%" in shown
    assert "reconstruction=" in shown


def test_learning_rate_schedule(make_trainer: Make) -> None:
    trainer = make_trainer(stages=2, iterations=4)
    scheduler: Any = StepLR(trainer.generator_optimizer, step_size=1, gamma=0.5)
    LrScheduleHandler(scheduler, print_lr=False, epoch_level=False).attach(trainer)
    rates: list[float] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def look(engine: ConSinGANTrainer) -> None:
        rates.append(engine.generator_optimizer.param_groups[-1]["lr"] / 5e-4)

    trainer.run()
    assert rates == pytest.approx([0.5, 0.25, 0.125, 0.0625] * 2)


def test_tensorboard(make_trainer: Make, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from monai.handlers import TensorBoardImageHandler, TensorBoardStatsHandler

    handlers = [
        TensorBoardStatsHandler(log_dir=str(tmp_path), output_transform=from_engine(["loss"], first=True)),
        TensorBoardImageHandler(
            log_dir=str(tmp_path),
            batch_transform=from_engine(["image", "image"]),
            output_transform=from_engine(["pred"]),
        ),
    ]
    make_trainer(stages=2, train_handlers=handlers).run()
    assert any(path.stat().st_size for path in tmp_path.glob("events.*"))


@pytest.mark.parametrize("slices", [1, 3])
def test_checkpoint_saver_and_loader_resume_in_mid_stage(
    make_trainer: Make, fingerprint: Fingerprint, tmp_path: Path, slices: int
) -> None:
    def make() -> ConSinGANTrainer:
        return make_trainer(slices, iterations=5, concurrent_stages=2, augment=True)

    whole = make()
    CheckpointSaver(
        str(tmp_path), whole.checkpoint_objects(), save_interval=1, epoch_level=False, n_saved=None, save_final=True
    ).attach(whole)
    whole.run()
    files = {path.stem: path for path in tmp_path.iterdir()}
    for iteration in (3, 5, 9, 10, 15):  # in mid-stage, before and after the rates fall, and at the ends of stages
        assert torch.load(files[f"checkpoint_iteration={iteration}"], weights_only=True)
        resumed = make()
        iterations: list[int] = []
        resumed.add_event_handler(
            Events.ITERATION_COMPLETED, lambda engine, seen=iterations: seen.append(engine.state.iteration)
        )
        CheckpointLoader(str(files[f"checkpoint_iteration={iteration}"]), resumed.checkpoint_objects()).attach(resumed)
        resumed.run()
        assert iterations == list(range(iteration + 1, 16))
        assert fingerprint(resumed) == fingerprint(whole)
