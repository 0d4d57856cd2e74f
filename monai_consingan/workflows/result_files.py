"""The files of a result of ``harmonize``, ``remove`` or ``paste``, as they are read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from monai_consingan.data import read_sequences
from monai_consingan.errors import ConSinGANError
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
