"""What the results of a reproduction are worth, in the published measure and in ours."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_consingan.data import load_scan
from monai_consingan.metrics import SetComparison
from monai_consingan.workflows.evaluate import compare_pictures
from monai_consingan.workflows.pictures import PictureSet, write_slices
from monai_consingan.workflows.reproduction.folder import ReproductionCase, ReproductionFolder
from monai_consingan.workflows.reproduction.published import GROUPS, PublishedGroup
from monai_consingan.workflows.results import evaluate_result

MEASURES = ("seam", "texture", "contrast_kept", "rim_core_kept", "size_kept")
"""Measures of single results (:func:`~monai_consingan.workflows.results.evaluate_result`)."""

REAL_IMAGE = {"harmonization": "host", "editing": "image"}
"""The slice before anything was done to it, by task."""


def measure_group(
    folder: ReproductionFolder,
    group: PublishedGroup,
    cases: Sequence[ReproductionCase],
    network: torch.nn.Module | None,
    *,
    seed: int,
    device: str,
) -> dict[str, Any]:
    """Compare the naive images and the results of some settings with the real slices.

    Args:
        folder: the output folder, with all models of the group.
        group: the published group.
        cases: its cases.
        network: the Inception network; without one there are no distances.
        seed: seed of the division into halves and of the intervals.
        device: where the network is.

    Returns:
        ``task``, ``slices``, ``rows`` (the naive images first, then the settings), ``floor`` (two halves of the real
        slices) and ``warnings``. A row has ``image``, ``preset``, ``fid``, ``fid_published``, ``fid_donors`` (to the
        donors' slices; harmonization only), ``kid``, ``minutes`` and ``minutes_published`` (of a model),
        ``minutes_of`` (number of models whose time is whole), the medians of :py:data:`MEASURES` and
        ``changed_outside``, the sum over all slices.
    """
    results = {
        setting.preset: [evaluate_result(folder.model(setting.preset, case), originals=case.folder) for case in cases]
        for setting in group.settings
    }
    first = group.settings[0].preset
    images: dict[str | None, list[Path]] = {None: [folder.model(first, case) / "naive.nii.gz" for case in cases]}
    for preset in results:
        images[preset] = [folder.model(preset, case) / "image.nii.gz" for case in cases]
    distances, floor, warnings = _distances(cases, images, network, seed=seed, device=device)
    naive = {
        "image": "naive",
        "preset": None,
        "fid_published": group.naive_fid,
        **distances[None],
        **_medians(results[first], "_naive"),
    }
    rows = [naive]
    for setting in group.settings:
        seconds = [folder.time(folder.model(setting.preset, case)) for case in cases]
        timed = [value for value in seconds if value is not None]
        rows.append(
            {
                "image": setting.name,
                "preset": setting.preset,
                "fid_published": setting.fid,
                **distances[setting.preset],
                "minutes": float(np.mean(timed)) / 60 if timed else None,
                "minutes_of": len(timed),
                "minutes_published": setting.minutes,
                **_medians(results[setting.preset], ""),
                "changed_outside": sum(result["changed_outside"] for result in results[setting.preset]),
            }
        )
        if rows[-1]["changed_outside"]:
            warnings.append(f"Results of {setting.preset} differ outside their alteration mask.")
    published = next(known.slices for known in GROUPS if group.settings[0] in known.settings)
    if len(cases) != published:
        warnings.append(f"{group.name}: {len(cases)} slices, where {published} are published.")
    return {
        "task": group.task,
        "name": group.name,
        "slices": len(cases),
        "slices_published": published,
        "rows": rows,
        "floor": floor,
        "warnings": warnings,
    }


def _distances(
    cases: Sequence[ReproductionCase],
    images: Mapping[str | None, Sequence[Path]],
    network: torch.nn.Module | None,
    **how: Any,
) -> tuple[dict[str | None, dict[str, Any]], dict[str, Any] | None, list[str]]:
    """Distances of every set of images from the real ones, those of halves of the real ones, and warnings."""
    if network is None:
        return {name: {} for name in images}, None, []
    if len(cases) < 2:
        return {name: {} for name in images}, None, ["A single slice has no FID and no KID: take two or more."]
    sources = [str(case.facts["scan"]) for case in cases]
    found: dict[str | None, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as working:

        def pictures(name: str, files: Sequence[Path]) -> PictureSet:
            """Slices of volumes, written as pictures."""
            written = [write_slices(load_scan(file), Path(working) / name / f"{n:02}") for n, file in enumerate(files)]
            return PictureSet([file for parts in written for file in parts], sources)

        real = pictures("real", [case.file(REAL_IMAGE[case.task]) for case in cases])
        donors = None
        if cases[0].task == "harmonization":
            donors = pictures("donors", [case.file("donor") for case in cases])
        for number, (name, files) in enumerate(images.items()):
            made = pictures(f"set{number}", files)
            compared = compare_pictures(real, made, network, **how)
            found[name] = {"fid": compared.fid, "kid": asdict(compared.kid)}
            if donors is not None:
                found[name]["fid_donors"] = compare_pictures(donors, made, network, **how).fid
    return found, _floor(compared), list(compared.warnings)


def _floor(compared: SetComparison) -> dict[str, Any] | None:
    """Distance between halves of the real slices, if they can be divided."""
    if not compared.n_floor:
        return None
    return {"images": compared.n_floor, "fid": compared.fid_floor, "kid": asdict(compared.kid_floor)}


def _medians(results: Sequence[Mapping[str, Any]], suffix: str) -> dict[str, float | None]:
    """The medians of the measures over all slices that have them."""
    medians: dict[str, float | None] = {}
    for name in MEASURES:
        values = np.array([result.get(f"{name}{suffix}") for result in results], dtype=float)
        finite = values[np.isfinite(values)]
        medians[name] = float(np.median(finite)) if finite.size else None
    return medians
