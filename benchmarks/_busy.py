"""A training alone and beside two other programs, with threads that wait passively, as the package's do, or spin."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import monai_consingan  # before PyTorch, whose threads it tells how to wait

POLICIES = ("PASSIVE", "ACTIVE")
BURN = "while True: pass"


@contextmanager
def burners(count: int) -> Iterator[None]:
    """So many programs that only take processor time, for as long as the context lasts."""
    running = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()


def training(policy: str, threads: int, iterations: int) -> tuple[float, float]:
    """Seconds, and the processor's seconds, of iterations of the preset quick in a process of its own."""
    env = {**os.environ, "OMP_WAIT_POLICY": policy}
    command = [sys.executable, __file__, str(threads), str(iterations)]
    answer = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    wall, processor = json.loads(answer.splitlines()[-1])
    return float(wall), float(processor)


def busy_rows(threads: int, iterations: int, rounds: int, others: int = 2) -> list[dict[str, Any]]:
    """What other programs cost a training: medians of the ratios of pairs that ran one after the other."""
    found: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {policy: [] for policy in POLICIES}
    for _ in range(rounds):
        for policy, pairs in found.items():
            alone = training(policy, threads, iterations)
            with burners(others):
                pairs.append((alone, training(policy, threads, iterations)))
    rows = []
    for policy, pairs in found.items():
        row: dict[str, Any] = {"OMP_WAIT_POLICY": policy, "threads": threads}
        for number, name in enumerate(("s", "processor, s")):
            for place, state in enumerate(("alone", "busy")):
                row[f"{state}, {name}"] = statistics.median(pair[place][number] for pair in pairs)
        for number, name in enumerate(("times", "processor, times")):
            row[name] = statistics.median(busy[number] / alone[number] for alone, busy in pairs)
        rows.append(row)
    return rows


def main() -> None:
    """In a process of its own: train, and print both times."""
    import torch
    from _steps import package_step, setting_of

    torch.set_num_threads(int(sys.argv[1]))
    step = package_step(setting_of("quick", "quick", "harmonization", 96))
    for _ in range(3):
        step()
    start = time.perf_counter(), time.process_time()
    for _ in range(int(sys.argv[2])):
        step()
    print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]))


if __name__ == "__main__":
    assert monai_consingan.__version__
    main()
