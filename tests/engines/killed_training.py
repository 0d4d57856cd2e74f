"""Trains in processes that get killed, and resumes; prints what came of it as JSON.

A program of its own, started by test_checkpoint.py: every training is a real process that ends by SIGKILL. The
processes are forked from this one, which has imported all it needs, but has not computed anything yet.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from ignite.engine import Events

from monai_consingan.engines import ConSinGANTrainer, TrainingCheckpoint

torch.set_num_threads(1)
spec = importlib.util.spec_from_file_location("tools", Path(__file__).with_name("conftest.py"))
assert spec is not None and spec.loader is not None
tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)

Kill = Callable[[ConSinGANTrainer], None]


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_iteration(number: int) -> Kill:
    def add(trainer: ConSinGANTrainer) -> None:
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=number), kill)

    return add


def between_stages(trainer: ConSinGANTrainer) -> None:
    trainer.add_event_handler(Events.EPOCH_STARTED(once=2), kill)


def while_writing(trainer: ConSinGANTrainer) -> None:
    replace = os.replace

    def killed_replace(*paths: str) -> None:
        if trainer.state.iteration >= 6:
            kill()
        replace(*paths)

    os.replace = killed_replace  # type: ignore[assignment]


def slowly(trainer: ConSinGANTrainer) -> None:
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: time.sleep(0.3 if engine.state.iteration >= 6 else 0)
    )


def train(path: Path, slices: int, task: str, prepare: Kill | None) -> None:
    trainer = tools._make_trainer(slices, task=task, stages=2, iterations=5, concurrent_stages=1, augment=True)
    checkpoint = TrainingCheckpoint(path, "a training", every=2)
    resumed = checkpoint.restore(trainer)
    start = trainer.state.iteration
    checkpoint.attach(trainer)
    if prepare is not None:
        prepare(trainer)
    trainer.run()
    result = {"resumed": resumed, "start": start, "hash": tools._fingerprint(trainer)}
    path.with_suffix(".json").write_text(json.dumps(result))


def process(path: Path, slices: int, task: str, prepare: Kill | None = None, kill_at: int | None = None) -> str:
    """Train in a process of its own; how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            train(path, slices, task, prepare)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if kill_at is not None:
        while not path.exists() or torch.load(path, weights_only=True)["trainer"]["iteration"] < kill_at:
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "killed" if code == -signal.SIGKILL else f"exit {code}"


def main(folder: Path) -> None:
    scenarios: dict[str, list[Kill]] = {
        "in mid-stage": [after_iteration(7)],
        "between stages": [between_stages],
        "again and again": [after_iteration(number) for number in (1, 4, 9)],
        "at the last iteration of a stage": [after_iteration(5)],
        "while writing": [while_writing],
    }
    results = {}

    def keep(name: str, path: Path, *ends: str) -> None:
        results[name] = {"ends": ends, **json.loads(path.with_suffix(".json").read_text())}

    for slices, task, names in ((1, "harmonization", list(scenarios)), (3, "editing", list(scenarios)[:2])):
        path = folder / f"whole {slices}.pt"
        keep(f"whole, {slices} slices", path, process(path, slices, task))
        for name in names:
            path = folder / f"{name} {slices}.pt"
            ends = [process(path, slices, task, prepare) for prepare in [*scenarios[name], None]]
            keep(f"{name}, {slices} slices", path, *ends)
    path = folder / "from outside.pt"
    ends = [process(path, 1, "harmonization", slowly, kill_at=6), process(path, 1, "harmonization")]
    keep("from outside, 1 slices", path, *ends)
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
