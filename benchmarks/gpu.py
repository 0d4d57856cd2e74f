"""Whether a GPU computes what the CPU does, and how fast it trains.

Checks images, gradients and whole short trainings in 2D and 3D against the CPU's double precision, times an iteration
of every preset and of the eight published settings with the memory formats and precisions that there are, and estimates
whole trainings. A part that fails is noted and the rest goes on; what is done is on the disk at once.
``python benchmarks/gpu.py --output FOLDER [--device cuda] [--seconds N] [--quick]``
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _gpu_checks import network_checks, training_checks, use_checks
from _measure import machine, table
from _steps import Setting, Step, baseline_step, package_step

from monai_consingan.settings import PRESETS, preset_settings

Row = dict[str, Any]
WAYS: dict[str, dict[str, Any]] = {
    "float32": {},
    "tf32": {"precision": "tf32"},
    "tf32, channels last": {"precision": "tf32", "channels_last": True},
    "bf16": {"precision": "bf16"},
    "bf16, channels last": {"precision": "bf16", "channels_last": True},
}
PUBLISHED = [f"{task}-{number}" for task in ("harmonization", "editing") for number in (1, 2, 3, 4)]


class Report:
    """Tables by name, written to a folder whenever one is added.

    Args:
        folder: where to write ``gpu.json`` and ``gpu.md``.
        device: what is measured.
        seconds: no part begins after this time.
    """

    def __init__(self, folder: Path, device: str, seconds: float) -> None:
        self.folder, self.start, self.seconds = folder, time.perf_counter(), seconds
        name = torch.cuda.get_device_name() if device == "cuda" else device
        self.numbers: dict[str, Any] = {"device": name, "machine": machine(), "failed": [], "left out": []}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def part(self, name: str, what: str, rows: Callable[[], list[Row]]) -> None:
        """Add rows to a table; if they cannot be had, say why and go on."""
        if self.passed > self.seconds:
            self.numbers["left out"].append(f"{name}: {what}")
            return
        begun = self.passed
        try:
            self.numbers.setdefault(name, []).extend(rows())
            self.write()
        except Exception as error:
            traceback.print_exc()
            self.numbers["failed"].append(f"{name}: {what}: {type(error).__name__}: {str(error)[:300]}")
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        print(f"{self.passed:5.0f} s  {name}: {what} ({self.passed - begun:.1f} s)", flush=True)

    def write(self) -> None:
        """Write both files."""
        lines = [f"# {self.numbers['device']}, torch {torch.__version__}"]
        for name, rows in self.numbers.items():
            if isinstance(rows, list) and rows:
                lines += [f"\n## {name}\n", table(rows) if isinstance(rows[0], dict) else "\n".join(rows)]
        for file, text in (("gpu.json", json.dumps(self.numbers, indent=1)), ("gpu.md", "\n".join(lines))):
            (self.folder / file).write_text(text + "\n", encoding="utf-8")


def settings_of(quick: bool) -> dict[str, tuple[list[Setting], int]]:
    """Every stage of every preset, and its iterations a stage."""
    found: dict[str, tuple[list[Setting], int]] = {}
    for name, preset in PRESETS.items():
        task = "harmonization" if preset is None else preset.task
        settings = preset_settings(name, task)
        dims = settings.spatial_dims
        side = (28 if dims == 2 else 18) if quick else (48 if dims == 3 else 250 if name in PUBLISHED else 96)
        if quick:
            settings = preset_settings(name, task, min_size=14, channels=8)
        found[name] = (_stages(name, settings, settings.sizes((side,) * dims)), settings.iterations)
    return found


def _stages(name: str, settings: Any, sizes: list[tuple[int, ...]]) -> list[Setting]:
    return [
        Setting(name, tuple(sizes[: stage + 1]), settings.channels, settings.concurrent_stages, settings.slope)
        for stage in range(len(sizes))
    ]


def seconds(step: Step, device: str, repeats: int) -> tuple[float, float]:
    """Median seconds of a step, and the peak of the device's memory in MB."""
    on_gpu = device == "cuda"
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    for _ in range(3 if on_gpu else 1):
        step()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        step()  # reads its losses, which waits for the device
        times.append(time.perf_counter() - begun)
    return statistics.median(times), torch.cuda.max_memory_allocated() / 1e6 if on_gpu else float("nan")


def top_rows(name: str, setting: Setting, device: str, repeats: int, cpu: bool) -> list[Row]:
    """The last stage's iteration in every way, against the textbook's on the same device."""
    size = " x ".join(str(side) for side in setting.sizes[-1])
    baseline, baseline_peak = seconds(baseline_step(setting, device=device), device, repeats)
    shape = {"setting": name, "size": size, "stages": len(setting.sizes), "filters": setting.filters}
    rows = [{**shape, "way": "textbook", "ms": 1e3 * baseline, "times": 1.0, "peak, MB": baseline_peak}]
    for way, how in WAYS.items():
        if device != "cuda" and how.get("precision") == "tf32":
            continue
        time_of, peak = seconds(package_step(setting, device=device, fast=False, **how), device, repeats)
        rows.append({**shape, "way": way, "ms": 1e3 * time_of, "times": baseline / time_of, "peak, MB": peak})
    if cpu:
        time_of, _ = seconds(package_step(setting), "cpu", 1)
        rows.append(
            {**shape, "way": "CPU, default", "ms": 1e3 * time_of, "times": baseline / time_of, "peak, MB": float("nan")}
        )
    return rows


def graph_rows(name: str, setting: Setting, device: str, repeats: int) -> list[Row]:
    """The last stage's iteration with CUDA graphs; the first iteration compiles."""
    how: dict[str, Any] = {"mode": "reduce-overhead"} if device == "cuda" else {"backend": "eager"}
    step = package_step(setting, device=device, fast=False, compile=how)
    begun = time.perf_counter()
    step()
    first = time.perf_counter() - begun
    time_of, peak = seconds(step, device, repeats)
    return [{"setting": name, "ms": 1e3 * time_of, "first iteration, s": first, "peak, MB": peak}]


def whole_rows(name: str, stages: list[Setting], iterations: int, device: str, repeats: int, best: str) -> list[Row]:
    """Minutes of a whole training, from some iterations of every stage."""
    row: Row = {"setting": name, "stages": len(stages), "iterations a stage": iterations, "fastest": best}
    for column, way in (("float32, min", "float32"), ("fastest, min", best)):
        each = [
            seconds(package_step(stage, device=device, fast=False, **WAYS[way]), device, repeats)[0] for stage in stages
        ]
        row[column] = sum(each) * iterations / 60
    return [row]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where gpu.json and gpu.md go")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=300, help="no part begins after this time (default 300)")
    parser.add_argument("--quick", action="store_true", help="tiny networks, to try the script itself")
    arguments = parser.parse_args()
    device, quick = arguments.device, arguments.quick
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("This machine has no GPU that PyTorch can use.")
    report = Report(arguments.output, device, arguments.seconds)
    repeats = 2 if quick else 10
    for dims in (2, 3):
        for check in (network_checks, training_checks, use_checks):
            report.part("checks", f"{check.__name__}, {dims}D", lambda c=check, d=dims: c(device, quick, d))
    settings = settings_of(quick)
    own = [name for name in settings if name not in PUBLISHED]
    for name in [*own, *PUBLISHED]:
        with_cpu = name in (*own, "harmonization-2")
        report.part(
            "iterations",
            name,
            lambda n=name, c=with_cpu: top_rows(n, settings[n][0][-1], device, repeats if n in own else 5, c),
        )
    for name in settings:
        known = [row for row in report.numbers.get("iterations", []) if row["setting"] == name and row["way"] in WAYS]
        best = min(known, key=lambda row: row["ms"], default={"way": "float32"})["way"]
        report.part(
            "trainings",
            name,
            lambda n=name, b=best: whole_rows(n, *settings[n], device, 2 if quick else 4, b),
        )
    for name in [name for name in own if "quick" in name]:
        report.part("CUDA graphs", name, lambda n=name: graph_rows(n, settings[n][0][-1], device, repeats))
    report.numbers["seconds"] = report.passed
    report.write()
    print((arguments.output / "gpu.md").read_text(encoding="utf-8"))
    wrong = [row for row in report.numbers.get("checks", []) if not row["passed"]]
    failed = report.numbers["failed"]
    print(f"{len(wrong)} checks out of tolerance, {len(failed)} parts failed, in {report.passed:.0f} s")
    raise SystemExit(1 if wrong or failed else 0)


if __name__ == "__main__":
    main()
