"""What ``benchmarks/speed.py`` times of the package still runs."""

from __future__ import annotations

import subprocess
from typing import Any

import _busy
import pytest
import speed


def test_a_lesion_is_redrawn_by_a_model_that_is_there() -> None:
    redrawn = speed.second_lesion()()
    assert redrawn.seconds_training == 0
    assert redrawn.image.shape == redrawn.alteration.shape
    assert 0 < (redrawn.alteration > 0).sum() < redrawn.alteration.numel() // 10


def test_a_training_is_compared_with_itself_beside_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[Any] = []
    start = subprocess.Popen

    def started(command: list[str]) -> Any:
        running.append(start(command))
        return running[-1]

    def training(policy: str, threads: int, iterations: int) -> tuple[float, float]:
        busy = [program for program in running if program.poll() is None]
        return (2.0 * threads, 6.0) if busy else (1.0 * threads, 4.0 if policy == "ACTIVE" else 5.0)

    monkeypatch.setattr("_busy.subprocess.Popen", started)
    monkeypatch.setattr("_busy.training", training)
    rows = _busy.busy_rows(3, 1, 2)
    assert [(row["OMP_WAIT_POLICY"], row["times"], row["processor, times"]) for row in rows] == [
        ("PASSIVE", 2.0, 1.2),
        ("ACTIVE", 2.0, 1.5),
    ]
    assert rows[0]["alone, s"] == 3 and rows[0]["busy, processor, s"] == 6
    assert len(running) == 8 and all(program.poll() is not None for program in running)
