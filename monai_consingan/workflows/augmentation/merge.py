"""The lists of an augmented data set: what is in it, where it comes from, and what was refused."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from monai_consingan import __version__
from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.folder_lock import locked
from monai_consingan.whole_file import unwritable, whole_file
from monai_consingan.workflows.augmentation.chosen_sequences import with_own_files
from monai_consingan.workflows.augmentation.plan import describe_donors
from monai_consingan.workflows.augmentation.reviewed import KEPT, left_out, review_entries
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.data_sets.folders import SPLITS_FILE
from monai_consingan.workflows.data_sets.records import SPLITS, ScanRecord, ScanSet
from monai_consingan.workflows.resumable_folder import write_json
from monai_consingan.workflows.review import read_decisions, write_review

MANIFEST = (
    *("name", "image", "label", "host", "fold", "instance", "donor", "donor_lesion", "size", "diameter_mm"),
    *("volume_mm3", "position", "flips", "degrees", "scale", "how", "seam", "contrast_kept", "cnr", "scan_seed"),
    *("place_seed", "model", "settings", "versions", "warnings"),
)
"""The columns of ``manifest.csv``."""


def merge(output: str | Path) -> dict[str, Any]:
    """Write the lists of an augmentation, from the synthetic scans that are there.

    Args:
        output: the output folder of :py:func:`augment` or :py:func:`free_twins`, all of whose shards have ended.

    Returns:
        What ``summary.json`` holds: ``made`` and ``dropped``, the numbers of synthetic scans; ``rejected``, those made
        that lists leave out (:py:func:`keep`); ``missing``, those that are still to be made; ``failed``, what went
        wrong by name; ``lesions``, the numbers of lesions that were put in or removed, by method; and ``refused``, the
        numbers of refusals by method and reason. Of synthetic scans also ``donors``, the number of lesions to take, and
        ``left_out``, which of the data set's lesions are no donors, and why; of twins ``labels_left``, the numbers of
        twins that keep a label value beside what was removed.

    Raises:
        ConSinGANError: the folder is of no augmentation, a shard is at work in it, or it cannot be written to.
    """
    folder = RunFolder(output)
    folder.run  # noqa: B018  before it is locked, which makes the folder
    with locked(folder.path):
        return write_lists(folder)


def keep(output: str | Path, decisions: str | Path, *, unsure: str = "drop", rest: str = "error") -> dict[str, Any]:
    """Write the lists of an augmentation anew, without the synthetic scans of which a lesion was rejected.

    Nothing is deleted. ``kept.json`` in the folder tells what was rejected, and when; later lists leave it out too.
    To take everything back, delete that file and write the lists again (:py:func:`merge`).

    Args:
        output: the output folder of :py:func:`augment` or :py:func:`free_twins`.
        decisions: the ``decisions.json`` that was saved on its ``review.html``.
        unsure: ``"keep"`` or ``"drop"`` what was not decided for good.
        rest: ``"keep"`` or ``"drop"`` what nothing was decided on; ``"error"`` refuses the decisions.

    Returns:
        What ``kept.json`` holds.

    Raises:
        ConSinGANError: the folder is of no augmentation or in use, or the decisions cannot be used: damaged, of another
            run, or, unless ``rest`` tells what becomes of the others, not on all lesions.
    """
    given = read_decisions(decisions)
    folder = RunFolder(output)
    folder.run  # noqa: B018  before it is locked, which makes the folder
    with locked(folder.path):
        scans = {entry.key: entry.case for told in folder.made() for entry in review_entries(told)}
        told, dropped = given.outcome(folder.token, scans.keys(), decisions, unsure=unsure, rest=rest)
        kept = {
            "run": folder.token,
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **told,
            "left_out": sorted({scans[key] for key in dropped}),
        }
        write_json(folder.path / KEPT, kept, indent=2)
        write_lists(folder)
    return kept


def write_lists(folder: RunFolder) -> dict[str, Any]:
    """Write the lists of an augmentation, in whose folder nobody else is at work; what :py:func:`merge` returns."""
    scans = folder.scans
    outcomes = {task.name: folder.outcome(task.name) for task in folder.tasks}
    found = [told for told in outcomes.values() if told is not None]
    made = [told for told in found if told["status"] == "made"]
    rejected = left_out(folder.path)
    listed = [told for told in made if told["name"] not in rejected]
    names = [record.name for record in scans.of("training")]
    waiting = [name for name in names if folder.survey(name) is None]
    waiting += [name for name, told in outcomes.items() if told is None]
    errors = {name: error for name in waiting if (error := folder.error(name)) is not None}
    summary: dict[str, Any] = {
        "made": len(made),
        "dropped": len(found) - len(made),
        "rejected": len(made) - len(listed),
        "missing": sum(told is None and name not in errors for name, told in outcomes.items()),
        "failed": errors,
        "lesions": _counted(lesion["how"] for told in made for lesion in told["lesions"]),
        "refused": _counted(
            f"{refusal['how']}: {refusal['reason']}" if refusal["how"] else refusal["reason"]
            for told in found
            for refusal in told["refused"]
        ),
    }
    settings = folder.settings
    if isinstance(settings, AugmentSettings):
        summary |= describe_donors(scans, folder.donors(), settings)
    else:
        summary["labels_left"] = _counted(str(value) for told in made for value in told["labels_left"])
    try:
        folder.clean()
        write_json(folder.path / "summary.json", summary, indent=2)
        with whole_file(folder.path / "manifest.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, MANIFEST, lineterminator="\n")
            table.writeheader()
            table.writerows(row for told in listed for row in _rows(told))
        entries = [entry for told in made for entry in review_entries(told)]
        write_review(folder.path, folder.token, entries, title=f"{len(entries)} lesions to look at")
        scans = with_own_files(scans, folder.path)
        _write_lists(folder.path, scans, listed)
        if scans.kind == "nnunet":
            _write_nnunet(folder.path, scans, listed)
        if scans.kind == "bids":
            write_json(folder.path / "dataset_description.json", _bids_description(scans), indent=2)
    except OSError as error:
        raise unwritable(folder.path, error) from error
    return summary


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _rows(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row of the manifest for each lesion that was put in or removed."""
    shared = {
        "name": told["name"],
        "image": " ".join(told["images"]),
        "label": told["label"],
        "host": told["host"]["scan"],
        "fold": told["fold"],
        "scan_seed": told["seeds"].get("scan"),
        "model": told["model"],
        "settings": json.dumps(told["settings"], separators=(",", ":")),
        "versions": " ".join(f"{name}={number}" for name, number in told["versions"].items()),
    }
    rows = []
    for lesion in told["lesions"]:
        row = {**shared, "warnings": "; ".join([*told["warnings"], *lesion["warnings"]])}
        row |= {key: lesion[key] for key in ("instance", "diameter_mm", "how", "seam", "contrast_kept")}
        if "donor" in lesion:
            row |= {key: lesion[key] for key in ("size", "volume_mm3", "cnr", "degrees", "scale")}
            row |= {"donor": lesion["donor"]["scan"], "donor_lesion": lesion["donor"]["lesion"]}
            row["position"] = " ".join(map(str, lesion["placement"]["position"]))
            row["flips"] = " ".join(str(int(flip)) for flip in lesion["flips"])
            row["place_seed"] = lesion["seed"]
        rows.append(row)
    return rows


def _write_lists(path: Path, scans: ScanSet, made: list[dict[str, Any]]) -> None:
    """The datalist, and one for each fold, in whose validation there are no synthetic scans."""
    lists: dict[str, list[Any]] = {
        split: [_entry(record, scans.root, path) for record in scans.of(split)] for split in SPLITS
    }
    real = lists["training"]
    new = [_new_entry(told) for told in made]
    lists["training"] = [*real, *new]
    head = dict(scans.head)
    if "numTraining" in head:
        head["numTraining"] = len(lists["training"])
    content = {**head, **{split: entries for split, entries in lists.items() if entries}}
    write_json(path / "datalist.json", content, indent=2)
    for fold in scans.folds:
        split = {
            "training": [entry for entry in lists["training"] if entry.get("fold") != fold],
            "validation": [entry for entry in real if entry.get("fold") == fold],
        }
        rest = {"test": lists["test"]} if lists["test"] else {}
        counted = {"numTraining": len(split["training"])} if "numTraining" in head else {}
        write_json(path / f"datalist-fold-{fold}.json", {**head, **counted, **split, **rest}, indent=2)


def _write_nnunet(path: Path, scans: ScanSet, made: list[dict[str, Any]]) -> None:
    """The list of nnU-Net's raw data, with the files where they are, and its folds, validated with real scans only."""
    cases = {
        **{record.name: (_entry(record, scans.root, path), record.fold) for record in scans.of("training")},
        **{told["name"]: (_new_entry(told), told["fold"]) for told in made},
    }
    files = {
        name: {
            "images": entry["image"] if isinstance(entry["image"], list) else [entry["image"]],
            "label": entry["label"],
        }
        for name, (entry, _) in cases.items()
    }
    write_json(path / "dataset.json", {**scans.head, "numTraining": len(files), "dataset": files}, indent=2)
    if scans.folds:
        folds = [
            {
                "train": [name for name, (_, own) in cases.items() if own != fold],
                "val": [record.name for record in scans.of("training") if record.fold == fold],
            }
            for fold in range(max(scans.folds) + 1)
        ]
        write_json(path / SPLITS_FILE, folds, indent=2)


def _bids_description(scans: ScanSet) -> dict[str, Any]:
    """What BIDS wants to know of a derivative."""
    return {
        "Name": f"{scans.head.get('name') or 'data set'}, synthetic",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "monai-consingan", "Version": __version__}],
    }


def _new_entry(told: Mapping[str, Any]) -> dict[str, Any]:
    entry = {
        "image": told["images"][0] if len(told["images"]) == 1 else told["images"],
        "label": told["label"],
        "synthetic": True,
    }
    return entry if told["fold"] is None else {**entry, "fold": told["fold"]}


def _entry(record: ScanRecord, root: Path, output: Path) -> Any:
    """The entry of a scan of the data set, with paths that are relative to the output."""

    def moved(path: Path) -> str:
        """A path as seen from the output folder."""
        try:
            return Path(os.path.relpath(path, output)).as_posix()
        except ValueError:  # another drive
            return str(path)

    others = {
        key: moved(root / value) if isinstance(value, str) and value and os.path.exists(root / value) else value
        for key, value in record.entry.items()
    }
    images = [moved(path) for path in record.images]
    entry = {**others, "image": images[0] if len(images) == 1 else images}
    if record.label is not None:
        entry["label"] = moved(record.label)
    if record.fold is not None:
        entry["fold"] = record.fold
    return entry["image"] if record.split == "test" and set(entry) == {"image"} else entry
