"""Time that lesions on the fly take, on one core: the generator alone, its steps, and the transforms as a whole.

The networks are those of the preset ``quick``, trained for one iteration, as weights make no difference to the time.
``python benchmarks/on_the_fly.py [--repeats N] [--threads N]``
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import torch
from _measure import interleaved, machine, table
from monai.transforms import LoadImaged

from monai_consingan.data import example
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.methods import USUAL_FILLINGS
from monai_consingan.models import HostModels
from monai_consingan.settings import preset_settings
from monai_consingan.transforms import RandLesion, RandLesionRemoval, RemoveLesion

PASTE: dict[str, Any] = {"axis": 2, "scale_range": (0.4, 0.7)}


def steps(folder: str) -> dict[str, Callable[[], Any]]:
    """What is measured, on the packaged scan of 192 x 224 x 10 voxels."""
    case = {"image": example().image, "label": example().label}
    data = LoadImaged(["image", "label"], ensure_channel_first=True)(case)
    image, label = data["image"], data["label"]
    models = {
        task: HostModels(folder, task, preset_settings("quick", task, iterations=1))
        for task in ("harmonization", "editing")
    }
    model, _ = (each.prepare(image, label) for each in models.values())
    redraw = ConSinGANInferer("harmonization")
    crop = torch.rand(1, 1, *model.image_size) * 2 - 1
    paste, lesion = RandLesion([case], **PASTE), RandLesion([case], models["harmonization"], **PASTE)
    removal = RandLesionRemoval(models["editing"], axis=2)
    naive = paste.set_random_state(0)(image, label)
    slices = int(naive.mask[0].amax((0, 1)).sum())
    height, width = model.image_size
    return {
        f"generator, one slice of {height} x {width}": lambda: redraw(crop, model.generator),
        "finding a host's model": lambda: models["harmonization"].find(image),
        f"redrawing a lesion in {slices} slices": lambda: models["harmonization"].redraw(
            naive.image, naive.mask, image, model, lesion.redrawn
        ),
        "RandPasteLesion, tissue": lambda: paste.set_random_state(0)(image, label),
        "RandLesion": lambda: lesion.set_random_state(0)(image, label),
        f"RemoveLesion, {USUAL_FILLINGS[0]}": lambda: RemoveLesion(USUAL_FILLINGS, axis=2)(image, label),
        "RandLesionRemoval": lambda: removal(image, label),
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with TemporaryDirectory() as folder:
        seconds = interleaved(steps(folder), given.repeats)
    print(machine())
    rows = [
        {"what": name, "median, ms": 1000 * statistics.median(times), "slowest, ms": 1000 * max(times)}
        for name, times in seconds.items()
    ]
    print(table(rows))


if __name__ == "__main__":
    main()
