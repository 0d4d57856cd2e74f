"""Whether a model of a cohort carries scans of one fold of a data set into the training of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monai_consingan.data import file_sha256
from monai_consingan.models.model import TrainedModel
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet


def seen_scans(model: TrainedModel, scans: ScanSet) -> list[ScanRecord]:
    """The scans of a data set that a cohort's model was trained on, known by the hashes of their files."""
    seen = set(model.sources)
    return [record for record in scans.records if seen and seen & {file_sha256(path) for path in record.images}]


def leaks(seen: Sequence[ScanRecord], scans: ScanSet, folds: Iterable[int | None]) -> list[str]:
    """What to warn of when a model redraws synthetic scans of some folds.

    Args:
        seen: what the model was trained on (:py:func:`seen_scans`).
        scans: the data set.
        folds: the folds of the synthetic scans; ``None`` stands for scans without one.

    Returns:
        One sentence, or none.
    """
    served = scans.served(seen)
    unserved = [fold for fold in dict.fromkeys(folds) if fold not in served]
    if not unserved:
        return []
    told = ", ".join("without a fold" if fold is None else f"of fold {fold}" for fold in unserved)
    return [
        f"The model was trained on {len(seen)} scans of this data set, some of which are validated or tested with "
        f"where synthetic scans {told} are trained on, so it carries them into that training: take a model of other "
        "scans."
    ]
