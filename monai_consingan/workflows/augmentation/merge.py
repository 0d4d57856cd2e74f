"""What came of an augmentation, without what was rejected in its review: the summary, the page, and the lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.whole_file import unwritable
from monai_consingan.workflows.augmentation.donors import describe_donors
from monai_consingan.workflows.augmentation.lists import write_lists
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.resumable_folder import write_json
from monai_consingan.workflows.review import ReviewEntry, read_decisions, write_review

KEPT = "kept.json"
"""What was rejected, in the output folder (:py:func:`keep`)."""

_NUMBERS = ("diameter_mm", "contrast_kept", "cnr", "seam", "seam_through", "black_gained")


def merge(output: str | Path) -> dict[str, Any]:
    """Write the lists of an augmentation, from the synthetic scans that are there.

    Args:
        output: the output folder of :py:func:`augment` or :py:func:`free_twins`, all of whose shards have ended.

    Returns:
        What ``summary.json`` holds: ``made`` and ``dropped``, the numbers of synthetic scans; ``rejected``, those made
        that lists leave out (:py:func:`keep`); ``missing``, those that are still to be made; ``failed``, what went
        wrong by name; ``lesions``, the numbers of lesions that were put in or removed, by method; and ``refused``, the
        numbers of refusals by method and reason. Of synthetic scans also ``donors``, the number of lesions to take, and
        ``left_out``, which of the data set's lesions are no donors, and why; of twins ``labels_left``, the numbers of
        twins that keep a label value beside what was removed.

    Raises:
        ConSinGANError: the folder is of no augmentation, a shard is at work in it, or it cannot be written to.
    """
    folder = RunFolder(output)
    folder.run  # noqa: B018  before it is locked, which makes the folder
    with locked(folder.path):
        return write_outcome(folder)


def keep(output: str | Path, decisions: str | Path, *, unsure: str = "drop", rest: str = "error") -> dict[str, Any]:
    """Write the lists of an augmentation anew, without the synthetic scans of which a lesion was rejected.

    Nothing is deleted. ``kept.json`` in the folder tells what was rejected, and when; later lists leave it out too.
    To take everything back, delete that file and write the lists again (:py:func:`merge`).

    Args:
        output: the output folder of :py:func:`augment` or :py:func:`free_twins`.
        decisions: the ``decisions.json`` that was saved on its ``review.html``.
        unsure: ``"keep"`` or ``"drop"`` what was not decided for good.
        rest: ``"keep"`` or ``"drop"`` what nothing was decided on; ``"error"`` refuses the decisions.

    Returns:
        What ``kept.json`` holds.

    Raises:
        ConSinGANError: the folder is of no augmentation or in use, or the decisions cannot be used: damaged, of another
            run, or, unless ``rest`` tells what becomes of the others, not on all lesions.
    """
    given = read_decisions(decisions)
    folder = RunFolder(output)
    folder.run  # noqa: B018  before it is locked, which makes the folder
    with locked(folder.path):
        scans = {entry.key: entry.case for told in folder.made() for entry in review_entries(told)}
        told, dropped = given.outcome(folder.token, scans.keys(), unsure=unsure, rest=rest)
        kept = {
            "run": folder.token,
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **told,
            "left_out": sorted({scans[key] for key in dropped}),
        }
        write_json(folder.path / KEPT, kept, indent=2)
        write_outcome(folder)
    return kept


def write_outcome(folder: RunFolder) -> dict[str, Any]:
    """Write what came of an augmentation, in whose folder nobody else is at work; what :py:func:`merge` returns."""
    scans = folder.scans
    outcomes = {task.name: folder.outcome(task.name) for task in folder.tasks}
    found = [told for told in outcomes.values() if told is not None]
    made = [told for told in found if told["status"] == "made"]
    rejected = left_out(folder.path)
    listed = [told for told in made if told["name"] not in rejected]
    names = [record.name for record in scans.of("training")]
    waiting = [name for name in names if folder.survey(name) is None]
    waiting += [name for name, told in outcomes.items() if told is None]
    errors = {name: error for name in waiting if (error := folder.error(name)) is not None}
    summary: dict[str, Any] = {
        "made": len(made),
        "dropped": len(found) - len(made),
        "rejected": len(made) - len(listed),
        "missing": sum(told is None and name not in errors for name, told in outcomes.items()),
        "failed": errors,
        "lesions": _counted(lesion["how"] for told in made for lesion in told["lesions"]),
        "refused": _counted(
            f"{refusal['how']}: {refusal['reason']}" if refusal["how"] else refusal["reason"]
            for told in found
            for refusal in told["refused"]
        ),
    }
    settings = folder.settings
    if isinstance(settings, AugmentSettings):
        summary |= describe_donors(scans, folder.donors(), settings)
    else:
        summary["labels_left"] = _counted(str(value) for told in made for value in told["labels_left"])
    try:
        folder.clean()
        write_json(folder.path / "summary.json", summary, indent=2)
        entries = [entry for told in made for entry in review_entries(told)]
        write_review(folder.path, folder.token, entries, title=f"{len(entries)} lesions to look at")
        write_lists(folder.path, scans, listed)
    except OSError as error:
        raise unwritable(folder.path, error) from error
    return summary


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def review_entries(told: Mapping[str, Any]) -> list[ReviewEntry]:
    """What the page for the review shows of a synthetic scan.

    Args:
        told: the scan's provenance.
    """
    return [
        ReviewEntry(
            told["name"],
            lesion["instance"],
            "put in" if "donor" in lesion else "taken out",
            told["host"]["scan"],
            lesion.get("donor", {}).get("scan", ""),
            tuple(told.get("sequences", ("1",))),
            {name: float(lesion[name]) for name in _NUMBERS if isinstance(lesion.get(name), int | float)},
            (*told["warnings"], *lesion["warnings"]),
        )
        for lesion in told["lesions"]
    ]


def left_out(folder: Path) -> set[str]:
    """The synthetic scans that lists leave out, as they were rejected.

    Args:
        folder: the output folder.

    Raises:
        ConSinGANError: what was noted of them is damaged.
    """
    path = folder / KEPT
    if not path.is_file():
        return set()
    remedy = "delete it, and all scans are in the lists again"
    names = read_json_dictionary(path, "list of what was rejected", remedy=remedy).get("left_out")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConSinGANError(f"list of what was rejected {path} names no scans: {remedy}.")
    return set(names)
