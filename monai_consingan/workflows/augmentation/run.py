"""Augmenting a data set: what Python users start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_consingan.data_set_settings import AugmentSettings, TwinSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings, chosen_insertion
from monai_consingan.models.model import ModelRequest
from monai_consingan.settings import Training
from monai_consingan.workflows.augmentation.engine import Run
from monai_consingan.workflows.augmentation.workers import Execution
from monai_consingan.workflows.data_sets.folders import read_scans
from monai_consingan.workflows.data_sets.records import ScanSet


def augment(
    data_set: str | Path,
    output: str | Path,
    settings: AugmentSettings | None = None,
    *,
    training: Training | None = None,
    blend: BlendSettings | None = None,
    model: str | Path | None = None,
    start: str | Path | None = None,
    bank: str | Path | None = None,
    crops: int = 3,
    side: int | None = None,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    donors: str | Path | None = None,
    **execution: Any,
) -> dict[str, Any]:
    """Make synthetic training scans of the training scans of a data set.

    Each has the lesions of its host and new ones from donors. Donors and hosts are training scans of the same fold, and
    a synthetic scan belongs to this fold. A run that was killed goes on when it is started again alike, and ends with
    the same files; so do runs with another number of jobs or shards.

    Args:
        data_set: a datalist in JSON, or a folder of nnU-Net's raw data or of BIDS (:py:func:`read_scans`).
        output: folder for ``images`` (each with its provenance in JSON), ``labels``, ``instances`` (the lesions'
            numbers, those of the host first), ``datalist.json`` with the scans of the data set and the new ones,
            ``datalist-fold-N.json`` with training and validation of each fold, ``manifest.csv`` with a row for each new
            lesion, and ``summary.json``; of nnU-Net's raw data also ``dataset.json`` and ``splits_final.json``, which
            make the output such data (the splits go into nnU-Net's folder of preprocessed data).
        settings: what the synthetic scans depend on.
        training: settings of the trainings of hosts' models, by default the preset ``quick``, or ``quick-3d`` for hosts
            that are worked on in space (:py:class:`monai_consingan.models.HostModels`).
        blend: where a redrawn image replaces the pasted one.
        model: model, or folder of a run, to use for all hosts instead; or the folder of
            :py:func:`~monai_consingan.workflows.cohort_folds`, with a model for the hosts of each fold.
        start: model or folder, as ``model``, from which the trainings of hosts' models start.
        bank: folder of models (:py:class:`monai_consingan.models.ModelBank`), by default ``models`` in the output.
        crops, side: what a host's model is trained on (:py:class:`monai_consingan.models.HostModels`).
        channel, lesion_mask, sequences: see :py:func:`read_scans`.
        donors: bank of lesions (:py:func:`monai_consingan.workflows.lesions.make_lesions`) to take instead of those of
            the data set's scans. A lesion goes into scans of the fold whose scans it was made of, and no others.
        **execution: how the work is done: the arguments of :py:class:`Execution`, such as ``jobs=4``. After
            ``shard=(1, 4)``, the first of four parts, the lists are made by :py:func:`merge`, once all parts are there.

    Returns:
        The summary, as that of :py:func:`merge`; of a shard, ``made``, ``dropped`` and ``failed`` of this part.

    Raises:
        ConSinGANError: the data set cannot be used, or has no lesion to take; the folder cannot be used, or was begun
            with something else. A single scan that fails is in the summary and keeps no other from being made.

    Example::

        summary = augment("datalist.json", "augmented", AugmentSettings(per_scan=5, lesions=(1, 4)), jobs=4)
    """
    how = Execution(**execution)
    scans = read_scans(data_set, channel=channel, lesion_mask=lesion_mask, sequences=sequences)
    settings = _located(settings or AugmentSettings(), scans)
    method = chosen_insertion(settings.method, training=training, blend=blend, model=model, start=start, bank=bank)
    settings = replace(settings, method=method)
    if settings.brain and not any(record.entry.get(settings.brain) for record in scans.records):
        raise ConSinGANError(
            f"brain is {settings.brain!r}, which is no key of the scans: give that of their brain masks."
        )
    asked, rule = ModelRequest(training, blend, model, start, bank), {"crops": crops, "side": side}
    return Run(scans, output, settings, how, asked, rule, donors).go()


def free_twins(
    data_set: str | Path,
    output: str | Path,
    settings: TwinSettings | None = None,
    *,
    training: Training | None = None,
    blend: BlendSettings | None = None,
    model: str | Path | None = None,
    start: str | Path | None = None,
    bank: str | Path | None = None,
    crops: int = 3,
    side: int | None = None,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    **execution: Any,
) -> dict[str, Any]:
    """Make a lesion-free twin of every training scan of a data set that has lesions.

    A twin belongs to the fold of its scan. All else is as with :py:func:`augment`.

    Args:
        data_set: see :py:func:`augment`.
        output: as of :py:func:`augment`, with the folder ``removed`` (the numbers of the lesions that were there)
            instead of ``instances``.
        settings: what the twins depend on.
        training: settings of the trainings of hosts' models for editing, as of :py:func:`augment`.
        blend: where a redrawn image replaces the filled one.
        model, start, bank, crops, side, channel, lesion_mask, sequences: see :py:func:`augment`.
        **execution: as of :py:func:`augment`.

    Returns:
        The summary, as that of :py:func:`augment`.

    Raises:
        ConSinGANError: as :py:func:`augment`.

    Example::

        summary = free_twins("datalist.json", "twins", jobs=4)
    """
    settings = settings or TwinSettings()
    asked = ModelRequest(training, blend, model, start, bank)
    if settings.method == "fill" and asked:
        raise ConSinGANError("method is 'fill', which uses no model, but something of one is given: leave it out.")
    settings = replace(settings, method=settings.method or ("consingan" if asked else "fill"))
    how = Execution(**execution)
    scans = read_scans(data_set, channel=channel, lesion_mask=lesion_mask, sequences=sequences)
    return Run(scans, output, settings, how, asked, {"crops": crops, "side": side}).go()


def _located(settings: AugmentSettings, scans: ScanSet) -> AugmentSettings:
    """The settings with the whole path of the prior map, if that is a file."""
    location = settings.location
    if location in ("alike", "uniform") or any(record.entry.get(location) for record in scans.records):
        return settings
    if not Path(location).exists():
        raise ConSinGANError(
            f"location is {location!r}, which is no file and no key of the scans: give 'alike', 'uniform' or a map."
        )
    return replace(settings, location=str(Path(location).absolute()))
