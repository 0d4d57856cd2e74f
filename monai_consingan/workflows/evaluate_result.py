"""Measure one result of ``harmonize``, ``remove`` or ``paste``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from monai_consingan.data import file_sha256, load_label, read_sequences
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, by_sequence, changed_outside, texture
from monai_consingan.workflows.result_files import MEASURES, MEASURES_OF_BORDERS, read_result, result_file, result_image


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
