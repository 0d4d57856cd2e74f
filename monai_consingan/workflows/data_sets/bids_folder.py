"""Data sets that are folders of BIDS."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary, read_table
from monai_consingan.workflows.data_sets.entries import name_records, not_empty, without_empty
from monai_consingan.workflows.data_sets.records import SPLITS, ScanRecord, ScanSet

_MASKS = ("mask", "dseg")
_NO_LESIONS = re.compile(r"_(desc|label)-(brain|syn\d+(instances)?|free(removed)?)(\d*_|$)")
"""Masks of the brain, and those of synthetic scans, whose folder may lie among the derivatives too."""


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
        ConSinGANError: no scans, several that could be meant, scans with and without contrast agent, or masks of
            several kinds.
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
        records.append(ScanRecord(name, scans[0], mask, split, number, without_empty(entry), **others))
    if not sequences:
        agents = {record.name: _agent(record.image) for record in records}
        _require_alike(agents, "give --sequences T1w, or that with its contrast agent, such as ce-gadolinium_T1w")
    if not lesion_mask:
        kinds = {record.name: _mask_kind(record.label) for record in records if record.label is not None}
        _require_alike(kinds, "give a part of the right ones' names, such as label-lesion (--lesion-mask)")
    described = folder / "dataset_description.json"
    head = {"name": read_json_dictionary(described, "description").get("Name", "")} if described.is_file() else {}
    head |= {"channel_names": {str(number): name for number, name in enumerate(sequences)}} if sequences else {}
    return not_empty(ScanSet("bids", folder, name_records(records), head), "sub-01/anat/sub-01_ce-GADOLINIUM_T1w")


def _bids_t1(anat: Path) -> list[Path]:
    """The T1-weighted scan of a session, after contrast agent if there is one."""
    scans = sorted(anat.glob("*_T1w.nii*"))
    scans = [path for path in scans if "_ce-" in path.name] or scans
    if len(scans) > 1:
        names = ", ".join(path.name for path in scans)
        raise ConSinGANError(f"{anat} has several scans ({names}): leave one, or list the scans in a datalist.")
    return scans


def _agent(scan: Path) -> str:
    """Whether a scan was made after contrast agent, in words."""
    return f"a T1w scan {'after' if '_ce-' in scan.name else 'without'} contrast agent"


def _mask_kind(mask: Path) -> str:
    """What a mask is of, as its name tells, in words."""
    *entities, suffix = mask.name.split(".")[0].split("_")
    told = [entity for entity in entities if entity.startswith(("label-", "desc-"))]
    return f"the mask {'_'.join([*told, suffix])}"


def _require_alike(kinds: Mapping[str, str], remedy: str) -> None:
    """Refuse files of several kinds.

    Args:
        kinds: the kind of each session's, by its name.
        remedy: what to do, for the error.

    Raises:
        ConSinGANError: there are several.
    """
    first: dict[str, str] = {}
    for name, kind in kinds.items():
        first.setdefault(kind, name)
    if len(first) > 1:
        (one, name), (other, another) = list(first.items())[:2]
        raise ConSinGANError(f"{name} has {one}, but {another} {other}, so they may not be of one kind: {remedy}.")


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
        if stem.rsplit("_", 1)[-1] in _MASKS and not _NO_LESIONS.search(stem) and (lesion_mask or "") in stem:
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
