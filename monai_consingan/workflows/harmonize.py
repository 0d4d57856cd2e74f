"""Put a donor's lesion into a host, as a naive paste or harmonized."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from monai_consingan.data import Files, as_files, check_lesion, sequence_names
from monai_consingan.data.lesion_bank import BankLesion, LesionBank, is_lesion_bank
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings, InsertionMethod, chosen_insertion, insertion_method
from monai_consingan.metrics import CheckInsertiond
from monai_consingan.models.model import ModelRequest, dims_to_train, too_thin
from monai_consingan.models.redraw import Redrawing
from monai_consingan.models.training import check_device
from monai_consingan.settings import Training
from monai_consingan.transforms import InsertLesiond
from monai_consingan.transforms.insertion.effects import check_mass_effect
from monai_consingan.workflows.lesion_run import LesionCase, LesionRequest, LesionRun
from monai_consingan.workflows.outputs import output_folder

_SCALED = (
    "The donor's intensities around the lesion differ from the host's by more than a factor of 2: they were matched by "
    "gain and not taken as they are; --match none takes them nevertheless."
)

_CHOICES = ("lesion_labels", "donor_slice", "host_slice", "at", "offset", "lead", "mass_effect", "oedema")


@dataclass(frozen=True)
class LesionSource(LesionRequest):
    """Which lesion goes where.

    Args:
        host: scan that gets the lesion: its file, those of its sequences, or a 4D file of them
            (:py:func:`monai_consingan.data.read_sequences`).
        donor: scan that the lesion is taken from, likewise; it may be the host.
            A bank of lesions (:py:func:`monai_consingan.workflows.lesions.make_lesions`) will do, of which ``lesion``
            chooses one by its number there, the largest, or by chance.
        donor_label: label of the donor's lesions; ``None`` with a bank.
        host_label: label of the lesions that the host has already; by default the donor's label if donor and host are
            the same file.
        lesion_labels: values of ``donor_label`` that are the lesion; ``None`` for all.
        donor_slice: slice of the donor to take; ``None`` takes the whole lesion.
        host_slice: slice of the host that the lesion (its middle slice) goes to; ``None`` leaves it to the placement.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        at: voxel of the host for the lesion's centre, one number for each axis, or for each axis in the slice.
        offset: shift from the lesion's place in the donor, in voxels (row, column). With neither, the place is found.
        match: how the donor's intensities are matched to the host's around the lesion, ``"gain"``, ``"mean_std"``,
            ``"none"`` or ``"scale"``; ``None`` leaves it to the method.
        lesion: which lesion of a donor that has several (:py:func:`monai_consingan.data.number_lesions`): its number,
            the largest being 1, ``"largest"``, or ``"random"``, which the seed decides.
        mass_effect: share of its volume by which the lesion first pushes the host's tissue, and the lesions there,
            aside, 0 to 0.8 (:py:class:`monai_consingan.transforms.PasteLesion`).
        oedema: whether what touches the lesion in the donor's label with other values than ``lesion_labels`` comes
            along, within the host's tissue; that of a bank does.
        dims, sequences, lead, resample: see ``LesionRequest``.

    Raises:
        ConSinGANError: no such choice of a lesion.
    """

    host: Files
    donor: Files
    donor_label: str | Path | None = None
    host_label: str | Path | None = None
    lesion_labels: Iterable[int] | None = None
    donor_slice: int | None = None
    host_slice: int | None = None
    axis: int | None = None
    at: Sequence[int] | None = None
    offset: Sequence[int] | None = None
    match: str | None = None
    lesion: int | str = "largest"
    mass_effect: float = 0.0
    oedema: bool = False

    def __post_init__(self) -> None:
        check_lesion(self.lesion)
        check_mass_effect(self.mass_effect)

    @property
    def files(self) -> list[str | Path | None]:
        """The files that are read."""
        return [*as_files(self.host), *as_files(self.donor), self.donor_label, self.host_label]


def _of_bank(source: LesionSource, seed: int) -> tuple[LesionSource, BankLesion | None]:
    """The files of the lesion that is chosen, and what the bank tells of it, if the donor is a bank of lesions.

    Args:
        source: what is asked for.
        seed: seed of a choice by chance.

    Raises:
        ConSinGANError: a bank and a label are given, or neither, or the bank is damaged or has no such lesion.
    """
    donors = as_files(source.donor)
    if len(donors) != 1 or not is_lesion_bank(donors[0]):
        if source.donor_label is None:
            raise ConSinGANError(f"donor {donors[0]} has no label: give the label of its lesions (donor_label).")
        return source, None
    if source.donor_label is not None:
        raise ConSinGANError(f"donor {donors[0]} is a bank, which has its own labels: leave donor_label out.")
    bank = LesionBank(donors[0])
    lesion = bank.chosen(source.lesion, seed)
    found = replace(source, donor=lesion.image, donor_label=lesion.label, lesion="largest")
    if not source.lesion_labels:
        found = replace(found, lesion_labels=bank.lesion_labels or None, oedema=True)
    return found, lesion


def _pasted(
    run: LesionRun,
    source: LesionSource,
    lesion: BankLesion | None,
    method: InsertionMethod,
    training: Training | None,
    seed: int,
    title: str,
) -> LesionCase:
    """The lesion, of a bank maybe, pasted as the method wants it."""
    data: dict[Hashable, Any] = {"host": run.scan("host", source.host)}
    data["donor"] = run.scan("donor", source.donor, like="host", named=None if lesion is None else lesion.sequences)
    data["donor_label"] = run.label("donor_label", source.donor_label or "", data["donor"], "donor")
    if source.host_label is not None:
        data["host_label"] = run.label("host_label", source.host_label, data["host"], "host", allow_empty=True)
    match = method.match if source.match is None else source.match
    data |= {name: getattr(source, name) for name in _CHOICES}
    data |= {"match": match, "paste_blend": method.paste_blend, "seed": seed, "lesion_number": source.lesion}
    if lesion is not None:
        data["donor_valid"] = run.label("donor_valid", lesion.valid, data["donor"], "donor", allow_empty=True)
        data |= _measured_in_bank(lesion, data["donor"], source.lead)
    dims = source.dims if training is None else dims_to_train(training, data["host"])
    data = InsertLesiond(axis=source.axis, dims=dims)(data)

    where, found = data["placement"], data["placement"].pop("match")
    names = sequence_names(data["host"])
    blended = method.paste_blend != "hard" or method.redrawn is not None
    return LesionCase(
        data,
        CheckInsertiond(where["axis"], dims=where["dims"], blended=blended),
        title,
        lesion="lesion",
        settings={
            "match": found if isinstance(found, str) else dict(zip(names, found, strict=True)),
            **({"mass_effect": source.mass_effect} if source.mass_effect else {}),
        },
        warnings=[_SCALED] if match == "scale" and "gain" in found else [],
        thin="" if training is None else too_thin(training, data["host"]),
    )


def _measured_in_bank(lesion: BankLesion, donor: MetaTensor, lead: int | str | None) -> dict[Hashable, Any]:
    """The sequence that a lesion was measured in, where no other is asked for, and the level of its tissue there."""
    names = sequence_names(donor)
    if len(names) == 1:
        return {"level": lesion.level}
    if lead is None:
        return {"lead": lesion.lead, "level": lesion.level} if lesion.lead in names else {}
    return {"level": lesion.level} if names[chosen_channel(names, lead)] == lesion.lead else {}


def paste(
    source: LesionSource, output: str | Path, *, seed: int = 0, overwrite: bool = False, strict: bool = False
) -> dict[str, Any]:
    """Write the naive image of a paste, and no more: nothing is blended or trained.

    Args:
        source: which lesion goes where.
        output: folder for ``image``, ``label``, ``alteration``, ``figure.png`` and ``report.json``.
        seed: seed of the automatic placement.
        overwrite: whether the folder may hold something already.
        strict: whether a result that does not pass its checks is an error.

    Returns:
        The report.

    Raises:
        ConSinGANError: an input is bad, there is no place, or the folder cannot be used.
    """
    source, lesion = _of_bank(source, seed)
    with output_folder(output, overwrite=overwrite, inputs=source.files) as folder:
        run = LesionRun("paste", folder, source)
        case = _pasted(run, source, lesion, insertion_method("naive"), None, seed, "Naive paste")
        return run.finish(case, seed, strict=strict)


def harmonize(
    source: LesionSource,
    output: str | Path,
    *,
    method: str | None = None,
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
    """Put a donor's lesion into a host so that it blends in, by a ConSinGAN of the host or without a model.

    Args:
        source: which lesion goes where.
        output: folder for ``image``, ``label``, ``naive`` (the mere paste), ``alteration``, ``figure.png``,
            ``report.json`` and, if one was trained, ``model.pt``; nothing is written outside of it and the bank. A
            killed run that is started again goes on from its checkpoint there.
        method: a key of :py:data:`INSERTION_METHODS`; by default ``"tissue"``, or ``"tissue-consingan"`` if anything
            of a model is given.
        settings: settings of the training, by default the preset ``quick``, or ``quick-3d`` for work in space
            (:py:func:`monai_consingan.workflows.training_preset`).
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
        strict: whether a result that does not pass its checks (``monai_consingan.metrics.checks``) is an error;
            otherwise ``warnings`` of the report says so.

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
    check_device(device)
    method = chosen_insertion(method, settings=settings, blend=blend, model=model, start=start, bank=bank)
    how = insertion_method(method)
    redrawing = None
    if how.redrawn is not None:
        asked = ModelRequest(settings, blend, model, start, bank)
        redrawing = Redrawing.chosen(
            "harmonization", how.redrawn, asked, source.dims, seed=seed, device=device, progress=progress
        )
    training = None if redrawing is None else redrawing.settings
    source, lesion = _of_bank(source, seed)
    with output_folder(output, overwrite=overwrite, inputs=[*source.files, model, start]) as folder:
        run = LesionRun("harmonize", folder, source)
        case = _pasted(run, source, lesion, how, training, seed, f"Lesion inserted, {method}")
        case.settings |= {"method": method, "paste_blend": how.paste_blend}
        return run.finish(case, seed, redrawing, strict=strict)
