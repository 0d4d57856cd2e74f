"""Lists of an augmented data set without what was rejected."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from monai_consingan.folder_lock import locked
from monai_consingan.workflows.augmentation.merge import write_lists
from monai_consingan.workflows.augmentation.reviewed import KEPT, review_entries
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.resumable_folder import write_json
from monai_consingan.workflows.review import read_decisions


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
        told, dropped = given.outcome(folder.token, scans.keys(), decisions, unsure=unsure, rest=rest)
        kept = {
            "run": folder.token,
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **told,
            "left_out": sorted({scans[key] for key in dropped}),
        }
        write_json(folder.path / KEPT, kept, indent=2)
        write_lists(folder)
    return kept
