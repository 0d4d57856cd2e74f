"""Data sets that are folders: nnU-Net's raw data, and BIDS."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json, read_json_dictionary, read_table
from monai_consingan.workflows.data_sets.datalists import read_datalist
from monai_consingan.workflows.data_sets.entries import (
    ignored_labels,
    listed_names,
    name_records,
    pick_sequences,
    public_head,
)
from monai_consingan.workflows.data_sets.records import SPLITS, ScanRecord, ScanSet

SPLITS_FILE = "splits_final.json"
"""nnU-Net's list of folds."""

_MASKS = ("mask", "dseg")


def read_scans(
    path: str | Path,
    *,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
) -> ScanSet:
    """Read a data set.

    Args:
        path: a datalist (:py:func:`read_datalist`) or a folder: of nnU-Net (:py:func:`read_nnunet`), of BIDS
            (:py:func:`read_bids`), or one that holds a ``datalist.json``.
        channel: number of the only sequence to work on, from 0, where a scan has several.
        lesion_mask: which mask of a BIDS derivative is that of the lesions.
        sequences: names of the sequences to work on; ``None`` for all, and of BIDS for the T1-weighted scans alone.

    Raises:
        ConSinGANError: it is none of these, or has no scans to learn from.
    """
    path = Path(path)
    if not path.exists():
        raise ConSinGANError(f"data set {path} does not exist: give a datalist, or the folder of a data set.")
    if path.is_file():
        return read_datalist(path, channel, sequences)
    if (path / "datalist.json").is_file():
        return read_datalist(path / "datalist.json", channel, sequences)
    if (path / "dataset.json").is_file() and (path / "imagesTr").is_dir():
        return read_nnunet(path, channel, sequences)
    if any(item.is_dir() for item in path.glob("sub-*")):
        return read_bids(path, lesion_mask, sequences)
    raise ConSinGANError(
        f"data set {path} is no data set that is known: give a datalist in JSON, or a folder with datalist.json, with "
        "nnU-Net's dataset.json and imagesTr, or with the sub-* of BIDS."
    )


def read_nnunet(folder: str | Path, channel: int | None = None, sequences: Sequence[str] | None = None) -> ScanSet:
    """Read a folder of nnU-Net's raw data: ``dataset.json``, ``imagesTr``, ``labelsTr``, ``imagesTs``.

    If ``splits_final.json`` lies beside them, its splits are the folds.

    Args:
        folder: the folder.
        channel: number of the only sequence to work on, from 0, where a case has several.
        sequences: names of the sequences to work on, of ``channel_names``; ``None`` for all.

    Raises:
        ConSinGANError: files of it cannot be read, a case has no label or lacks a sequence, or is in the validation of
            several folds.
    """
    folder = Path(folder).absolute()
    path = folder / "dataset.json"
    head = read_json_dictionary(path, "data set", remedy="give that of nnU-Net")
    ending, names = head.get("file_ending", ".nii.gz"), listed_names(head.get("channel_names"))
    if not isinstance(ending, str) or not ending.startswith("."):
        raise ConSinGANError(f"data set {path} has the file_ending {ending!r}: give one such as '.nii.gz'.")
    ignored = ignored_labels(head, f"data set {path}")
    folds = _nnunet_folds(folder / SPLITS_FILE)
    records = []
    for split, part in (("training", "Tr"), ("test", "Ts")):
        cases: dict[str, dict[str, str]] = {}
        for path in sorted((folder / f"images{part}").glob("*")):
            if name := re.fullmatch(rf"(.+)_(\d{{4}}){re.escape(ending)}", path.name):
                cases.setdefault(name[1], {})[name[2]] = f"images{part}/{path.name}"
        for case, numbered in cases.items():
            wanted, images = [f"{number:04d}" for number in range(len(numbered))], list(numbered.values())
            if list(numbered) != wanted:
                raise ConSinGANError(
                    f"case {case} of {folder} has images of the numbers {', '.join(numbered)}, where nnU-Net counts "
                    "sequences from 0000 without a gap: add what is missing."
                )
            label = f"labels{part}/{case}{ending}"
            if not (folder / label).is_file():
                if split == "training":
                    raise ConSinGANError(f"case {case} of {folder} has no label {label}: give one.")
                label = ""
            entry: dict[str, Any] = {"image": images[0] if len(images) == 1 else images, "label": label}
            fold = folds.get(case) if split == "training" else None
            chosen = pick_sequences(images, names, f"case {case} of {folder}", channel, sequences)
            image, *more = (folder / file for file in chosen.files)
            mask = folder / label if label else None
            others: dict[str, Any] = {"more": tuple(more), "volumes": chosen.volumes, "sequences": chosen.names}
            records.append(ScanRecord(case, image, mask, split, fold, _given(entry), ignored, **others))
    known = {record.name for record in records}
    if folds and not known & set(folds):
        raise ConSinGANError(
            f"splits {folder / SPLITS_FILE} name no case of the data set, but such as {min(folds)}: give its own."
        )
    head = public_head(head, records[0].sequences if names and records else ())
    return _not_empty(ScanSet("nnunet", folder, name_records(records), head), "imagesTr/CASE_0000" + ending)


def _nnunet_folds(path: Path) -> dict[str, int]:
    """The fold whose validation a case belongs to."""
    if not path.is_file():
        return {}
    folds: dict[str, int] = {}
    found = read_json(path, "splits", remedy="give those of nnU-Net")
    try:
        for number, split in enumerate(found):
            for case in map(str, split["val"]):
                if case in folds:
                    raise ConSinGANError(
                        f"case {case} is in the validation of the folds {folds[case]} and {number} of {path}: give "
                        "splits that hold out each case once."
                    )
                folds[case] = number
    except (TypeError, KeyError) as error:
        raise ConSinGANError(f"splits {path} cannot be read ({error!r}): give those of nnU-Net.") from error
    return folds


def read_bids(folder: str | Path, lesion_mask: str | None = None, sequences: Sequence[str] | None = None) -> ScanSet:
    """Read a folder of BIDS: T1-weighted scans, and masks of the lesions among the derivatives.

    Of a session the scan after contrast agent (``ce-...``) is taken, or else ``..._T1w``; or the sequences that are
    asked for, such as ``T1w``, ``ce-gadolinium_T1w``, ``T2w`` and ``FLAIR``. Its mask is the file of the
    same subject and session below ``derivatives`` that ends in ``_mask`` or ``_dseg`` and is none of the brain.
    ``participants.tsv`` may have the columns ``split`` (training, validation or test) and ``fold``; without them all
    scans are training scans.

    Args:
        folder: the folder.
        lesion_mask: a part of the masks' names, such as ``label-lesion``, where there are several.
        sequences: suffixes of the files of each session's sequences, with entities that they need to have; files of
            contrast agents (``ce-...``) are taken for those only that name it.

    Raises:
        ConSinGANError: no scans, or several that could be meant.
    """
    folder = Path(folder).absolute()
    subjects = {path.name for path in folder.glob("sub-*") if path.is_dir()}
    people = _participants(folder / "participants.tsv", subjects)
    records = []
    for anat in sorted(path for pattern in ("sub-*/anat", "sub-*/ses-*/anat") for path in folder.glob(pattern)):
        scans = _bids_sequences(anat, sequences) if sequences else _bids_t1(anat)
        if not scans:
            continue
        place = anat.relative_to(folder)
        subject = place.parts[0]
        mask = _bids_mask(folder, place, lesion_mask)
        split = people.get(subject, {}).get("split") or "training"
        if split not in SPLITS:
            raise ConSinGANError(f"{subject} has the split {split!r} in participants.tsv: give {', '.join(SPLITS)}.")
        fold = people.get(subject, {}).get("fold")
        if fold is not None and not re.fullmatch(r"\d+", fold):
            raise ConSinGANError(f"{subject} has the fold {fold!r} in participants.tsv: give a whole number.")
        images = [path.relative_to(folder).as_posix() for path in scans]
        entry = {
            "image": images[0] if len(images) == 1 else images,
            "label": "" if mask is None else mask.relative_to(folder).as_posix(),
        }
        name = "_".join(place.parts[:-1])
        number = None if fold is None else int(fold)
        others: dict[str, Any] = {"more": tuple(scans[1:]), "sequences": tuple(sequences or ())}
        records.append(ScanRecord(name, scans[0], mask, split, number, _given(entry), **others))
    described = folder / "dataset_description.json"
    head = {"name": read_json_dictionary(described, "description").get("Name", "")} if described.is_file() else {}
    head |= {"channel_names": {str(number): name for number, name in enumerate(sequences)}} if sequences else {}
    return _not_empty(ScanSet("bids", folder, name_records(records), head), "sub-01/anat/sub-01_ce-GADOLINIUM_T1w")


def _bids_t1(anat: Path) -> list[Path]:
    """The T1-weighted scan of a session, after contrast agent if there is one."""
    scans = sorted(anat.glob("*_T1w.nii*"))
    scans = [path for path in scans if "_ce-" in path.name] or scans
    if len(scans) > 1:
        names = ", ".join(path.name for path in scans)
        raise ConSinGANError(f"{anat} has several scans ({names}): leave one, or list the scans in a datalist.")
    return scans


def _bids_sequences(anat: Path, sequences: Sequence[str]) -> list[Path]:
    """The files of a session's sequences, in their order; none where the session has none of them."""
    found = []
    for sequence in sequences:
        *entities, suffix = sequence.split("_")
        scans = [
            path
            for path in sorted(anat.glob(f"*_{escape(suffix)}.nii*"))
            if set(entities) <= (own := set(path.name.split("_")))
            and (any(part.startswith("ce-") for part in entities) or not any(part.startswith("ce-") for part in own))
        ]
        found.append(scans)
    if not any(found):
        return []
    for sequence, scans in zip(sequences, found, strict=True):
        if len(scans) != 1:
            names = f"several scans ({', '.join(path.name for path in scans)})" if scans else "no scan"
            raise ConSinGANError(
                f"{anat} has {names} of the sequence {sequence}: give sequences of which every session has one."
            )
    return [scans[0] for scans in found]


def _bids_mask(folder: Path, place: Path, lesion_mask: str | None) -> Path | None:
    start = "_".join(place.parts[:-1])
    found = []
    for path in sorted((folder / "derivatives").rglob(f"{escape(start)}_*.nii*")):
        stem = path.name.split(".")[0]
        is_brain = re.search(r"_(desc|label)-brain(_|$)", stem)
        if stem.rsplit("_", 1)[-1] in _MASKS and not is_brain and (lesion_mask or "") in stem:
            found.append(path)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConSinGANError(
            f"{place} has several masks ({names}): give a part of the right one's name, such as label-lesion "
            "(--lesion-mask)."
        )
    return found[0] if found else None


def _participants(path: Path, subjects: Collection[str]) -> Mapping[str, dict[str, str]]:
    """What the table of the subjects says of each.

    Raises:
        ConSinGANError: the table cannot be read, has no row for any subject, or for one while it has splits or folds
            for others, or rows that differ for one.
    """
    if not path.is_file():
        return {}
    people: dict[str, dict[str, str]] = {}
    for row in read_table(path, "participants"):
        name = row.get("participant_id", "")
        name = name if name.startswith("sub-") else f"sub-{name}"
        told = {key: value for key, value in row.items() if value not in ("", "n/a") and key != "participant_id"}
        if people.setdefault(name, told) != told:
            raise ConSinGANError(f"participants {path} has several rows for {name} that differ: leave one.")
    if not people.keys() & set(subjects):
        raise ConSinGANError(
            f"participants {path} has no row for any of the subjects, such as {min(subjects)}: give it the column "
            "participant_id with their names, separated by tabs, or take the file away."
        )
    missing = sorted(set(subjects) - people.keys())
    if missing and any(told.keys() & {"split", "fold"} for told in people.values()):
        raise ConSinGANError(
            f"participants {path} has no row for {', '.join(missing)}, which would be training scans of no fold: give "
            "each subject a row with its split or fold, or take its folder away."
        )
    return people


def _given(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value}


def _not_empty(scans: ScanSet, example: str) -> ScanSet:
    if not scans.of("training"):
        raise ConSinGANError(f"data set {scans.root} has no scans to learn from: they are named as {example}.")
    return scans
