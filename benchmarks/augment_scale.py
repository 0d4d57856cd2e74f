"""What augmenting a data set takes: memory, whether it grows with the number of scans, and what workers bring.

The scans are the packaged one, resampled; models are of the preset ``quick`` with few iterations, as weights make no
difference to time or memory.
``python benchmarks/augment_scale.py memory [--shape 512 512 200] [--scans 2 8]``
``python benchmarks/augment_scale.py throughput [--scans 12] [--repeats 2] [--iterations 15]``
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import torch
from _measure import interleaved, machine, ratio, table
from _volumes import make_data_set

from monai_consingan.settings import preset_settings
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins

SMALL = (96, 112, 10)
ROUTINE = (192, 224, 20)
METHODS = ["tissue", "poisson", "consingan", "twins"]
ANY: dict[str, Any] = {"seam_margin": 100.0, "contrast_range": (0.01, 100.0), "min_cnr": 0.0, "min_volume": 0.0}
"""Checks that all pass, so that none is done again."""


def run(method: str, data: Path, output: Path, *, jobs: int = 1, iterations: int = 1, **options: Any) -> dict[str, Any]:
    """Augment a data set, or with the method ``"twins"`` make its twins without a model."""
    if method == "twins":
        return free_twins(data, output, TwinSettings(method="fill", most_contrast=9, most_seam=99), jobs=jobs)
    training = preset_settings("quick", "harmonization", iterations=iterations) if method == "consingan" else None
    settings = AugmentSettings(method=method, lesions=(1, 1), sizes={"medium": 1}, **ANY)
    return augment(data, output, settings, training=training, jobs=jobs, **options)


def peak_mb(*work: Any) -> tuple[float, float]:
    """Peak memory in MB, and seconds, of a process of its own that does some work (:func:`child`)."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, __file__, "child", *map(str, work)])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{work} failed")
    return used.ru_maxrss / 1024, time.perf_counter() - start


def child(work: list[str]) -> None:
    """What is measured in a process of its own: nothing but imports, or an augmentation."""
    if work:
        method, data, output = work
        summary = run(method, Path(data), Path(output))
        if summary["failed"] or not summary["made"]:
            raise SystemExit(f"nothing made: {summary}")


def memory(folder: Path, shape: tuple[int, ...], scans: list[int], methods: list[str]) -> list[dict[str, Any]]:
    """Peaks for few and many scans, and for one large scan."""
    alone, _ = peak_mb()
    rows: list[dict[str, Any]] = [{"what": "the program alone", "scans": 0, "peak, MB": alone, "s": ""}]
    for number in scans:
        data = make_data_set(folder / f"routine-{number}", ROUTINE, number)
        peak, seconds = peak_mb("tissue", data, folder / f"routine-{number}-out")
        rows.append({"what": f"tissue, {_size(ROUTINE)}", "scans": number, "peak, MB": peak, "s": seconds})
        print(rows[-1], flush=True)
    data = make_data_set(folder / "large", shape, 1)
    for method in methods:
        peak, seconds = peak_mb(method, data, folder / f"large-{method}")
        rows.append({"what": f"{method}, {_size(shape)}", "scans": 1, "peak, MB": peak, "s": seconds})
        print(rows[-1], flush=True)
    return rows


def throughput(folder: Path, scans: int, repeats: int, iterations: int, only: list[str]) -> list[dict[str, Any]]:
    """How many times faster two processes are than one, the processes having been started before."""
    data = make_data_set(folder / "data", SMALL, scans)
    rows = []
    bank = folder / "bank"
    cases: dict[str, Callable[[int, Path], Any]] = {
        "poisson": lambda jobs, out: run("poisson", data, out, jobs=jobs),
        "consingan, models there": lambda jobs, out: run("consingan", data, out, jobs=jobs, bank=bank),
        "consingan, models trained": lambda jobs, out: run("consingan", data, out, jobs=jobs, iterations=iterations),
    }
    numbers = count()
    warm = make_data_set(folder / "warm", SMALL, 2)
    started = time.perf_counter()
    run("poisson", warm, folder / "warm-out", jobs=2)
    print(f"two processes started, and warm, after {time.perf_counter() - started:.1f} s", flush=True)
    if any("there" in name for name in only or cases):
        run("consingan", data, folder / "banked", jobs=2, bank=bank)
    for name, work in cases.items():
        if only and name not in only:
            continue
        steps = {
            label: partial(lambda work, jobs: work(jobs, folder / f"out-{next(numbers)}"), work, jobs)
            for jobs, label in ((1, "1 worker"), (2, "2 workers"))
        }
        used: dict[str, list[float]] = {step: [] for step in steps}
        watched = {step: partial(_watched, work, used[step]) for step, work in steps.items()}
        seconds = interleaved(watched, repeats, warm=0)
        row: dict[str, Any] = {"what": name, "scans": scans, "pairs": repeats}
        row |= {f"{step}, s": statistics.median(taken) for step, taken in seconds.items()}
        row["times"] = ratio(seconds, *steps)
        rows.append({**row, "by processor time": ratio(used, *steps)})
        print(rows[-1], flush=True)
    return rows


def _watched(work: Callable[[], Any], used: list[float]) -> None:
    """Do some work, and note the processor time of this process and of the busiest of those that it started.

    That is how long the work would take if no other program were there.
    """

    def busy() -> dict[int, float]:
        return {child.pid: sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True)}

    before, start = busy(), time.process_time()
    work()
    own, children = time.process_time() - start, busy()
    used.append(own + max((seconds - before.get(pid, 0.0) for pid, seconds in children.items()), default=0.0))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what")
    commands.add_parser("child").add_argument("work", nargs="*")
    measure = commands.add_parser("memory")
    measure.add_argument("--shape", type=int, nargs=3, default=(512, 512, 200))
    measure.add_argument("--scans", type=int, nargs="+", default=[2, 8])
    measure.add_argument("--methods", nargs="+", default=METHODS)
    measure = commands.add_parser("throughput")
    measure.add_argument("--scans", type=int, default=12)
    measure.add_argument("--repeats", type=int, default=2)
    measure.add_argument("--iterations", type=int, default=15, help="of each stage, where models are trained")
    measure.add_argument("--only", nargs="+", default=[], help="names of rows")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "child":
        child(given.work)
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        if given.what != "throughput":
            choice = (given.shape, given.scans, given.methods) if given.what else ((512, 512, 200), [2, 8], METHODS)
            print(table(memory(folder, tuple(choice[0]), *choice[1:])))
        if given.what != "memory":
            options = (given.scans, given.repeats, given.iterations, given.only) if given.what else (12, 2, 15, [])
            print(machine())
            print(table(throughput(folder, *options)))


if __name__ == "__main__":
    main()
