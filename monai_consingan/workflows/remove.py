"""Take a lesion out of a scan."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_consingan.data import load_label, load_scan, output_suffix, save_label_like, save_like, slices_of
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import REMOVAL_BLEND, USUAL_FILLINGS, BlendSettings
from monai_consingan.metrics import removal_measures
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.device import check_device
from monai_consingan.models.model import MODEL_NAME, TrainedModel, given_models, model_file
from monai_consingan.models.redraw import redraw
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import FillLesion
from monai_consingan.workflows.outputs import REPORT_NAME, output_folder
from monai_consingan.workflows.report import describe_inputs, save_case_figure, versions, write_report

__all__ = ["LesionTarget", "remove"]


@dataclass(frozen=True)
class LesionTarget:
    """Which lesion is removed, and how it is filled before it is redrawn.

    Args:
        image: the scan.
        label: label of its lesions.
        lesion_labels: values of ``label`` that are removed; ``None`` for all.
        slice_index: slice on which the lesion is removed; ``None`` for all its slices.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        methods: ways to fill, tried in this order (:py:class:`monai_consingan.transforms.RemoveLesion`).
        symmetry: where left mirrors to right: ``"centre"``, ``"estimate"`` or a position in mm.
        margin_mm: how far beyond the label is filled.
        train_on: ``"mirror"``, the other hemisphere's tissue at the lesion's place, which has no lesion, or
            ``"image"``, the scan as it is, as published.
    """

    image: str | Path
    label: str | Path
    lesion_labels: Iterable[int] | None = None
    slice_index: int | None = None
    axis: int | None = None
    methods: tuple[str, ...] = USUAL_FILLINGS
    symmetry: str | float = "estimate"
    margin_mm: float = 1.5
    train_on: str = "mirror"

    def __post_init__(self) -> None:
        if self.train_on not in ("mirror", "image"):
            raise ConSinGANError(f"train on is {self.train_on!r}, but must be 'mirror' or 'image'.")


def remove(
    target: LesionTarget,
    output: str | Path,
    *,
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
    """Fill a lesion with healthy tissue and, if anything of a model is given, let a ConSinGAN redraw it.

    The filling alone is the default; settings, a blend, a model, a start or a bank ask for the network.

    Args:
        target: which lesion is removed, and how it is filled.
        output: folder for ``image``, ``label``, ``naive`` (the mere filling), ``alteration``, ``figure.png``,
            ``report.json`` and, if one was trained, ``model.pt``; nothing is written outside of it and the bank. A
            killed run that is started again goes on from its checkpoint there.
        settings: settings of the training, by default the preset ``quick``.
        blend: where the redrawn image replaces the filled one, by default ``redraw.REMOVAL_BLEND``.
        model: model, or folder of a run, to use instead of training one; its settings are used.
        start: model, or folder of a run, whose weights the training starts from, such as that of a neighbouring slice;
            fewer iterations then do. It must have the same networks.
        bank: folder of models of earlier trainings (:py:class:`monai_consingan.models.ModelBank`): the training
            takes place only if its model is not there, and leaves it there.
        seed: seed of the training.
        device: where to train.
        overwrite: whether the folder may hold something already.
        progress: whether to show progress on the standard error stream.

    Returns:
        The report. Its ``contrast_kept`` is what is left of the lesion's contrast to the ring around it: 0 is none.

    Raises:
        ConSinGANError: an input is bad, no method can fill the lesion, the settings do not fit, or the folder cannot
            be used.
    """
    begin = time.perf_counter()
    check_device(device)
    redraws = any(given is not None for given in (settings, blend, model, start, bank))
    trained: TrainedModel | None = None
    if redraws:
        settings, trained, begun = given_models("editing", settings, model, start, bank)
        blend = blend or REMOVAL_BLEND
    with output_folder(output, overwrite=overwrite) as folder:
        image = load_scan(target.image, name="image")
        label = load_label(target.label, image=image, name="label")
        fill = FillLesion(target.methods, target.symmetry, target.margin_mm, target.train_on, target.axis)
        filled = fill(image, label, lesion_labels=target.lesion_labels, slice_index=target.slice_index)
        result, alteration, told, seconds = filled.image, filled.mask, {}, 0.0
        if settings is not None and blend is not None:
            redrawn = redraw(
                filled.image,
                filled.mask,
                [filled.training],
                host=image,
                axis=filled.axis,
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
            result, alteration, seconds = redrawn.image, redrawn.alteration, redrawn.seconds_training
            told = {
                **settings.as_dict(),
                "blend": blend.as_dict(),
                "train_on": target.train_on,
                "region_taken": redrawn.region.as_dict(),
                "intensities": redrawn.scale.as_dict(),
            }
        suffix = output_suffix(image)
        save_like(folder / f"image{suffix}", result, image, alteration=alteration)
        save_like(folder / f"naive{suffix}", filled.image, image, alteration=alteration)
        save_label_like(folder / f"label{suffix}", filled.label, image)
        save_label_like(folder / f"alteration{suffix}", alteration, image)
        save_case_figure(
            folder / "figure.png",
            title="Lesion removed",
            images={"image": image, **({"naive": filled.image} if redraws else {}), "result": result},
            lesion=filled.lesion,
            alteration=alteration,
            axis=filled.axis,
        )
        report = {
            "command": "remove",
            "inputs": describe_inputs(
                {"image": target.image, "label": target.label, "model": model_file(model), "start": model_file(start)}
            ),
            "placement": {
                "how": filled.method,
                "refused": [f"{name}: {why}" for name, why in filled.tried],
                "axis": filled.axis,
                "slices": slices_of(filled.mask, filled.axis),
            },
            "seed": seed,
            "versions": versions(),
            "settings": {
                "methods": target.methods,
                "symmetry": target.symmetry,
                "margin_mm": target.margin_mm,
                "redrawn": redraws,
                **told,
            },
            **removal_measures(
                {"": result, "_naive": filled.image},
                filled.mask,
                filled.lesion,
                image,
                others=filled.label,
                axis=filled.axis,
            ),
            "seconds_training": seconds,
            "seconds": time.perf_counter() - begin,
        }
        write_report(folder / REPORT_NAME, report)
    return report
