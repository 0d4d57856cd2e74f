"""Trainings of the experiment, by arm, fold and seed: each is kept, so that a killed experiment goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from _detector_data import Arm, BatchSettings, Patches
from _detector_net import NetSettings, predict, train
from _detector_pastes import ShrunkPaste, shrunk_pastes
from _detector_scores import MEASURES, Found
from _kept import kept, kept_report
from _lesion_shapes import random_of
from _methods import Insertion
from _patients import Patient

from monai_consingan.data import file_sha256
from monai_consingan.errors import ConSinGANError

__all__ = ["Experiment", "PasteSettings"]

VERSION = 3
"""Of the code that trains and tests: results of another version are not taken from the cache."""


@dataclass(frozen=True)
class PasteSettings:
    """The synthetic lesions.

    Args:
        per_pair: pastes for an ordered pair of patients.
        windows: windows of a host, a model each.
        seed: of the pastes.
    """

    per_pair: int = 16
    windows: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """The experiment.

    Args:
        patients: all of them.
        arms: what is compared.
        folds: parts that the patients are divided into; each is tested once.
        seeds: trainings of an arm in a fold.
        paste, batch, net: settings.
        cache: folder that keeps what is done.
    """

    patients: Sequence[Patient]
    arms: Sequence[Arm]
    folds: int
    seeds: int
    paste: PasteSettings
    batch: BatchSettings
    net: NetSettings
    cache: Path

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= len(self.patients) or len(self.patients) < 3:
            raise ConSinGANError(
                f"{len(self.patients)} patients cannot be divided into {self.folds} folds: give 3 patients or more, "
                "and folds from 2 up to their number."
            )
        pixels = [mm for patient in self.patients for mm in patient.spacing]
        if max(pixels) > 1.5 * min(pixels):
            raise ConSinGANError(
                f"Pixels are {min(pixels):g} to {max(pixels):g} mm wide: resample the scans to one size first."
            )

    @cached_property
    def pastes(self) -> list[ShrunkPaste]:
        """The pastes of all pairs of patients; a fold takes those of its training patients."""
        settings = self.paste
        made = shrunk_pastes(self.patients, per_pair=settings.per_pair, windows=settings.windows, seed=settings.seed)
        return list(made)

    def tested(self, fold: int) -> list[Patient]:
        """The patients that are tested in a fold."""
        order = random_of(0, "folds").permutation(len(self.patients))
        return [self.patients[number] for number in sorted(order[fold :: self.folds])]

    def trained(self, fold: int) -> list[Patient]:
        """The patients that are trained on in a fold: the others."""
        return [patient for patient in self.patients if patient not in self.tested(fold)]

    def patches(self, fold: int) -> Patches:
        """Where a fold's patches come from."""
        trained = self.trained(fold)
        names = {patient.name for patient in trained}
        own = [paste for paste in self.pastes if {paste.window.patient.name, paste.donor} <= names]
        return Patches(trained, own, self.batch)

    def images(self, arm: Arm, pastes: Sequence[ShrunkPaste]) -> list[np.ndarray]:
        """The image that an arm's method makes of every paste."""
        folder = self.cache / "pastes"
        if arm.method is None:
            return []
        method = arm.method

        def image(case: Insertion) -> np.ndarray:
            return kept(folder, method, (case.host, case.tissue, case.mask), lambda: method(case))

        return [image(paste.insertion) for paste in pastes]

    def run(self) -> dict[str, dict[str, list[Found]]]:
        """Train and test everything that is not done yet.

        Returns:
            What was found: by arm, then by patient, one for each seed.
        """
        found: dict[str, dict[str, list[Found]]] = {
            arm.name: {patient.name: [] for patient in self.patients} for arm in self.arms
        }
        total, done, begin = self.folds * self.seeds * len(self.arms), 0, time.perf_counter()
        for seed in range(self.seeds):
            for fold in range(self.folds):
                for arm in self.arms:
                    result = self._kept(arm, fold, seed)
                    for name, values in result["patients"].items():
                        found[arm.name][name].append(Found.from_dict(values))
                    done += 1
                    latest = [found[arm.name][name][-1] for name in result["patients"]]
                    scores = ", ".join(f"{next(iter(MEASURES.values()))(one):.3f}" for one in latest)
                    minutes = (time.perf_counter() - begin) / 60
                    print(
                        f"  {done}/{total}, {minutes:.1f} min: fold {fold}, seed {seed}, {arm.name}: "
                        f"loss {result['loss']:.3f}, scores {scores}, {result['seconds']:.0f} s",
                        file=sys.stderr,
                        flush=True,
                    )
        return found

    def _kept(self, arm: Arm, fold: int, seed: int) -> dict[str, Any]:
        patches = self.patches(fold)
        images = self.images(arm, patches.pastes)
        given = (VERSION, arm.augment, arm.balanced, self._files, self.folds, fold, seed, self.batch, self.net)
        arrays = [array for image, paste in zip(images, patches.pastes, strict=False) for array in (image, paste.label)]
        return kept_report(
            self.cache / "results", given, arrays, lambda: self._result(arm, fold, seed, patches, images)
        )

    @cached_property
    def _files(self) -> list[tuple[str, ...]]:
        return [
            (patient.name, file_sha256(patient.image_file), file_sha256(patient.label_file), repr(patient.core_labels))
            for patient in self.patients
        ]

    def _result(self, arm: Arm, fold: int, seed: int, patches: Patches, images: Sequence[np.ndarray]) -> dict[str, Any]:
        begin = time.perf_counter()
        batches = patches.batches(arm, images, self.net.steps, seed)
        network, loss = train(batches, self.net, augment=arm.augment, seed=seed)
        found = {
            patient.name: Found.of(predict(network, patient, self.net), patient).as_dict()
            for patient in self.tested(fold)
        }
        seconds = time.perf_counter() - begin
        return {"arm": arm.name, "fold": fold, "seed": seed, "loss": loss, "seconds": seconds, "patients": found}
