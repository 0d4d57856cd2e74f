"""Time and memory of a training against a textbook baseline, and of using a model.

Everything is measured in one process, the variants in turns, and medians are given; memory and start-up in processes of
their own. ``--processor --threads 1`` counts the processor's seconds, where other programs run. ``--busy`` measures
instead what two other programs cost a training that runs beside them.

``python benchmarks/speed.py [iterations] [memory] [use] [cost] [models] [--quick] [--processor] [--threads N]``
``python benchmarks/speed.py --busy [--quick] [--threads N]``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _busy import busy_rows
from _command import command_line, write_json
from _measure import interleaved, machine, ratio, table
from _steps import Setting, Step, baseline_step, package_step, setting_of

from monai_consingan.data import example, load_label, load_scan
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.methods import BlendSettings
from monai_consingan.models import TrainedModel
from monai_consingan.models.model import new_networks
from monai_consingan.models.redraw import Redrawing
from monai_consingan.networks import ConSinGANGenerator
from monai_consingan.settings import PRESETS, preset_settings
from monai_consingan.tasks import get_task
from monai_consingan.transforms import InsertLesion

PAPER_SIDE = 250
VARIANTS = ("baseline", "without numba", "default")
SECTIONS = ("iterations", "memory", "use", "cost", "models")

Clock = Callable[[], float]


def processor_time() -> float:
    """Seconds that the processor spent on this process and on those it started."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def steps(setting: Setting, names: tuple[str, ...] = VARIANTS) -> dict[str, Step]:
    """Iterations of all variants."""
    makers = {
        "baseline": lambda: baseline_step(setting),
        "without numba": lambda: package_step(setting, fast=False),
        "default": lambda: package_step(setting),
    }
    return {name: makers[name]() for name in names}


def conv_speed(repeats: int, clock: Clock) -> float:
    """Median billion operations a second of a bare 64 to 64 convolution, forward, of 250 x 250 pixels."""
    x, weight = torch.randn(1, 64, PAPER_SIDE, PAPER_SIDE), torch.randn(64, 64, 3, 3)
    with torch.no_grad():
        seconds = interleaved({"conv": lambda: torch.conv2d(x, weight)}, repeats, clock=clock)["conv"]
    return 2 * 9 * 64 * 64 * (PAPER_SIDE - 2) ** 2 / statistics.median(seconds) / 1e9


def iteration_rows(settings: list[Setting], repeats: int, clock: Clock) -> list[dict[str, Any]]:
    """Seconds an iteration, and how many times faster than the baseline."""
    rows = []
    for setting in settings:
        seconds = interleaved(steps(setting), repeats, clock=clock)
        median = {name: statistics.median(values) for name, values in seconds.items()}
        peak = conv_speed(3, clock)
        row: dict[str, Any] = {
            "iteration": setting.name,
            "stages": len(setting.sizes),
            "dims": len(setting.sizes[-1]),
            "side": setting.sizes[-1][0],
            "filters": setting.filters,
        }
        row |= {f"{name}, s": median[name] for name in VARIANTS}
        row |= {f"{name}, times": ratio(seconds, "baseline", name) for name in VARIANTS[1:]}
        row["share of peak"] = setting.gigaflops / median["default"] / peak
        rows.append(row)
        print(f"  {setting.name}: {row['default, times']:.2f} times the baseline's speed", file=sys.stderr)
    return rows


def cost_rows(quick: bool, repeats: int, clock: Clock) -> list[dict[str, Any]]:
    """Cost of an iteration against image side, filters and stages."""
    middle = 96 if quick else 128
    plans = [("side", side, side, 32, 3) for side in ((64, 96) if quick else (64, 96, 128, 192, 250))]
    plans += [("filters", filters, middle, filters, 3) for filters in ((16, 32) if quick else (16, 32, 48, 64))]
    plans += [("stages", stages, middle, 32, stages) for stages in ((2, 3) if quick else (2, 3, 4, 6))]
    rows = []
    for what, value, side, filters, stages in plans:
        settings = preset_settings("quick", "harmonization", channels=filters, stages=stages)
        sizes = tuple((int(h), int(w)) for h, w in settings.sizes((side, side)))
        setting = Setting(what, sizes, filters)
        seconds = interleaved(steps(setting, ("baseline", "default")), repeats, clock=clock)
        rows.append(
            {
                "varied": what,
                "value": value,
                "side": side,
                "filters": filters,
                "stages": stages,
                **{f"{name}, s": statistics.median(values) for name, values in seconds.items()},
                "times": ratio(seconds, "baseline", "default"),
            }
        )
    return rows


def model_rows(quick: bool, clock: Clock) -> list[dict[str, Any]]:
    """Minutes of whole trainings, from one iteration of every stage."""
    names = [("quick", "harmonization", 96), ("standard", "harmonization", 96), ("quick-3d", "harmonization", 48)]
    if not quick:
        names += [("standard-3d", "harmonization", 64)]
        names += [(name, preset.task, PAPER_SIDE) for name, preset in PRESETS.items() if preset is not None]
    known: dict[Setting, dict[str, float]] = {}
    rows = []
    for preset, task, side in names:
        settings = preset_settings(preset, task)
        minutes = dict.fromkeys(("baseline", "default"), 0.0)
        for stage in range(settings.stages):
            setting = setting_of("stage", preset, task, side, stage)
            if setting not in known:
                repeats = 3 if side < 128 else 1
                seconds = interleaved(steps(setting, ("baseline", "default")), repeats, clock=clock)
                known[setting] = {name: statistics.median(values) for name, values in seconds.items()}
            for name in minutes:
                minutes[name] += known[setting][name] * settings.iterations / 60
        row: dict[str, Any] = {"setting": preset, "side": side, "iterations a stage": settings.iterations}
        row |= {f"{name}, min": value for name, value in minutes.items()}
        row["times"] = minutes["baseline"] / minutes["default"]
        rows.append(row)
        print(f"  {preset}: {minutes['default']:.1f} min", file=sys.stderr)
    return rows


def memory_row(setting: Setting, variant: str) -> dict[str, Any]:
    """Peak memory that iterations take on top of the program, from a process of its own."""
    command = [sys.executable, __file__, "--memory-of", variant, "--threads", str(torch.get_num_threads())]
    command += ["--sizes", json.dumps(setting.sizes), "--filters", str(setting.filters)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {
        "variant": variant,
        "size": "x".join(map(str, setting.sizes[-1])),
        "filters": setting.filters,
        "peak, MB": float(answer),
    }


def print_memory(variant: str, sizes: list[list[int]], filters: int) -> None:
    """In that process: a small training first, so that libraries and compiled code do not count."""

    def peak() -> float:
        status = Path("/proc/self/status")
        if status.exists():  # what getrusage tells begins with the parent's peak on Linux
            return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

    dims = len(sizes[0])
    small = steps(Setting("small", ((24,) * dims, (24 if dims == 3 else 44,) * dims), filters), (variant,))[variant]
    small()
    before = peak()
    step = steps(Setting("large", tuple(tuple(size) for size in sizes), filters), (variant,))[variant]
    step()
    step()
    print(peak() - before)


def second_lesion() -> Callable[[], Any]:
    """Redrawing a lesion of the packaged scan with a model that is there already, its weights random."""
    files, settings = example(), preset_settings("quick", "harmonization")
    host = load_scan(files.image)
    lesion = InsertLesion()(host, host, load_label(files.label, image=host), None, donor_slice=4, host_slice=6)
    model = TrainedModel(*new_networks(settings, (96, 96), 0), settings, 0)
    redraw = Redrawing(settings, BlendSettings(), model)
    return lambda: redraw(lesion.image, lesion.mask, host, axis=lesion.axis)


def use_rows(repeats: int, clock: Clock) -> list[dict[str, Any]]:
    """Another lesion with a trained model, and start-up."""
    rows = []
    for side, filters in ((96, 32), (96, 64), (PAPER_SIDE, 64)):
        setting = setting_of("", "quick", "harmonization", side)
        generator = ConSinGANGenerator(setting.sizes, channels=filters, negative_slope=setting.slope).eval()
        inferer, image = ConSinGANInferer(get_task("harmonization").name), torch.rand(1, 1, side, side) * 2 - 1
        use = {"use": lambda inferer=inferer, image=image, network=generator: inferer(image, network)}
        seconds = interleaved(use, repeats, clock=clock)
        rows.append({"what": f"generator, {side} x {side}, {filters} filters", "s": statistics.median(seconds["use"])})
    lesion = statistics.median(interleaved({"redraw": second_lesion()}, repeats, clock=clock)["redraw"])
    rows.append({"what": "another lesion with a model: mask, crop, generator, composite", "s": lesion})
    commands = {
        "monai-consingan --help": [sys.executable, "-m", "monai_consingan", "--help"],
        "import monai_consingan": [sys.executable, "-c", "import monai_consingan"],
        "python alone": [sys.executable, "-c", ""],
        "import torch": [sys.executable, "-c", "import torch"],
    }
    for name, command in commands.items():
        times = []
        for _ in range(max(3, repeats // 2)):
            start = clock()
            subprocess.run(command, check=True, capture_output=True)
            times.append(clock() - start)
        rows.append({"what": name, "s": statistics.median(times)})
    return rows


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "json")
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[], help="default: all")
    parser.add_argument("--quick", action="store_true", help="few and small ones, in a minute or two")
    parser.add_argument("--processor", action="store_true", help="count the processor's seconds")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--busy", action="store_true", help="a training beside two other programs, and alone")
    parser.add_argument("--memory-of", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--filters", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print_memory(arguments.memory_of, arguments.sizes, arguments.filters)
        return
    quick = arguments.quick
    if arguments.busy:
        print(json.dumps(machine(), indent=1))
        print(table(busy_rows(arguments.threads, 20 if quick else 100, 2 if quick else 5)))
        return
    clock = processor_time if arguments.processor else time.perf_counter
    repeats = 5 if quick else 7
    small = setting_of("quick preset, top of 3 stages", "quick", "harmonization", 96)
    large = setting_of("paper, top of 3 stages", "harmonization-2", "harmonization", PAPER_SIDE)
    cube = setting_of("in space, top of 3 stages", "quick-3d", "harmonization", 48, filters=32)
    deep = setting_of("paper, top of 6 stages", "harmonization-1", "harmonization", PAPER_SIDE)
    settings = [small, cube] if quick else [small, cube, large, deep]
    report: dict[str, Any] = {"machine": machine(), "convolution, Gflop/s": conv_speed(7, clock)}
    print(json.dumps(report, indent=1))
    sections = {
        "iterations": lambda: iteration_rows(settings, repeats, clock),
        "memory": lambda: [memory_row(setting, name) for setting in settings[1:] for name in VARIANTS],
        "use": lambda: use_rows(repeats, clock),
        "cost": lambda: cost_rows(quick, 3, clock),
        "models": lambda: model_rows(quick, clock),
    }
    for name in arguments.sections or SECTIONS:
        report[name] = sections[name]()
        print(f"\n{name}\n{table(report[name])}", flush=True)
    report["machine"]["load_after"] = machine()["load_before"]
    write_json(arguments.json, **report)


if __name__ == "__main__":
    main()
