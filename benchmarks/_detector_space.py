"""Training in space: what a step's patches are, and what a network then finds in whole scans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _detector_data import Patch
from _detector_net import NetSettings, without_crumbs
from _detector_scans import CoarseScan, Lesions, Made, fresh, painter
from _lesion_shapes import random_of
from monai.networks.nets import UNet
from monai.transforms import DivisiblePad

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import detection

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Probabilities at which a network is tested."""
_TRIES = 1000
_LEAST_MM3 = 80.0
_DICE_AT = 0.5


@dataclass(frozen=True)
class SpaceArm:
    """What a detector learns from.

    Args:
        name: what to call it.
        patients: number of patients that are learnt from; they are also the hosts and the donors.
        augment: with the standard augmentation.
        lesions: the synthetic ones, if there are any.
        on_the_fly: a new one in every step, instead of those made beforehand.
        twins: half of the patches without a lesion are places where one was removed.
    """

    name: str
    patients: int
    augment: bool = True
    lesions: Lesions | None = None
    on_the_fly: bool = False
    twins: bool = False


@dataclass(frozen=True)
class SpaceBatch:
    """A batch.

    Args:
        side: voxels of a patch.
        lesions: patches with a lesion; as many have none.
        jitter: voxels that the middle of a patch may be off, either way.
    """

    side: int = 32
    lesions: int = 2
    jitter: int = 8


def batches(
    arm: SpaceArm, scans: Sequence[CoarseScan], made: Sequence[Made], settings: SpaceBatch, steps: int, seed: int
) -> Iterator[list[Patch]]:
    """Batches: patches with lesions, half of them synthetic where the arm has some, then as many without.

    Real lesions and places without one are drawn by the same random numbers in every arm.

    Args:
        arm: what is drawn.
        scans: the patients that are learnt from.
        made: synthetic lesions, hosts and donors among ``scans``.
        settings: of a batch.
        steps: batches.
        seed: decides everything.

    Raises:
        ConSinGANError: a synthetic lesion is of a patient that is not learnt from, or there is none.
    """
    by_name = {scan.name: scan for scan in scans}
    if any(not {one.host, one.donor} <= set(by_name) for one in made):
        raise ConSinGANError("A synthetic lesion comes from a patient that is not trained on.")
    real, healthy, drawn = (random_of(seed, word) for word in ("real", "healthy", "synthetic"))
    synthetic = settings.lesions // 2 if arm.lesions else 0
    voxels = {scan.name: np.argwhere(scan.core) for scan in scans}
    insides = {scan.name: np.argwhere(scan.brain) for scan in scans}
    removed = [scan for scan in scans if arm.twins and scan.twin is not None]
    another = _source(arm, scans, made, drawn) if arm.lesions else None

    def patch(scan: CoarseScan, image: np.ndarray, core: np.ndarray, middle: np.ndarray) -> Patch:
        side = settings.side
        start = [min(max(int(m) - side // 2, 0), n - side) for m, n in zip(middle, core.shape, strict=True)]
        box = tuple(slice(first, first + side) for first in start)
        return Patch(scan.input_of(image[(slice(None), *box)]), core[box])

    def near(places: np.ndarray, random: np.random.Generator) -> np.ndarray:
        jitter = settings.jitter
        return np.asarray(places[random.integers(len(places))] + random.integers(-jitter, jitter + 1, 3))

    def without(random: np.random.Generator) -> Patch:
        for _ in range(_TRIES):
            scan = scans[random.integers(len(scans))]
            place = insides[scan.name][random.integers(len(insides[scan.name]))]
            found = patch(scan, scan.image, scan.core, place)
            if not found.label.any():
                return found
        raise ConSinGANError(f"No patch of {settings.side} voxels without a lesion was found: give a smaller side.")

    for _ in range(steps):
        batch = []
        for _ in range(settings.lesions):
            scan = scans[real.integers(len(scans))]
            batch.append(patch(scan, scan.image, scan.core, near(voxels[scan.name], real)))
        for number in range(synthetic):
            assert another is not None
            lesion = another()
            host = by_name[lesion.host]
            batch[-1 - number] = patch(host, *lesion.into(host), near(lesion.centres, drawn))
        batch += [without(healthy) for _ in range(settings.lesions)]
        for number in range(settings.lesions // 2 if removed else 0):
            scan = removed[drawn.integers(len(removed))]
            assert scan.twin is not None
            batch[-1 - number] = patch(scan, scan.twin, np.zeros_like(scan.core), near(voxels[scan.name], drawn))
        yield batch


def _source(
    arm: SpaceArm, scans: Sequence[CoarseScan], made: Sequence[Made], drawn: np.random.Generator
) -> Callable[[], Made]:
    """Gives synthetic lesions: of those that were made beforehand, or new ones."""
    if not arm.on_the_fly:
        if not made:
            raise ConSinGANError(f"There is no room for a synthetic lesion in {', '.join(s.name for s in scans)}.")
        return lambda: made[drawn.integers(len(made))]
    assert arm.lesions is not None
    paint, owners = painter(arm.lesions, scans)
    paint.set_random_state(int(drawn.integers(2**31)))

    def another() -> Made:
        for _ in range(_TRIES):
            lesion = fresh(paint, owners, scans[drawn.integers(len(scans))])
            if lesion is not None:
                return lesion
        raise ConSinGANError(f"There is no room for a synthetic lesion in {', '.join(s.name for s in scans)}.")

    return another


@torch.inference_mode()
def found_in(network: UNet, scan: CoarseScan, settings: NetSettings, least_voxels: int) -> dict[str, Any]:
    """What a network finds in a scan whose real lesions are known.

    Args:
        network: trained.
        scan: not seen before.
        settings: of the network.
        least_voxels: lesions with fewer do not count.

    Returns:
        ``sensitivity`` and ``false_positives`` at every one of :data:`THRESHOLDS`, and the voxels' ``Dice`` at 0.5.
    """
    network.eval()
    image = torch.from_numpy(scan.input_of(scan.image))
    pad = DivisiblePad(2 ** (len(settings.channels) - 1), method="end", mode="edge")
    likely = network(torch.as_tensor(pad(image))[None])[0, 0].sigmoid().numpy()
    likely = likely[tuple(slice(0, size) for size in scan.core.shape)] * scan.brain
    least = _LEAST_MM3 / scan.factor**3
    sensitivity, wrong = [], []
    for threshold in THRESHOLDS:
        mask = without_crumbs(likely >= threshold, least)
        one = detection(
            mask[None],
            scan.core[None],
            spacing=float(scan.factor),
            dilation_mm=float(scan.factor),
            min_voxels=least_voxels,
        )
        sensitivity.append(float(np.mean([lesion.found for lesion in one.lesions])))
        wrong.append(one.false_positives)
    mask = without_crumbs(likely >= _DICE_AT, least)
    dice = 2 * float((mask & scan.core).sum()) / float(mask.sum() + scan.core.sum())
    return {"sensitivity": sensitivity, "false_positives": wrong, "Dice": dice}


def at_false_positives(found: Mapping[str, Mapping[str, Any]], most: float) -> dict[str, float]:
    """Sensitivity of every scan at the lowest probability at which they have ``most`` false positives on average.

    Args:
        found: of :func:`found_in`, by patient: the scans that one network was tested on.
        most: false positives a scan.
    """
    wrong = np.mean([one["false_positives"] for one in found.values()], axis=0)
    good = np.flatnonzero(wrong <= most)
    return {name: float(one["sensitivity"][good[0]]) if len(good) else 0.0 for name, one in found.items()}
