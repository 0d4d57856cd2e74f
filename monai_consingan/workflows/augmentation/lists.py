"""The lists of an augmented data set: the manifest, datalists with folds, nnU-Net's and BIDS's; files they need."""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan import __version__
from monai_consingan.data import read_stored, save_sequences
from monai_consingan.errors import ConSinGANWarning
from monai_consingan.whole_file import whole_file
from monai_consingan.workflows.data_sets.nnunet_folder import SPLITS_FILE
from monai_consingan.workflows.data_sets.records import SPLITS, ScanRecord, ScanSet, load_files
from monai_consingan.workflows.resumable_folder import write_json

MANIFEST = (
    *("name", "image", "label", "host", "fold", "instance", "donor", "donor_lesion", "size", "diameter_mm"),
    *("volume_mm3", "position", "flips", "degrees", "scale", "how", "seam", "contrast_kept", "cnr", "scan_seed"),
    *("place_seed", "model", "settings", "versions", "warnings"),
)
"""The columns of ``manifest.csv``."""

REAL = "real"
"""The folder for real scans of which some sequences only are taken."""


def write_lists(path: Path, scans: ScanSet, made: list[dict[str, Any]]) -> None:
    """Write all lists of an augmentation.

    Args:
        path: the output folder.
        scans: the data set that was augmented.
        made: the provenance of the synthetic scans that are listed.

    Raises:
        ConSinGANError: a scan of which some sequences only are taken cannot be read or written.
        OSError: a list cannot be written.
    """
    with whole_file(path / "manifest.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, MANIFEST, lineterminator="\n")
        table.writeheader()
        table.writerows(row for told in made for row in _rows(told))
    scans = _with_own_files(scans, path)
    _write_datalists(path, scans, made)
    if scans.kind == "nnunet":
        _write_nnunet(path, scans, made)
    if scans.kind == "bids":
        write_json(path / "dataset_description.json", _bids_description(scans), indent=2)


def _write_datalists(path: Path, scans: ScanSet, made: list[dict[str, Any]]) -> None:
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
    elif made:
        warnings.warn(
            f"The data set has no {SPLITS_FILE}, and folds that nnU-Net draws itself leak: they validate with "
            "synthetic scans and with scans of which synthetic ones are trained with. Give it nnU-Net's folds and make "
            "its scans anew, or train with all of them (fold 'all').",
            ConSinGANWarning,
            stacklevel=2,
        )


def _with_own_files(scans: ScanSet, folder: Path) -> ScanSet:
    """A data set whose scans hold what is taken of them and no more, so that lists never mix unlike scans.

    A scan that holds all its sequences in one file is written to ``real`` where some of them are taken only, with its
    stored numbers; all others stay where they are. What is written already is not written again.
    """
    return replace(scans, records=tuple(_with_own_file(record, folder / REAL) for record in scans.records))


def _with_own_file(record: ScanRecord, folder: Path) -> ScanRecord:
    if not record.volumes:
        return record
    found = sorted(folder.glob(f"{record.name}.*"))
    if not found:
        stored = read_stored(record.image, name=f"scan {record.name}", several=True)
        if len(record.volumes) == stored.volumes and list(record.volumes) == sorted(record.volumes):
            return record
        image, files = load_files(record)
        folder.mkdir(parents=True, exist_ok=True)
        untouched = np.zeros((1, *image.shape[1:]), np.uint8)
        found = [folder / name for name in save_sequences(folder, record.name, image, files, alteration=untouched)]
    return replace(record, image=found[0], volumes=())


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
