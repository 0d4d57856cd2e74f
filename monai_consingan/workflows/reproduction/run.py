"""The published experiments, run again on a folder of the published data set."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked
from monai_consingan.methods import PUBLISHED_BLENDS
from monai_consingan.metrics import load_inception
from monai_consingan.metrics.inception import INCEPTION_DIMS, INCEPTION_VARIABLE
from monai_consingan.models.training import check_device
from monai_consingan.progress_bar import ForgivingStderr
from monai_consingan.settings import TrainingSettings, preset_settings
from monai_consingan.whole_file import unwritable
from monai_consingan.workflows.harmonize import LesionSource, harmonize
from monai_consingan.workflows.outputs import REPORT_NAME, versions, write_report
from monai_consingan.workflows.remove import LesionTarget, remove
from monai_consingan.workflows.reproduction.cases import FILL
from monai_consingan.workflows.reproduction.dataset import list_data_set
from monai_consingan.workflows.reproduction.folder import ReproductionCase, ReproductionFolder
from monai_consingan.workflows.reproduction.measures import measure_group
from monai_consingan.workflows.reproduction.pages import write_pages
from monai_consingan.workflows.reproduction.published import PublishedGroup, chosen_groups


def reproduce(
    dataset: str | Path,
    output: str | Path,
    *,
    settings: Iterable[str] | None = None,
    slices: int | None = None,
    iterations: int | None = None,
    channels: int | None = None,
    inception: str | Path | None = None,
    dims: int = 2048,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Run the eight published settings over a folder of the published data set, and set the numbers side by side.

    For each of 9 (3) slices a lesion is put into a tumour-free slice of the same scan with the settings 1 and 2 (3 and
    4) of harmonization, and for each of 4 the lesions are taken out with the settings of editing; every result has a
    model of its own. All is done as published: slices of 250 x 250 pixels, an unmatched paste in place or a flip of the
    slice, and the generator's image within the lesion's mask, dilated by 7 or 20 pixels and smoothed.

    Args:
        dataset: folder with scans and masks (``list_data_set``), whose values end in 1 where the lesion
            enhances, and in 2 where it is necrotic; the digits before are the lesion's number.
        output: folder for ``table.md``, ``table.csv``, ``report.json``, ``report.html``, ``report.pdf``, ``panels``,
            ``cases`` and ``models``; nothing is written outside of it. A killed run that is started again goes on
            where it was, to the same result; when all models are there, only the numbers are made anew.
        settings: presets to run, such as ``"harmonization-1"``; ``None`` for all eight.
        slices: most slices of each group, for trials; ``None`` for as many as published.
        iterations: iterations a stage, for trials; ``None`` for 1000 as published.
        channels: filters of every layer, for trials; ``None`` for 64 as published.
        inception: file of the Inception weights (:func:`~monai_consingan.metrics.load_inception`). Where there are
            none, all is made but FID and KID.
        dims: number of Inception features; the published values have 2048.
        seed: seed of all trainings.
        device: where to train.
        progress: whether to say on the standard error stream what was found, and how far it is.

    Returns:
        The report, with ``dataset``, ``cases``, ``groups`` with the rows of the table, and ``warnings``.

    Raises:
        ConSinGANError: no scan with a mask, no lesion that suits, settings that do not fit, a folder that holds another
            run or cannot be used, or an Inception file that is bad.

    Example::

        report = reproduce("metastases", "out", settings=["harmonization-2"], slices=2, iterations=20)
    """
    begin = time.perf_counter()
    check_device(device)
    groups = chosen_groups(settings, slices)
    trainings = {
        setting.preset: preset_settings(setting.preset, group.task, iterations=iterations, channels=channels)
        for group in groups
        for setting in group.settings
    }

    def say(line: str) -> None:
        """Print a line, if progress is wanted."""
        if progress:
            print(line, file=ForgivingStderr(), flush=True)

    found = list_data_set(dataset)
    for line in found.lines():
        say(line)
    network, missing = _inception(inception, dims, device)
    if missing:
        say(f"Warning: {missing}")
    folder = ReproductionFolder(output)
    tasks = dict.fromkeys(group.task for group in groups)
    wanted = {task: max(group.slices for group in groups if group.task == task) for task in tasks}
    options = {
        "settings": {name: training.as_dict() for name, training in trainings.items()},
        "slices": wanted,
        "seed": seed,
    }
    with locked(folder.path):
        folder.ask(options, found.scans)
        try:
            try:
                cases = folder.cases(found.scans, wanted, say)
            except ConSinGANError:
                folder.undo()
                raise
            say(f"{len(cases)} slices chosen, of {len({case.facts['scan'] for case in cases})} scans.")
            work = [
                (setting.preset, case)
                for group in groups
                for setting in group.settings
                for case in _of_group(group, cases)
            ]
            for number, (preset, case) in enumerate(work, 1):
                say(f"Model {number} of {len(work)}: {preset}, {case.name}")
                _result(folder, preset, case, trainings[preset], seed=seed, device=device, progress=progress)
            report: dict[str, Any] = {
                "command": "reproduce",
                "dataset": {"scans": len(found.scans), "left_out": len(found.left_out)},
                "settings": options["settings"],
                "seed": seed,
                "device": device,
                "dims": dims,
                "versions": versions(),
                "cases": [dict(case.facts) for case in cases],
                "groups": [
                    measure_group(folder, group, _of_group(group, cases), network, seed=seed, device=device)
                    for group in groups
                ],
            }
            report["warnings"] = _warnings(report, trainings, missing)
            report["seconds"] = time.perf_counter() - begin
            write_pages(folder, groups, cases, report)
            write_report(folder.path / REPORT_NAME, report)
        except OSError as error:
            raise unwritable(output, error) from error
    return report


def _of_group(group: PublishedGroup, cases: Iterable[ReproductionCase]) -> list[ReproductionCase]:
    return [case for case in cases if case.task == group.task][: group.slices]


def _inception(file: str | Path | None, dims: int, device: str) -> tuple[torch.nn.Module | None, str]:
    """The Inception network, or why there is none; a file that is named must do."""
    try:
        return load_inception(file, dims=dims, device=device), ""
    except ConSinGANError as error:
        if file is not None or os.environ.get(INCEPTION_VARIABLE) or dims not in INCEPTION_DIMS:
            raise
        return None, f"There is no FID and no KID in the table. {error}"


def _result(
    folder: ReproductionFolder,
    preset: str,
    case: ReproductionCase,
    settings: TrainingSettings,
    **how: Any,
) -> None:
    """Train a model and make its result, unless that was done before."""
    model = folder.model(preset, case)
    if (model / REPORT_NAME).is_file():
        return
    resumed = model.exists()
    published = PUBLISHED_BLENDS[case.task]  # in pixels
    blend = replace(
        published,
        dilation_mm=published.dilation_mm * case.pixel_mm,
        softness_mm=published.softness_mm * case.pixel_mm,
    )
    how |= {"settings": settings, "blend": blend, "overwrite": True}
    if case.task == "harmonization":
        source = LesionSource(case.file("host"), case.file("donor"), case.file("label"), offset=(0, 0))
        report: Mapping[str, Any] = harmonize(source, model, method="consingan", **how)
    else:
        target = LesionTarget(
            case.file("image"),
            case.file("label"),
            methods=tuple(FILL.methods),
            margin_mm=FILL.margin_mm,
            train_on=FILL.train_on,
        )
        report = remove(target, model, **how)
    folder.keep_time(model, report["seconds_training"], resumed=resumed)


def _warnings(report: Mapping[str, Any], trainings: Mapping[str, TrainingSettings], missing: str) -> list[str]:
    """Sentences on what must be known before the numbers are used."""
    warnings = [missing] if missing else []
    if report["dims"] != 2048 and not missing:
        warnings.append(f"The FIDs have {report['dims']} features, and the published ones 2048: do not compare them.")
    trial = [name for name, training in trainings.items() if training != preset_settings(name, training.task)]
    if trial:
        training = trainings[trial[0]]
        warnings.append(
            f"A trial: {training.iterations} iterations a stage and {training.channels} filters, where 1000 and 64 are "
            "published."
        )
    for group in report["groups"]:
        warnings += group["warnings"]
    return list(dict.fromkeys(warnings))
