"""Take a lesion out of a scan."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_consingan.data import Files, as_files, lead_channel
from monai_consingan.errors import check_choice
from monai_consingan.methods import REMOVAL_BLEND, TRAINING_TISSUES, USUAL_FILLINGS, BlendSettings
from monai_consingan.metrics import CheckRemovald
from monai_consingan.models.model import ModelRequest, dims_to_train, too_thin
from monai_consingan.models.redraw import Redrawing
from monai_consingan.models.training import check_device
from monai_consingan.settings import Training
from monai_consingan.transforms import FillLesiond
from monai_consingan.workflows.lesion_run import LesionCase, LesionRequest, LesionRun
from monai_consingan.workflows.outputs import output_folder


@dataclass(frozen=True)
class LesionTarget(LesionRequest):
    """Which lesion is removed, and how it is filled before it is redrawn.

    Args:
        image: the scan: its file, those of its sequences, or a 4D file of them
            (:py:func:`monai_consingan.data.read_sequences`).
        label: label of its lesions.
        lesion_labels: values of ``label`` that are removed; ``None`` for all.
        slice_index: slice on which the lesion is removed; ``None`` for all its slices.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        methods: ways to fill, tried in this order (:py:class:`monai_consingan.transforms.RemoveLesion`).
        symmetry: where left mirrors to right: ``"centre"``, ``"estimate"`` or a position in mm.
        margin_mm: how far beyond the label is filled.
        train_on: ``"mirror"``, the other hemisphere's tissue at the lesion's place, which has no lesion, or
            ``"image"``, the scan as it is, as published.
        dims, sequences, lead, resample: see ``LesionRequest``.
    """

    image: Files
    label: str | Path
    lesion_labels: Iterable[int] | None = None
    slice_index: int | None = None
    axis: int | None = None
    methods: tuple[str, ...] = USUAL_FILLINGS
    symmetry: str | float = "estimate"
    margin_mm: float = 1.5
    train_on: str = "mirror"

    def __post_init__(self) -> None:
        check_choice(TRAINING_TISSUES, train_on=self.train_on)

    @property
    def files(self) -> list[str | Path | None]:
        """The files that are read."""
        return [*as_files(self.image), self.label]


def remove(
    target: LesionTarget,
    output: str | Path,
    *,
    settings: Training | None = None,
    blend: BlendSettings | None = None,
    model: str | Path | None = None,
    start: str | Path | None = None,
    bank: str | Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """Fill a lesion with healthy tissue and, if anything of a model is given, let a ConSinGAN redraw it.

    The filling alone is the default; settings, a blend, a model, a start or a bank ask for the network.

    Args:
        target: which lesion is removed, and how it is filled.
        output: folder for ``image``, ``label``, ``naive`` (the mere filling), ``alteration``, ``figure.png``,
            ``report.json`` and, if one was trained, ``model.pt``; nothing is written outside of it and the bank. A
            killed run that is started again goes on from its checkpoint there.
        blend: where the redrawn image replaces the filled one, by default ``REMOVAL_BLEND`` of
            ``monai_consingan.methods``.
        settings, model, start, bank, seed, device, overwrite, progress, strict: see
            :py:func:`monai_consingan.workflows.harmonize`.

    Returns:
        The report. Its ``contrast_kept`` is what is left of the lesion's contrast to the ring around it: 0 is none.

    Raises:
        ConSinGANError: an input is bad, no method can fill the lesion, the settings do not fit, or the folder cannot
            be used.
    """
    check_device(device)
    asked = ModelRequest(settings, blend, model, start, bank)
    redrawing = None
    if asked:
        how: dict[str, Any] = {"seed": seed, "device": device, "progress": progress}
        redrawing = Redrawing.chosen("editing", REMOVAL_BLEND, asked, target.dims, **how)
    with output_folder(output, overwrite=overwrite, inputs=[*target.files, model, start]) as folder:
        run = LesionRun("remove", folder, target)
        case = _filled(run, target, None if redrawing is None else redrawing.settings)
        case.settings["redrawn"] = redrawing is not None
        return run.finish(case, seed, redrawing, strict=strict)


def _filled(run: LesionRun, target: LesionTarget, training: Training | None) -> LesionCase:
    """The lesion filled."""
    image = run.scan("image", target.image)
    data: dict[Hashable, Any] = {"image": image, "label": run.label("label", target.label, image, "image")}
    data |= {name: getattr(target, name) for name in ("lesion_labels", "slice_index")}
    how = {name: getattr(target, name) for name in ("methods", "symmetry", "margin_mm")}
    train_on = "image" if training is None else target.train_on  # the image is there
    dims = target.dims if training is None else dims_to_train(training, image)
    data = FillLesiond(**how, train_on=train_on, axis=target.axis, dims=dims)(data)
    data["lead"] = lead_channel(image, data["removed"], target.lead)
    where = data["placement"]
    return LesionCase(
        data,
        CheckRemovald(where["axis"], dims=where["dims"]),
        "Lesion removed",
        lesion="removed",
        settings=how,
        redrawn={"train_on": target.train_on},
        thin="" if training is None else too_thin(training, image),
    )
