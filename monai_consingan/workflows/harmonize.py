"""Put a donor's lesion into a host, as a naive paste or harmonized."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import load_label, load_scan, output_suffix, save_label_like, save_like, slices_of
from monai_consingan.methods import BlendSettings, InsertionMethod, chosen_insertion, insertion_method
from monai_consingan.metrics import insertion_measures
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.device import check_device
from monai_consingan.models.model import MODEL_NAME, given_models, model_file
from monai_consingan.models.redraw import redraw
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import InsertedLesion, InsertLesion
from monai_consingan.workflows.outputs import REPORT_NAME, output_folder
from monai_consingan.workflows.report import describe_inputs, save_case_figure, versions, write_report

__all__ = ["LesionSource", "harmonize", "paste"]


@dataclass(frozen=True)
class LesionSource:
    """Which lesion goes where.

    Args:
        host: scan that gets the lesion.
        donor: scan that the lesion is taken from; it may be the host.
        donor_label: label of the donor's lesions.
        host_label: label of the lesions that the host has already; by default the donor's label if donor and host are
            the same file.
        lesion_labels: values of ``donor_label`` that are the lesion; ``None`` for all.
        donor_slice: slice of the donor to take; ``None`` takes the whole lesion.
        host_slice: slice of the host that the lesion (its middle slice) goes to; ``None`` leaves it to the placement.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        at: voxel of the host for the lesion's centre, one number for each axis, or for each axis in the slice.
        offset: shift from the lesion's place in the donor, in voxels (row, column). With neither, the place is found.
        match: how the donor's intensities are matched to the host's around the lesion, ``"gain"``, ``"mean_std"`` or
            ``"none"``; ``None`` leaves it to the method.
    """

    host: str | Path
    donor: str | Path
    donor_label: str | Path
    host_label: str | Path | None = None
    lesion_labels: Iterable[int] | None = None
    donor_slice: int | None = None
    host_slice: int | None = None
    axis: int | None = None
    at: Sequence[int] | None = None
    offset: Sequence[int] | None = None
    match: str | None = None


@dataclass
class _Pasted:
    """Scans, placement and paste of a :py:class:`LesionSource`."""

    source: LesionSource
    match: str
    host: MetaTensor
    donor: MetaTensor
    lesion: InsertedLesion

    def measures(self, result: MetaTensor) -> dict[str, float]:
        """Measures of a result, and of the naive image."""
        found, results = self.lesion, {"": result, "_naive": self.lesion.naive}
        return insertion_measures(
            results, found.mask, self.donor, found.donor_lesion, others=found.host_label, axis=self.source.axis
        )


def _paste_lesion(source: LesionSource, method: InsertionMethod, seed: int) -> _Pasted:
    match = method.match if source.match is None else source.match
    host = load_scan(source.host, name="host")
    donor = load_scan(source.donor, name="donor")
    donor_label = load_label(source.donor_label, image=donor, image_name="donor", name="donor label")
    host_label = None
    if source.host_label is not None:
        host_label = load_label(source.host_label, image=host, image_name="host", name="host label", allow_empty=True)
    insert = InsertLesion(match, method.paste_blend, source.axis, seed)
    lesion = insert(
        host,
        donor,
        donor_label,
        host_label,
        lesion_labels=source.lesion_labels,
        donor_slice=source.donor_slice,
        host_slice=source.host_slice,
        at=source.at,
        offset=source.offset,
    )
    return _Pasted(source, match, host, donor, lesion)


def _write(
    folder: Path, case: _Pasted, image: MetaTensor, alteration: MetaTensor, report: dict[str, Any], title: str
) -> None:
    suffix = output_suffix(case.host)
    save_like(folder / f"image{suffix}", image, case.host, alteration=alteration)
    save_label_like(folder / f"label{suffix}", case.lesion.label, case.host)
    save_label_like(folder / f"alteration{suffix}", alteration, case.host)
    images = {"host": case.host}
    if report["command"] != "paste":
        save_like(folder / f"naive{suffix}", case.lesion.naive, case.host, alteration=alteration)
        images["naive"] = case.lesion.naive
    images["result"] = image
    save_case_figure(
        folder / "figure.png",
        title=title,
        images=images,
        lesion=case.lesion.mask,
        alteration=alteration,
        axis=case.lesion.axis,
        donor=(case.donor, case.lesion.donor_lesion),
    )
    write_report(folder / REPORT_NAME, report)


def _head_of_report(
    command: str, source: LesionSource, seed: int, case: _Pasted, **models: str | Path | None
) -> dict[str, Any]:
    paths = {
        "host": source.host,
        "donor": source.donor,
        "donor_label": source.donor_label,
        "host_label": source.host_label,
        **{name: model_file(path) for name, path in models.items()},
    }
    return {
        "command": command,
        "inputs": describe_inputs(paths),
        "placement": {
            **case.lesion.placement.as_dict(),
            "axis": case.lesion.axis,
            "slices": slices_of(case.lesion.mask, case.lesion.axis),
        },
        "seed": seed,
        "versions": versions(),
    }


def paste(source: LesionSource, output: str | Path, *, seed: int = 0, overwrite: bool = False) -> dict[str, Any]:
    """Write the naive image of a paste, and no more: nothing is blended or trained.

    Args:
        source: which lesion goes where.
        output: folder for ``image``, ``label``, ``alteration``, ``figure.png`` and ``report.json``.
        seed: seed of the automatic placement.
        overwrite: whether the folder may hold something already.

    Returns:
        The report.

    Raises:
        ConSinGANError: an input is bad, there is no place, or the folder cannot be used.
    """
    begin = time.perf_counter()
    with output_folder(output, overwrite=overwrite) as folder:
        case = _paste_lesion(source, insertion_method("naive"), seed)
        image, alteration = case.lesion.image, _altered(case)
        report = {
            **_head_of_report("paste", source, seed, case),
            "settings": {"match": case.match},
            **case.measures(image),
            "seconds": time.perf_counter() - begin,
        }
        _write(folder, case, image, alteration, report, "Naive paste")
    return report


def _altered(case: _Pasted) -> MetaTensor:
    """1 in the lesion, and where the pasted image differs from the host."""
    changed = (as_array(case.lesion.image) != as_array(case.host)) | (as_array(case.lesion.mask) > 0)
    return wrap_like(changed.astype(np.uint8), case.host)


def harmonize(
    source: LesionSource,
    output: str | Path,
    *,
    method: str | None = None,
    settings: TrainingSettings | None = None,
    blend: BlendSettings | None = None,
    model: str | Path | None = None,
    start: str | Path | None = None,
    bank: str | Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Put a donor's lesion into a host so that it blends in, by a ConSinGAN of the host's slices or without a model.

    Args:
        source: which lesion goes where.
        output: folder for ``image``, ``label``, ``naive`` (the mere paste), ``alteration``, ``figure.png``,
            ``report.json`` and, if one was trained, ``model.pt``; nothing is written outside of it and the bank. A
            killed run that is started again goes on from its checkpoint there.
        method: a key of :py:data:`INSERTION_METHODS`; by default ``"tissue"``, or ``"tissue-consingan"`` if anything
            of a model is given.
        settings: settings of the training, by default the preset ``quick``.
        blend: where the redrawn image is used, if not as is usual for the method.
        model: model, or folder of a run, to use instead of training one; its settings are used.
        start: model, or folder of a run, whose weights the training starts from, such as that of a neighbouring slice;
            fewer iterations then do. It must have the same networks.
        bank: folder of models of earlier trainings (:py:class:`monai_consingan.models.ModelBank`): the training
            takes place only if its model is not there, and leaves it there.
        seed: seed of placement and training.
        device: where to train.
        overwrite: whether the folder may hold something already.
        progress: whether to show progress on the standard error stream.

    Returns:
        The report.

    Raises:
        ConSinGANError: an input is bad, there is no place, the settings do not fit, the method needs no model but
            something of one is given, or the folder cannot be used.

    Example::

        files = example()
        source = LesionSource(files.image, files.image, files.label, donor_slice=4, host_slice=6)
        report = harmonize(source, "out", seed=1)
    """
    begin = time.perf_counter()
    check_device(device)
    method = chosen_insertion(method, settings=settings, blend=blend, model=model, start=start, bank=bank)
    how = insertion_method(method)
    if how.redrawn is not None:
        settings, trained, begun = given_models("harmonization", settings, model, start, bank)
        blend = how.redrawn if blend is None else blend
    with output_folder(output, overwrite=overwrite) as folder:
        case = _paste_lesion(source, how, seed)
        told: dict[str, Any] = {"method": method, "match": case.match, "paste_blend": how.paste_blend}
        image, alteration, seconds = case.lesion.image, None, 0.0
        if settings is not None and blend is not None:
            redrawn = redraw(
                image,
                case.lesion.mask,
                [case.host],
                host=case.host,
                axis=case.lesion.axis,
                settings=settings,
                blend=blend,
                model=trained,
                start=begun,
                bank=None if bank is None else ModelBank(bank),
                seed=seed,
                device=device,
                working_folder=folder,
                progress=progress,
            )
            if trained is None:
                redrawn.model.save(folder / MODEL_NAME)
            image, alteration, seconds = redrawn.image, redrawn.alteration, redrawn.seconds_training
            told |= {
                **settings.as_dict(),
                "blend": blend.as_dict(),
                "region_taken": redrawn.region.as_dict(),
                "intensities": redrawn.scale.as_dict(),
            }
        report = {
            **_head_of_report("harmonize", source, seed, case, model=model, start=start),
            "settings": told,
            **case.measures(image),
            "seconds_training": seconds,
            "seconds": time.perf_counter() - begin,
        }
        changed = _altered(case) if alteration is None else alteration
        _write(folder, case, image, changed, report, f"Lesion inserted, {method}")
    return report
