"""Measure what results are worth: sets of images against real ones, and results of this package one by one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from monai_consingan.data import file_sha256
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import save_contact_sheet
from monai_consingan.metrics import (
    SetComparison,
    compare_radiomics,
    compare_sets,
    inception_features,
    load_inception,
    radiomic_features,
)
from monai_consingan.metrics.inception import INCEPTION_VARIABLE
from monai_consingan.models.training import check_device
from monai_consingan.names import unique_names
from monai_consingan.workflows.evaluation_page import write_evaluation_page
from monai_consingan.workflows.outputs import REPORT_NAME, output_folder, versions, write_report
from monai_consingan.workflows.pictures import PictureSet, gather_pictures
from monai_consingan.workflows.results import evaluate_result, result_folders

PAGE = "report.html"
FIGURE = "images.png"


def evaluate(
    output: str | Path,
    *,
    images: tuple[str | Path, str | Path] | None = None,
    results: Sequence[str | Path] = (),
    originals: str | Path | None = None,
    inception: str | Path | None = None,
    dims: int = 2048,
    frd: bool = False,
    max_slices: int | None = None,
    axis: int | None = None,
    lead: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Compare synthetic with real images, measure results one by one, or both.

    Args:
        output: folder for ``report.json``, ``report.html``, ``report.pdf`` and, of sets of images, ``images.png`` with
            some of them; nothing is written outside of it.
        images: the real and the synthetic images, each a folder, a volume or a datalist; of the datalist of an
            augmented data set its real or its synthetic scans.
        results: folders that ``harmonize``, ``remove`` or ``paste`` wrote, or folders of such folders.
        originals: folder of the scans that the results were made of.
        inception: file of the Inception weights (:func:`~monai_consingan.metrics.load_inception`).
        dims: number of Inception features; published values have 2048.
        frd: whether to give the Frechet radiomic distance too (:func:`~monai_consingan.metrics.compare_radiomics`),
            which needs frd-score and takes a second or more for each picture.
        max_slices: at most so many pictures of each set, evenly spread; ``None`` for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        lead: name of the sequence that is compared of images that have several.
        seed: seed of the division into halves and of the intervals.
        device: where the network runs.
        overwrite: whether the folder may hold something already.
        progress: whether to show progress on the standard error stream.

    Returns:
        The report, as far as it was asked for with ``results`` and ``images``:
        :class:`~monai_consingan.metrics.SetComparison` as a dictionary, what was used, the number of ``sources`` and
        ``radiomics`` (:func:`~monai_consingan.metrics.compare_radiomics`).

    Raises:
        ConSinGANError: nothing to evaluate, an input that is bad, fewer than two images in a set, no Inception
            weights, no frd-score, or a folder that cannot be used.
    """
    begin = time.perf_counter()
    if images is None and not results:
        raise ConSinGANError("There is nothing to evaluate: give real and synthetic images, or folders of results.")
    folders = [place for folder in results for place in _results_in(Path(folder))]
    inputs = [*(images or ()), originals, inception, *folders]
    with output_folder(output, overwrite=overwrite, inputs=inputs) as folder:
        report: dict[str, Any] = {"command": "evaluate", "versions": versions()}
        if images is not None:
            check_device(device)
            weights = inception or os.environ.get(INCEPTION_VARIABLE) or None
            with tempfile.TemporaryDirectory() as working:
                sets = _pictures(images, Path(working), axis, lead, max_slices)
                network = load_inception(weights, dims=dims, device=device)
                how: dict[str, Any] = {"seed": seed, "device": device, "progress": progress}
                compared = compare_pictures(sets["real"], sets["synthetic"], network, **how)
                radiomics = {"radiomics": _radiomics(sets, seed, progress)} if frd else {}
                save_contact_sheet(folder / FIGURE, {name: found.files for name, found in sets.items()})
            report["images"] = {
                **asdict(compared),
                **radiomics,
                "dims": dims,
                "seed": seed,
                "sources": {n: _describe(Path(path), sets[n]) for n, path in zip(sets, images, strict=True)},
                "inception_sha256": None if weights is None else file_sha256(weights),
            }
        if folders:
            report["results"] = [evaluate_result(place, originals=originals) for place in folders]
            names = unique_names([result["folder"] for result in report["results"]])
            for result, name in zip(report["results"], names, strict=True):
                result["folder"] = name
        report["seconds"] = time.perf_counter() - begin
        figures = [place / "figure.png" for place in folders]
        write_evaluation_page(folder / PAGE, report, images_figure=folder / FIGURE, figures=figures)
        write_report(folder / REPORT_NAME, report)
    return report


def _results_in(folder: Path) -> list[Path]:
    found = result_folders(folder) if folder.is_dir() else []
    if not found:
        raise ConSinGANError(f"{folder} holds no result: give a folder that harmonize, remove or paste wrote.")
    return found


def _pictures(
    images: tuple[str | Path, str | Path], working: Path, axis: int | None, lead: str | None, most: int | None
) -> dict[str, PictureSet]:
    """The real and the synthetic pictures, at least two of each and at most so many."""
    paths = dict(zip(("real", "synthetic"), map(Path, images), strict=True))
    sets = {
        name: gather_pictures(path, working / name, axis=axis, lead=lead, synthetic=name == "synthetic")
        for name, path in paths.items()
    }
    for name, found in sets.items():
        if len(found.files) < 2:
            raise ConSinGANError(f"{paths[name]} has {len(found.files)} {name} images: give at least two.")
    return {name: found.spread(most) for name, found in sets.items()}


def compare_pictures(
    real: PictureSet,
    synthetic: PictureSet,
    network: torch.nn.Module,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
) -> SetComparison:
    """FID and KID between two sets of pictures, and between halves of the real ones.

    Args:
        real: the real pictures.
        synthetic: the synthetic ones.
        network: the Inception network (:func:`~monai_consingan.metrics.load_inception`).
        seed: seed of the division into halves and of the intervals.
        device: where the network is.
        progress: whether to show progress on the standard error stream.

    Raises:
        ConSinGANError: fewer than two pictures in a set, or one that cannot be read.
    """
    features = [
        inception_features(found.files, network, device=device, progress=progress) for found in (real, synthetic)
    ]
    return compare_sets(*features, real_sources=real.sources, synthetic_sources=synthetic.sources, seed=seed)


def _radiomics(sets: Mapping[str, PictureSet], seed: int, progress: bool) -> dict[str, Any]:
    """FRD between the real and the synthetic pictures, and between halves of the real ones."""
    real, synthetic = sets["real"], sets["synthetic"]
    features = [radiomic_features(found.files, progress=progress) for found in (real, synthetic)]
    return compare_radiomics(*features, real_sources=real.sources, synthetic_sources=synthetic.sources, seed=seed)


def _describe(path: Path, found: PictureSet) -> dict[str, Any]:
    hidden = public_name(path)
    name = hidden if set(found.sources) == {hidden} else path.name
    return {"name": name, "images": len(found.files), "sources": len(set(found.sources))}
