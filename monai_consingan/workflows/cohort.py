"""Train one model on crops of the scans of a data set, for scans that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_consingan.arrays import wrap_like
from monai_consingan.data import Region, named_sequences, sliced_axis
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.folder_lock import leaving_nothing
from monai_consingan.models.host_crops import crop_side, host_crops
from monai_consingan.models.training import check_device
from monai_consingan.settings import Training, TrainingSettings
from monai_consingan.workflows.data_sets.folders import read_scans
from monai_consingan.workflows.data_sets.records import ScanRecord, load_files, load_lesions
from monai_consingan.workflows.outputs import check_output
from monai_consingan.workflows.train import TrainingFolder, settings_for
from monai_consingan.workflows.training_slices import TrainingSlices, scaled_affine


def cohort_run(
    data_set: str | Path,
    output: str | Path,
    *,
    task: str = "harmonization",
    settings: Training | None = None,
    crops: int = 3,
    side: int | None = None,
    held_out: int | None = None,
    fold: int | None = None,
    lesion_labels: Sequence[int] = (),
    axis: int | None = None,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Train one model on crops of the training scans of a data set.

    Every crop is brought to [-1, 1] by itself, so that scans of any brightness go together. A crop is as large as fits
    into all of the scans. Unlike a host's own model the result serves scans that it has not seen, as ``model`` or
    ``start`` of the workflows and in :py:class:`monai_consingan.models.SharedModel`. It holds the SHA-256 of the files
    that it was made of, by which a leak between the folds of a data set is found.

    Args:
        data_set: a datalist in JSON, or a folder of nnU-Net's raw data or of BIDS
            (:py:func:`monai_consingan.workflows.augmentation.read_scans`), of which the training scans are taken.
        output: folder that gets ``model.pt``, ``figure.png`` and ``report.json`` when the training is done, and holds
            ``checkpoint.pt`` until then.
        task: ``"harmonization"`` or ``"editing"``; crops for editing keep clear of lesions, whose labels it needs.
        settings: settings of the training, by default the preset ``quick``. With the region ``"slice"`` slices are
            resized to a square instead of cropped; with 3 spatial dims crops are boxes. A
            model of slices, as by default, serves scans of either kind.
        crops: number of crops of a scan.
        side: height and width (and depth) of a crop in pixels; ``None`` for 96, of boxes 48.
        held_out: the fold whose scans are left out.
        fold: the only fold whose scans are taken.
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        channel, lesion_mask, sequences: see :py:func:`monai_consingan.workflows.augmentation.read_scans`.
        seed: seed of everything random.
        device: where to train.
        resume, overwrite, progress: see :py:func:`monai_consingan.workflows.train_run`.

    Returns:
        The report, or ``None`` if the run that is to be resumed is finished.

    Raises:
        ConSinGANError: the data set or a scan of it cannot be used, scans have different sequences, the settings do not
            fit, the folder cannot be used or holds another training.

    Example::

        cohort_run("datalist.json", "cohort")
        harmonize(source, "out", model="cohort")
        harmonize(source, "better", start="cohort", settings=preset_settings("quick", "harmonization", iterations=50))
    """
    begin = time.perf_counter()
    folder = TrainingFolder(output, resume, overwrite)
    folder.check([data_set])
    check_device(device)
    settings = settings_for(task, settings)
    if task not in ("harmonization", "editing"):
        raise ConSinGANError(f"task is {task!r}, but a cohort's model is for 'harmonization' or 'editing'.")
    check_least(1, crops=crops, side=side)
    if side is not None and settings.region == "slice":
        raise ConSinGANError(f"side is {side}, but with the region 'slice' whole slices are resized: leave it out.")
    if lesion_labels and task != "editing":
        labels = ", ".join(map(str, lesion_labels))
        raise ConSinGANError(
            f"lesion labels are {labels}, but only crops for editing keep clear of them: leave them out."
        )
    scans = read_scans(data_set, channel=channel, lesion_mask=lesion_mask, sequences=sequences)
    for name, number in (("held out", held_out), ("taken", fold)):
        if number is not None and number not in scans.folds:
            there = ", ".join(map(str, scans.folds)) or "none"
            raise ConSinGANError(f"{name} is fold {number}, but the folds of data set {data_set} are {there}.")
    records = [one for one in scans.of("training") if held_out is None or one.fold != held_out]
    records = [one for one in records if fold is None or one.fold == fold]
    unlabelled = next((one.name for one in records if one.label is None), None)
    if task == "editing" and unlabelled is not None:
        raise ConSinGANError(f"scan {unlabelled} has no label, but crops for editing keep clear of lesions: give one.")
    if not records:
        raise ConSinGANError(f"data set {data_set} has no training scans to learn from: give some.")
    found = _crops(records, settings, crops, crop_side(settings, side), axis, lesion_labels, seed)
    sources = [digest for told in found.inputs.values() for digest in told["sha256"]]
    how: dict[str, Any] = {"seed": seed, "device": device, "progress": progress, "begin": begin}
    return folder.train("cohort", found, settings, sources=sources, **how)


def cohort_folds(
    data_set: str | Path,
    output: str | Path,
    *,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **given: Any,
) -> dict[int, dict[str, Any] | None]:
    """Train a model for each fold of a data set, on the scans of this fold only.

    Synthetic scans of a fold are trained on wherever its own scans are not validated with. So what redraws them may
    have learned of no other fold. ``augment`` and ``twins`` take the folder as ``model`` or ``start``, and in it for
    each synthetic scan the model of its fold.

    Args:
        data_set, channel, lesion_mask, sequences: see :py:func:`cohort_run`.
        output: folder that gets ``fold-0``, ``fold-1`` and so on, each as that of :py:func:`cohort_run`.
        resume: whether to go on; folds that are finished are left as they are.
        overwrite: whether the folder may hold something already.
        **given: more arguments of :py:func:`cohort_run`.

    Returns:
        By fold the report, or ``None`` if it is finished already.

    Raises:
        ConSinGANError: as :py:func:`cohort_run`, or a training scan has no fold.

    Example::

        cohort_folds("datalist.json", "cohorts")
        augment("datalist.json", "augmented", start="cohorts")
    """
    chosen: dict[str, Any] = {"channel": channel, "lesion_mask": lesion_mask, "sequences": sequences}
    scans = read_scans(data_set, **chosen)
    free = next((record.name for record in scans.of("training") if record.fold is None), None)
    if free is not None:
        raise ConSinGANError(
            f"scan {free} has no fold, but a model for each fold is asked for: give every scan a fold."
        )
    check_output(output, overwrite=overwrite or resume)
    how: dict[str, Any] = {"resume": resume, "overwrite": overwrite, **chosen, **given}
    with leaving_nothing(output):
        return {fold: cohort_run(data_set, Path(output) / f"fold-{fold}", fold=fold, **how) for fold in scans.folds}


def _crops(
    records: Sequence[ScanRecord],
    settings: TrainingSettings,
    crops: int,
    side: int,
    axis: int | None,
    lesion_labels: Sequence[int],
    seed: int,
) -> TrainingSlices:
    """Crops of all scans, as large as fits into the smallest."""
    cropped = partial(_cropped, settings=settings, crops=crops, axis=axis, lesion_labels=lesion_labels, seed=seed)
    stacks: list[torch.Tensor] = []
    inputs: dict[str, Any] = {}
    for number, record in enumerate(records):
        stack, names, hashes, view = cropped(record, side)
        inputs[f"scan_{number}"] = {"scan": record.name, "fold": record.fold, "sha256": hashes}
        if not stacks:
            sequences, (affine, along) = names, view
        elif names != sequences or stack.shape[1] != stacks[0].shape[1]:
            raise ConSinGANError(
                f"scan {record.name} has the sequences {', '.join(names) or stack.shape[1]}, but {records[0].name} has "
                f"{', '.join(sequences) or stacks[0].shape[1]}: choose those that all have, with --sequences or "
                "--channel."
            )
        stacks.append(stack)
    size = tuple(min(sides) for sides in zip(*(stack.shape[2:] for stack in stacks), strict=True))
    stacks = [
        stack if tuple(stack.shape[2:]) == size else cropped(record, size)[0]
        for record, stack in zip(records, stacks, strict=True)
    ]
    taken = [{"scan": record.name, "crops": len(stack)} for record, stack in zip(records, stacks, strict=True)]
    return TrainingSlices(torch.cat(stacks), None, taken, inputs, affine, along, sequences)


def _cropped(
    record: ScanRecord,
    side: int | Sequence[int],
    *,
    settings: TrainingSettings,
    crops: int,
    axis: int | None,
    lesion_labels: Sequence[int],
    seed: int,
) -> tuple[torch.Tensor, tuple[str, ...], list[str], tuple[list[list[float]], int | None]]:
    """Crops of a scan, names of its sequences, hashes of its files, its pixels' affine with the axis of its slices."""
    image, files = load_files(record)
    lesions = None
    if settings.task == "editing":
        lesions = wrap_like((load_lesions(record, image, lesion_labels)[1] > 0)[None].astype(np.uint8), image)
    along = sliced_axis(image, axis, settings.spatial_dims)
    stack = host_crops(image, settings, label=lesions, crops=crops, side=side, axis=along, seed=seed)
    plane = tuple(size for number, size in enumerate(image.shape[1:]) if number != along)
    seen = tuple(stack.shape[2:]) if settings.region == "slice" else plane
    affine = scaled_affine(image, Region(along, (0,), (0,) * len(plane), plane, seen))
    hashes = list(dict.fromkeys(part.sha256 for part in files.parts))
    return stack, named_sequences(image), hashes, (affine, along)
