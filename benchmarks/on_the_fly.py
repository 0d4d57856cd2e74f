"""Time that lesions on the fly take, on one core, beside MONAI's own augmentation in the same run.

The volumes are BraTS's, of patients in a folder (``--data`` or the variable ``CONSINGAN_BENCHMARK_DATA``); a crop of
128 x 128 x 119 of one and the whole. Donors are another patient's lesions, scaled to 15 mm. Times are the processor's.
The networks are those of the preset ``quick``, trained for one iteration, as weights make no difference to the time.

``python benchmarks/on_the_fly.py [volumes] [places] [models] [--repeats N] [--threads N] [--data FOLDER]``
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # NumPy's library; PyTorch takes what --threads says

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from _measure import interleaved, machine, ratio, table
from _patients import CORE_LABELS, Patient, find_patients
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImaged, RandAffined, RandGaussianNoised

from monai_consingan.data import example, load_label, load_scan, number_lesions
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.methods import USUAL_FILLINGS
from monai_consingan.models import HostModels
from monai_consingan.settings import preset_settings
from monai_consingan.transforms import (
    HostKnowledge,
    RandLesion,
    RandLesionRemoval,
    RandPasteLesiond,
    RemoveLesion,
)
from monai_consingan.transforms.insertion.search import SearchSpace, search_place

PASTE: dict[str, Any] = {"axis": 2, "scale_range": (0.4, 0.7)}
SEQUENCES = ("t1ce", "t1", "t2", "flair")
CROP = (128, 128, 119)
DIAMETER_MM = 15.0
AFFINE = "RandAffined + RandGaussianNoised"
RADII = (3, 8, 14)


def sequences(patient: Patient) -> MetaTensor:
    """A patient's four sequences as one image."""
    name = patient.image_file.name
    scans = [load_scan(patient.image_file.with_name(name.replace("t1ce", each))) for each in SEQUENCES]
    image = scans[0].repeat(len(scans), 1, 1, 1)
    for channel, scan in zip(image, scans, strict=True):
        channel[:] = scan[0]
    return image


def core(patient: Patient, image: MetaTensor) -> MetaTensor:
    """A patient's lesions without oedema."""
    label = load_label(patient.label_file, image=image[:1], allow_empty=True)
    label[:] = torch.isin(label, torch.tensor(CORE_LABELS))
    return label


def largest(label: MetaTensor) -> MetaTensor:
    """The largest lesion only."""
    part = label.clone()
    part[0] = torch.from_numpy(number_lesions(label[0].numpy()) == 1)
    return part


def middle(image: MetaTensor, like: MetaTensor) -> MetaTensor:
    """The crop around the middle of what another image shows."""
    found = np.argwhere(like[0].numpy() > 0)
    start = np.clip((found.min(0) + found.max(0) - CROP) // 2, 0, np.asarray(like.shape[1:]) - CROP)
    part: MetaTensor = image[(slice(None), *(slice(a, a + n) for a, n in zip(start.tolist(), CROP, strict=True)))]
    return part


def naive(image: MetaTensor, spot: np.ndarray) -> MetaTensor:
    """A mere paste of a cube of noise."""
    out = image.clone()
    low = [n // 2 for n in image.shape[1:]]
    out[(slice(None), *(slice(a, a + n) for a, n in zip(low, spot.shape, strict=True)))] = torch.from_numpy(spot)
    return out


def volume_steps(image: MetaTensor, label: MetaTensor, donor: tuple[MetaTensor, MetaTensor]) -> dict[str, Any]:
    """What is measured on one volume of several sequences."""
    scale = DIAMETER_MM / (6 * float(donor[1].sum()) / np.pi) ** (1 / 3)
    given: dict[str, Any] = {"scale_range": (scale, scale), "min_cnr": 0}
    first = {"image": image[:1].clone(), "label": label}
    every = {"image": image, "label": label}
    known, all_known = (HostKnowledge.of(each["image"]) for each in (first, every))
    rotate = RandAffined(["image", "label"], prob=1, rotate_range=0.3, scale_range=0.1, mode=("bilinear", "nearest"))
    usual = Compose([rotate, RandGaussianNoised("image", prob=1)])
    one = [(donor[0][:1].clone(), donor[1])]
    hard, tissue = (RandPasteLesiond(["image", "label"], one, blend=blend, **given) for blend in ("hard", "tissue"))
    four = RandPasteLesiond(["image", "label"], [donor], **given)

    def run(paste: RandPasteLesiond, data: dict[str, Any], known: HostKnowledge | None = None) -> Callable[[], Any]:
        more = {} if known is None else {"host_known": known}
        return lambda: paste.set_random_state(0)({**data, **more})

    spot = np.random.RandomState(0).rand(15, 15, 15).astype(np.float32)
    steps = {
        "naive paste": lambda: naive(first["image"], spot),
        AFFINE: lambda: usual.set_random_state(0)(first),
        "RandPasteLesiond hard": run(hard, first, known),
        "RandPasteLesiond tissue": run(tissue, first, known),
        "the same, a host among the last four": run(tissue, first),
        "the same, four sequences": run(four, every, all_known),
        "what is known of a host (PrepareHostd)": lambda: HostKnowledge.of(first["image"]),
    }
    for name, step in steps.items():
        result = step()
        if "PasteLesiond" in name and not result["lesion_mask"].any():
            raise RuntimeError(f"{name} pasted nothing")
    return steps


def volumes(patients: list[Patient], repeats: int) -> None:
    """Times of the transforms on a crop and a whole volume."""
    image, other = (sequences(patient) for patient in patients[:2])
    label, lesion = core(patients[0], image), largest(core(patients[1], other))
    rows: dict[str, dict[str, Any]] = {}
    for name, parts in (
        (" x ".join(map(str, CROP)), (middle(image, image), middle(label, image))),
        (" x ".join(map(str, image.shape[1:])), (image, label)),
    ):
        seconds = interleaved(volume_steps(*parts, (other, lesion)), repeats, clock=time.process_time)
        for what, times in seconds.items():
            row = rows.setdefault(what, {"what": what})
            row[f"{name}, ms"] = 1000 * statistics.median(times)
            row["times RandAffined" + " " * len(row)] = ratio(seconds, what, AFFINE)
    print(table(list(rows.values())))


def places(patients: list[Patient], repeats: int) -> None:
    """How alike the places are that the coarse search finds, and the thorough one of every shift."""
    rows = []
    for patient in patients[:2]:
        image = load_scan(patient.image_file)
        known, label = HostKnowledge.of(image), core(patient, image)
        for radius in RADII:
            grid = np.ogrid[(slice(-radius, radius + 1),) * 3]
            lesion = np.zeros(image.shape[1:], bool)
            lesion[(slice(9, 10 + 2 * radius),) * 3] = sum(axis**2 for axis in grid) <= radius**2
            row: dict[str, Any] = {"patient": patient.name, "radius, mm": radius}
            for how, own in (("coarse", known), ("thorough", replace(known, coarse=None))):
                space = SearchSpace(image[0].numpy(), own, None, label[0].numpy(), 0.2, 5.0)
                found, spent = [], []
                for seed in range(repeats * (10 if how == "coarse" else 3)):
                    begin = time.process_time()
                    found.append(search_place(space, lesion, np.random.RandomState(seed * 7919), own.edges, None)[3])
                    spent.append(time.process_time() - begin)
                row[f"{how}: unlikeness"] = statistics.mean(found)
                row[f"{how}, ms"] = 1000 * statistics.median(spent)
            rows.append(row)
    print(table(rows))


def model_steps(folder: str) -> dict[str, Callable[[], Any]]:
    """What is measured on the packaged scan of 192 x 224 x 10 voxels."""
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
    pasted = paste.set_random_state(0)(image, label)
    slices = int(pasted.mask[0].amax((0, 1)).sum())
    height, width = model.image_size
    return {
        f"generator, one slice of {height} x {width}": lambda: redraw(crop, model.generator),
        "finding a host's model": lambda: models["harmonization"].find(image),
        f"redrawing a lesion in {slices} slices": lambda: models["harmonization"].redraw(
            pasted.image, pasted.mask, image, model, lesion.redrawn
        ),
        "RandPasteLesion, tissue": lambda: paste.set_random_state(0)(image, label),
        "RandLesion": lambda: lesion.set_random_state(0)(image, label),
        f"RemoveLesion, {USUAL_FILLINGS[0]}": lambda: RemoveLesion(USUAL_FILLINGS, axis=2)(image, label),
        "RandLesionRemoval": lambda: removal(image, label),
    }


def models(repeats: int) -> None:
    """Times with models."""
    with TemporaryDirectory() as folder:
        seconds = interleaved(model_steps(folder), repeats, clock=time.process_time)
    print(
        table(
            [
                {"what": name, "median, ms": 1000 * statistics.median(times), "slowest, ms": 1000 * max(times)}
                for name, times in seconds.items()
            ]
        )
    )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[[], "volumes", "places", "models"], default=[])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(machine())
    what = given.what or ["volumes", "places", "models"]
    if "volumes" in what:
        volumes(find_patients(given.data), given.repeats)
    if "places" in what:
        places(find_patients(given.data), given.repeats)
    if "models" in what:
        models(given.repeats)


if __name__ == "__main__":
    main()
