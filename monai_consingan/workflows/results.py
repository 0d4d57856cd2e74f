"""Results of harmonize, remove and paste, as they are read again, and measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from monai_consingan.data import file_sha256, load_label, read_sequences
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, by_sequence, changed_outside, texture
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.outputs import REPORT_NAME

MEASURES_OF_BORDERS = ("seam_through", "level_jump_through")
MEASURES = ("seam", *MEASURES_OF_BORDERS, "contrast_kept", "rim_core_kept", "size_kept")
"""What a report may have of a result, and of its naive image with ``_naive`` at the end."""


def result_folders(folder: str | Path) -> list[Path]:
    """The folder, or its subfolders, that hold a result of ``harmonize``, ``remove`` or ``paste``."""
    folder = Path(folder)
    return [
        place
        for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
        if (place / REPORT_NAME).is_file() and any(place.glob("alteration.*"))
    ]


def result_file(folder: Path, name: str) -> Path:
    """The file of a result, whatever its suffix.

    Raises:
        ConSinGANError: there is none.
    """
    for suffix in (".nii.gz", ".png"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    raise ConSinGANError(
        f"{folder} has no {name}.nii.gz or {name}.png: give a folder as harmonize or remove writes it."
    )


def result_image(folder: Path, report: Mapping[str, Any], name: str) -> MetaTensor:
    """An image of a result, all its sequences.

    Args:
        folder: the folder of the result.
        report: its report (:func:`read_result`).
        name: ``"image"`` or ``"naive"``.

    Returns:
        (C, \\*spatial), with the names of the sequences.

    Raises:
        ConSinGANError: a file is missing or cannot be read.
    """
    files = report.get("sequence_files", {}).get(name) or [result_file(folder, name).name]
    names = list(report["sequences"]) if "sequences" in report else None
    image, _ = read_sequences([folder / file for file in files], name=name, sequences=names).image()
    return image


def read_result(folder: Path) -> dict[str, Any]:
    """The report of a result.

    Raises:
        ConSinGANError: it is missing, or not one that ``harmonize``, ``remove`` or ``paste`` wrote.
    """
    path, remedy = folder / REPORT_NAME, "give a folder that harmonize, remove or paste wrote"
    report = read_json_dictionary(path, "report", remedy=remedy)
    placement, inputs = report.get("placement"), report.get("inputs")
    sequences, files = report.get("sequences", {}), report.get("sequence_files", {})
    tables = [report, report.get("checks", {}), *(sequences.values() if isinstance(sequences, dict) else [])]
    wrong = {
        "command": report.get("command") not in ("harmonize", "remove", "paste"),
        "placement": not isinstance(placement, dict) or placement.get("axis", "") not in (None, 0, 1, 2),
        "inputs": not isinstance(inputs, dict),
        "measures": not all(map(_is_table, tables)),
        "sequences": not isinstance(sequences, dict)
        or (bool(sequences) and report.get("lead") not in sequences)
        or not isinstance(files, dict)
        or not all(map(_are_names, files.values())),
    }
    if any(wrong.values()):
        names = ", ".join(name for name, found in wrong.items() if found)
        raise ConSinGANError(f"report {path} cannot be used (its {names}): {remedy}.")
    return report


def _is_table(values: Any) -> bool:
    """Whether what a dictionary has of the measures are numbers."""
    if not isinstance(values, dict):
        return False
    numbers = [values.get(name + suffix) for name in MEASURES for suffix in ("", "_naive")]
    return all(value is None or isinstance(value, (int, float)) for value in numbers)


def _are_names(files: Any) -> bool:
    """Whether something is a list of names of files in a folder, and no paths to others."""
    return isinstance(files, list) and all(isinstance(file, str) and Path(file).name == file for file in files)


def evaluate_result(folder: str | Path, *, originals: str | Path | None = None) -> dict[str, Any]:
    """Measure a result of ``harmonize``, ``remove`` or ``paste``.

    Args:
        folder: the folder that it wrote.
        originals: folder (with folders in it) where the scan that it was made of is, which is told by its name and
            SHA-256. Without it, what changed outside the alteration mask is counted against the naive image.

    Returns:
        ``folder``, ``command``; ``seam``, ``seam_through``, ``level_jump_through``, ``contrast_kept``,
        ``rim_core_kept`` and ``size_kept`` as far as the result's report has them; ``texture``
        (:func:`~monai_consingan.metrics.texture` of what was altered); the same of the naive image with ``_naive`` at
        the end; with several sequences ``lead`` and ``sequences``, all this of each
        (:func:`~monai_consingan.metrics.by_sequence`); ``changed_outside``
        (:func:`~monai_consingan.metrics.changed_outside`, which must be 0) and what it was counted against,
        ``compared_with``: ``"original"`` or ``"naive"``.

    Raises:
        ConSinGANError: a file is missing or bad, or the original is not in ``originals``.
    """
    folder = Path(folder)
    report = read_result(folder)
    image = result_image(folder, report, "image")
    lesions = load_label(result_file(folder, "label"), image=image, allow_empty=True)
    alteration = load_label(result_file(folder, "alteration"), image=image, name="alteration")
    scans = {"": image}
    if report["command"] != "paste":
        scans["_naive"] = result_image(folder, report, "naive")
    across = report["placement"]["axis"] if report["placement"].get("dims") != 3 else None
    where: dict[str, Any] = {"axis": across, "exclude": lesions, "lead": report.get("lead", 0)}
    found = by_sequence(
        lambda *cases: {f"texture{suffix}": texture(case) for suffix, case in zip(scans, cases, strict=True)},
        *(Surroundings(scan, alteration, **where) for scan in scans.values()),
    )
    measured = {"folder": folder.name, "command": report["command"], **_reported(report), **found}
    for name, values in found.get("sequences", {}).items():
        measured["sequences"][name] = {**_reported(report["sequences"].get(name, {})), **values}
    if originals is not None:
        original = _original(report, Path(originals))
        measured |= {"changed_outside": changed_outside(original, image, alteration), "compared_with": "original"}
    elif "_naive" in scans:
        measured |= {"changed_outside": changed_outside(scans["_naive"], image, alteration), "compared_with": "naive"}
    return measured


def _reported(report: Mapping[str, Any]) -> dict[str, Any]:
    """The measures that a report has, of the result and of the naive image; those of borders may be its checks'."""
    checks = report.get("checks", {})
    found = {name: checks[name] for name in MEASURES_OF_BORDERS if checks.get(name) is not None}
    names = [f"{name}{suffix}" for suffix in ("", "_naive") for name in MEASURES]
    return found | {name: report[name] for name in names if name in report}


def _original(report: Mapping[str, Any], originals: Path) -> MetaTensor:
    """The scan that a result was made of, all its sequences."""
    wanted = report["inputs"].get("image" if report["command"] == "remove" else "host")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    places = [originals, *sorted(originals.rglob("*"))]
    paths = [_found(one if isinstance(one, dict) else {}, places, originals) for one in wanted]
    names = list(report["sequences"]) if "sequences" in report else None
    image, _ = read_sequences(paths, name="original", sequences=names).image(
        report.get("lead"), resample=len(paths) > 1
    )
    return image


def _found(wanted: Mapping[str, Any], places: list[Path], originals: Path) -> Path:
    """The file of a name and a hash."""
    for path in places:
        if public_name(path) == wanted.get("file") and file_sha256(path) == wanted.get("sha256"):
            return path
    name = wanted.get("file", "the scan")
    raise ConSinGANError(f"{originals} does not hold {name} as the result was made of it: give its folder.")
