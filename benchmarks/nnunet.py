"""Time of nnU-Net's epochs and patches with lesions on the fly and without, in turns in one run.

The data set is that of ``_nnunet_home.py``: noisy copies of the packaged scan, planned and preprocessed by nnU-Net.
Epochs are trained on the CPU, one thread for each process. A patch's time is the processor's, of nnU-Net's loading and
all its augmentation, in one process.

``python benchmarks/nnunet.py [--workers N ...] [--epochs N] [--iterations N] [--rounds N] [--shrink N]``
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from _measure import machine, table
from _nnunet_home import TRAIN, planned_home, started

TRAINERS = ("nnUNetTrainer", "nnUNetTrainerLesions")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
PATCHES = """
import sys, time, torch
from nnunetv2.run.run_training import get_trainer_from_args
torch.set_num_threads(1)
trainer = get_trainer_from_args("1", "3d_fullres", 0, sys.argv[1], device=torch.device("cpu"))
trainer.initialize()
loader, _ = trainer.get_dataloaders()
count = int(sys.argv[2])
next(loader)
begin = time.process_time()
for _ in range(count):
    batch = next(loader)
took = (time.process_time() - begin) / (count * len(batch["data"]))
print("PATCH", took, "x".join(map(str, batch["data"].shape)))
"""


def epochs(home: Path, workers: int, count: int, iterations: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each trainer's epochs but the first of every training, the trainings in turns.

    Without workers, all of an epoch is done by one process, and the processor's seconds are counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in TRAINERS}
    for _ in range(rounds):
        for name in TRAINERS:
            given = (name, str(count), str(iterations))
            done = started(home, TRAIN, *given, nnUNet_n_proc_DA=str(workers), **ONE_THREAD)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            clock = "time" if workers else "processor time"
            found = [float(value) for value in re.findall(rf"Epoch {clock}: ([\d.]+) s", done.stdout)]
            assert len(found) == count, done.stdout[-2000:]
            seconds[name] += found[1:]
            shutil.rmtree(home / "results")
    return seconds


def patches(home: Path, batches: int, rounds: int) -> tuple[dict[str, list[float]], str]:
    """Processor seconds of a patch by each trainer, in turns, and the shape of a batch."""
    seconds: dict[str, list[float]] = {name: [] for name in TRAINERS}
    shape = ""
    for _ in range(rounds):
        for name in TRAINERS:
            done = started(home, PATCHES, name, str(batches), **ONE_THREAD)
            found = re.search(r"^PATCH (\S+) (\S+)$", done.stdout, re.MULTILINE)
            if done.returncode or found is None:
                raise RuntimeError(done.stderr[-2000:])
            seconds[name].append(float(found[1]))
            shape = found[2]
    return seconds, shape


def row(what: str, seconds: dict[str, list[float]]) -> dict[str, object]:
    """A row of the table."""
    without, with_lesions = (statistics.median(seconds[name]) for name in TRAINERS)
    return {"what": what, "without, s": without, "with, s": with_lesions, "times": round(with_lesions / without, 3)}


def main() -> None:
    """Train, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="nnUNet_n_proc_DA; 0: one process")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batches", type=int, default=30, help="to time patches by; 0: none")
    parser.add_argument("--shrink", type=int, default=4, help="every so many pixels of the packaged scan")
    asked = parser.parse_args()
    if find_spec("nnunetv2") is None:
        print("nnU-Net is not installed: nothing to measure")
        return
    print(machine())
    with TemporaryDirectory() as folder:
        home = planned_home(Path(folder), asked.shrink)
        rows, shape = [], "not made"
        if asked.batches:
            seconds, shape = patches(home, asked.batches, asked.rounds)
            rows.append(row("a patch, processor time", seconds))
        for workers in asked.workers:
            found = epochs(home, workers, asked.epochs, asked.iterations, asked.rounds)
            clock = "" if workers else ", processor time"
            rows.append(row(f"an epoch, nnUNet_n_proc_DA={workers}{clock}", found))
    print(f"a batch: {shape}; {asked.iterations} iterations an epoch")
    print(table(rows))


if __name__ == "__main__":
    main()
