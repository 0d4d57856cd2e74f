"""How well any segmenter finds lesions whose size and place are known, as they were put in."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import load_label
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.data_set_settings import AugmentSettings, TwinSettings
from monai_consingan.distance import ball_diameter, outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked
from monai_consingan.metrics.detection import detection
from monai_consingan.transforms.head import head_mask
from monai_consingan.workflows.augmentation import ScanRecord, augment, free_twins, read_scans
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.augmentation.survey import size_class
from monai_consingan.workflows.challenge_page import AskedLesion, challenge_tables, write_challenge_page
from monai_consingan.workflows.data_sets.records import load_pair
from monai_consingan.workflows.outputs import REPORT_NAME, write_report
from monai_consingan.workflows.resumable_folder import ResumableFolder

PAGE = "report.html"
_MASKS = "masks"
_PLACES = ("{image}", "{mask}")
_OF_BOTH = ("lesion_labels", "axis", "dims", "lead", "seed")  # what lesions are put in and taken out by

Segment: TypeAlias = Callable[[str, Sequence[Path], MetaTensor], np.ndarray]
"""What makes a mask of a scan: of its name, its files and the image."""


def challenge(
    command: str,
    scans: str | Path,
    output: str | Path,
    *,
    settings: AugmentSettings | None = None,
    twins: bool = True,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Put lesions of known size and place into scans, take others out, and see what a segmenter finds.

    A run that was killed goes on when it is started again alike; what was segmented then is not segmented again.

    Args:
        command: the segmenter's command line, with ``{image}`` where the scan's path goes, of several files one after
            the other, and ``{mask}`` for the path that it writes its mask to (NIfTI, above 0 is lesion). It is started
            as it is, without a shell, once for each scan.
        scans: a data set with lesions, as :py:func:`~monai_consingan.workflows.augmentation.augment` takes it.
        output: folder for ``inserted`` and ``removed``, the data sets that were made, ``masks``, ``report.json`` and
            ``report.html``.
        settings: what is put in, how much and how; by default one to three lesions into each scan, once.
        twins: whether lesions are taken out too.
        channel, lesion_mask, sequences: see :py:func:`~monai_consingan.workflows.augmentation.read_scans`.
        jobs: number of processes that make scans.
        progress: whether to show progress on the standard error stream.

    Returns:
        The report, with ``inserted`` and ``removed``, tables by size, contrast-to-noise ratio and depth in the head
        with the number of lesions, the share that was found and the mean Dice; ``false_positives`` for each scan, and
        all lesions one by one.

    Raises:
        ConSinGANError: the command lacks a place for the scan or the mask, fails, or writes no mask on the scan's grid,
            which is found on the first scan, before any is made; the data set or the folder cannot be used.
    """
    words = _words(command)
    settings = settings or AugmentSettings(per_scan=1)
    chosen: dict[str, Any] = {"channel": channel, "lesion_mask": lesion_mask, "sequences": sequences}
    originals = {record.name: record for record in read_scans(scans, **chosen).of("training")}
    folder = ResumableFolder(output, ".challenge", "challenge")
    segment = partial(_segmented, words, folder.path / _MASKS)
    asked = {"command": command, "scans": str(Path(scans).absolute()), "twins": twins, **chosen}
    with locked(folder.path):
        folder.begin({**asked, "settings": settings.as_dict()})
        _try_out(segment, originals.values(), folder)
        work: dict[str, Any] = {"jobs": jobs, "progress": progress, **chosen}
        augment(scans, folder.path / "inserted", settings, **work)
        if twins:
            free_twins(
                scans,
                folder.path / "removed",
                TwinSettings(**{name: getattr(settings, name) for name in _OF_BOTH}),
                **work,
            )
        lesions, false = [], {}
        for part in ("inserted", "removed") if twins else ("inserted",):
            found, more = _asked(folder.path / part, segment, originals)
            lesions += found
            false[part] = more
        report = {
            "command": "challenge",
            "segmenter": command,
            "settings": settings.as_dict(),
            "inserted": challenge_tables([lesion for lesion in lesions if lesion.kind == "put in"]),
            "removed": challenge_tables([lesion for lesion in lesions if lesion.kind == "taken out"]),
            "false_positives": {part: float(np.mean(counts)) if counts else None for part, counts in false.items()},
            "lesions": [asdict(lesion) for lesion in lesions],
        }
        write_report(folder.path / REPORT_NAME, report)
        write_challenge_page(folder.path / PAGE, report)
    return report


def _try_out(segment: Segment, scans: Iterable[ScanRecord], folder: ResumableFolder) -> None:
    """Segment the first scan that can be read, as a segmenter that fails is best known before scans are made.

    Raises:
        ConSinGANError: it fails; nothing is left of a run that has segmented nothing.
    """
    for record in scans:
        try:
            image = load_pair(record)[0]
        except ConSinGANError:  # which the augmentation tells
            continue
        try:
            segment(record.name, record.images, image)
        except ConSinGANError:
            masks = folder.path / _MASKS
            if not any(masks.glob("[!.]*")):
                shutil.rmtree(masks, ignore_errors=True)
                folder.undo()
            raise
        return


def _asked(
    part: Path,
    segment: Segment,
    originals: Mapping[str, ScanRecord],
) -> tuple[list[AskedLesion], list[int]]:
    """What became of every lesion of a data set that was made, and the false positives of each scan."""
    folder = RunFolder(part)
    labels = folder.settings.lesion_labels
    lesions, false = [], []
    for told in folder.made():
        record, host = folder.record(told), told["host"]["scan"]
        image, label, _ = load_pair(record)
        marks = load_label(part / told[folder.settings.numbers], image=image).numpy()
        known = np.zeros(marks.shape, bool) if label is None else lesion_voxels(as_array(label), labels)
        if folder.settings.command == "augment":
            marks = np.where(known, marks, 0)  # oedema that came along has its lesion's number
        predicted = segment(record.name, record.images, image)
        before = segment(host, originals[host].images, image)
        false.append(detection(predicted, known, spacing=spacing_of(image)).false_positives)
        head = head_mask(as_array(image)[0], spacing=spacing_of(image))
        depth = outside_distance(~head, spacing_of(image)) if not head.all() else np.full(head.shape, np.nan)
        for lesion in told["lesions"]:
            inside = marks == lesion["instance"]
            lesions.append(_outcome(record.name, lesion, inside, predicted, before, depth, image))
    return lesions, false


def _outcome(
    scan: str,
    told: Mapping[str, Any],
    inside: np.ndarray,
    predicted: np.ndarray,
    before: np.ndarray,
    depth: np.ndarray,
    image: MetaTensor,
) -> AskedLesion:
    mm = spacing_of(image)
    here = detection(predicted, inside, spacing=mm, min_voxels=1).lesions
    there = detection(before, inside, spacing=mm, min_voxels=1).lesions
    diameter = ball_diameter(float(inside.sum() * math.prod(mm)), inside.ndim - 1)
    return AskedLesion(
        scan,
        told["instance"],
        "put in" if "donor" in told else "taken out",
        diameter,
        size_class(diameter),
        float(told.get("cnr", math.nan)),
        float(depth[tuple(np.rint(np.argwhere(inside[0]).mean(axis=0)).astype(int))]),
        any(lesion.found for lesion in here),
        max((lesion.dice for lesion in here), default=0.0),
        any(lesion.found for lesion in there),
    )


def _words(command: str) -> list[str]:
    """The words of a command line that has places for the scan and the mask."""
    missing = [place for place in _PLACES if place not in command]
    if missing:
        raise ConSinGANError(f"command {command!r} lacks {' and '.join(missing)}: write where these paths go.")
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ConSinGANError(f"command {command!r} cannot be read ({error}): close its quotation marks.") from error


def _segmented(command: Sequence[str], masks: Path, name: str, images: Sequence[Path], image: MetaTensor) -> np.ndarray:
    """The mask that the segmenter makes of a scan; made once, and kept if it is on the scan's grid."""
    path = masks / f"{name}.nii.gz"
    if path.exists():
        return _mask(path, image)
    masks.mkdir(parents=True, exist_ok=True)
    partial_mask = masks / f".{name}.partial.nii.gz"
    partial_mask.unlink(missing_ok=True)
    words = []
    for word in command:
        filled = [word.replace("{image}", str(image)) for image in images] if "{image}" in word else [word]
        words += [part.replace("{mask}", str(partial_mask)) for part in filled]
    try:
        done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        raise ConSinGANError(f"command {words[0]!r} cannot be started ({error.strerror}): check its path.") from error
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
    if done.returncode:
        raise ConSinGANError(f"command {words[0]!r} ended with {done.returncode} on scan {name}: {last[0]}")
    if not partial_mask.is_file():
        raise ConSinGANError(f"command {words[0]!r} wrote no mask of scan {name} to {{mask}}: {last[0]}")
    mask = _mask(partial_mask, image)
    os.replace(partial_mask, path)
    return mask


def _mask(path: Path, image: MetaTensor) -> np.ndarray:
    """The mask on the scan's grid, boolean (1, \\*spatial)."""
    return np.asarray(load_label(path, image=image, name="mask", allow_empty=True).numpy() > 0)
