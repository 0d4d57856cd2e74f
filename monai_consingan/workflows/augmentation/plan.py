"""Which synthetic scans are made of which scans."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.names import unique_names
from monai_consingan.workflows.data_sets.records import ScanSet


@dataclass(frozen=True)
class ScanTask:
    """One synthetic scan to make.

    Args:
        name: its name.
        host: name of the scan that gets lesions.
        number: which of the host's synthetic scans it is, from 0.
        fold: the fold that it belongs to, which is its host's.
        seed: seed of all its draws.
    """

    name: str
    host: str
    number: int
    fold: int | None
    seed: int


def plan_tasks(scans: ScanSet, settings: AugmentSettings) -> list[ScanTask]:
    """The synthetic scans of a data set: first one of every training scan, then the next of every one.

    A seed depends on the user's seed, the host's name and the number only, not on the other scans.
    """
    tasks = []
    for number in range(settings.per_scan):
        for host in scans.of("training"):
            digest = hashlib.sha256(f"{settings.seed} {number} {host.name}".encode()).digest()
            seed = int.from_bytes(digest[:4], "little")
            tasks.append(ScanTask(f"{host.name}_syn-{number:03d}", host.name, number, host.fold, seed))
    return _with_own_names(tasks, scans)


def plan_twins(scans: ScanSet, with_lesions: Collection[str], seed: int) -> list[ScanTask]:
    """The lesion-free twins of a data set: one of every training scan that has lesions.

    Args:
        scans: the data set.
        with_lesions: names of the scans that have lesions.
        seed: the user's seed.
    """
    hosts = scans.of("training")
    tasks = _with_own_names([ScanTask(f"{host.name}_free", host.name, 0, host.fold, seed) for host in hosts], scans)
    return [task for task in tasks if task.host in with_lesions]


def _with_own_names(tasks: Sequence[ScanTask], scans: ScanSet) -> list[ScanTask]:
    """The tasks, none of which has the name of a scan, as in a data set that was augmented before."""
    names = unique_names([task.name for task in tasks], [record.name for record in scans.records])
    return [replace(task, name=name) for task, name in zip(tasks, names, strict=True)]
