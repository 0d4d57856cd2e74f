"""Trainings of the detector experiment in space, by arm, fold and seed: each is kept, so that a killed one goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _detector_net import NetSettings, train
from _detector_scans import CoarseScan, Made, library
from _detector_space import SpaceArm, SpaceBatch, at_false_positives, batches, found_in
from _kept import kept_report
from _lesion_shapes import random_of

from monai_consingan.errors import ConSinGANError

VERSION = 2
"""Of the code that trains and tests: results of another version are not taken from the cache."""
SENSITIVITY, DICE, WRONG = "sensitivity at 2 a scan", "Dice", "false positives at 0.5"
MEASURES = (SENSITIVITY, DICE, WRONG)
_MOST_WRONG = 2.0
_AT_HALF = 5


@dataclass(frozen=True)
class SpaceExperiment:
    """The experiment.

    Args:
        scans: of all patients, one each.
        folds: parts that they are divided into; each is tested once.
        seeds: trainings of an arm in a fold, each from patients drawn anew.
        made: synthetic lesions for two patients, host and donor.
        batch, net: settings.
        least_ml: lesions that are smaller do not count.
        cache: folder that keeps what is done.
    """

    scans: Sequence[CoarseScan]
    folds: int
    seeds: int
    made: int
    batch: SpaceBatch
    net: NetSettings
    least_ml: float
    cache: Path

    def tested(self, fold: int) -> list[CoarseScan]:
        """The patients that are tested in a fold."""
        order = random_of(0, "folds").permutation(len(self.scans))
        return [self.scans[number] for number in sorted(order[fold :: self.folds])]

    def trained(self, fold: int, seed: int, count: int) -> list[CoarseScan]:
        """The first so many of the others, in an order that the seed decides: fewer are always among more."""
        tested = {scan.name for scan in self.tested(fold)}
        others = [scan for scan in self.scans if scan.name not in tested]
        order = random_of(seed, f"patients {fold}").permutation(len(others))
        return [others[number] for number in order[:count]]

    def lesions(self, arm: SpaceArm, scans: Sequence[CoarseScan]) -> list[Made]:
        """What is made beforehand of these patients for an arm."""
        if arm.lesions is None or arm.on_the_fly:
            return []
        return library(arm.lesions, scans, self.made, self.cache / "made")

    def run(self, arms: Sequence[SpaceArm]) -> dict[str, dict[str, dict[str, list[float]]]]:
        """Train and test everything that is not done yet, seed by seed.

        Returns:
            By arm and measure what every patient has, one value for each seed.

        Raises:
            ConSinGANError: an arm asks for more patients than a fold leaves.
        """
        left = len(self.scans) - max(len(self.tested(fold)) for fold in range(self.folds))
        most = max(arm.patients for arm in arms)
        if most > left:
            raise ConSinGANError(f"{most} patients are asked for, but {left} are left in a fold: give more.")
        found: dict[str, dict[str, dict[str, list[float]]]]
        found = {arm.name: {name: {s.name: [] for s in self.scans} for name in MEASURES} for arm in arms}
        total, done, begin = self.seeds * self.folds * len(arms), 0, time.perf_counter()
        for seed in range(self.seeds):
            for fold in range(self.folds):
                for arm in arms:
                    result = self._kept(arm, fold, seed)
                    for measure, values in _measures(result["patients"]).items():
                        for name, value in values.items():
                            found[arm.name][measure][name].append(value)
                    done += 1
                    dice = ", ".join(f"{one['Dice']:.3f}" for one in result["patients"].values())
                    print(
                        f"  {done}/{total}, {(time.perf_counter() - begin) / 60:.1f} min: seed {seed}, fold {fold}, "
                        f"{arm.name}: loss {result['loss']:.3f}, Dice {dice}, {result['seconds']:.1f} s of a core",
                        file=sys.stderr,
                        flush=True,
                    )
        return found

    def _kept(self, arm: SpaceArm, fold: int, seed: int) -> dict[str, Any]:
        files = [scan.files for scan in self.scans]
        given = (VERSION, arm, files, self.folds, fold, seed, self.made, self.batch, self.net, self.least_ml)
        return kept_report(self.cache / "results", given, (), lambda: self._result(arm, fold, seed))

    def _result(self, arm: SpaceArm, fold: int, seed: int) -> dict[str, Any]:
        scans = self.trained(fold, seed, arm.patients)
        lesions = self.lesions(arm, scans)
        begin = time.process_time()
        steps = batches(arm, scans, lesions, self.batch, self.net.steps, seed)
        network, loss = train(steps, self.net, augment=arm.augment, seed=seed)
        tested = self.tested(fold)
        voxels = [max(1, round(1000 * self.least_ml / scan.factor**3)) for scan in tested]
        found = {s.name: found_in(network, s, self.net, least) for s, least in zip(tested, voxels, strict=True)}
        about = {"arm": arm.name, "fold": fold, "seed": seed, "learnt from": [scan.name for scan in scans]}
        return {**about, "loss": loss, "seconds": time.process_time() - begin, "patients": found}


def _measures(patients: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The measures of the patients that one network was tested on."""
    return {
        SENSITIVITY: at_false_positives(patients, _MOST_WRONG),
        DICE: {name: float(one["Dice"]) for name, one in patients.items()},
        WRONG: {name: float(one["false_positives"][_AT_HALF]) for name, one in patients.items()},
    }


def means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Every patient's mean over the seeds."""
    return {name: float(np.mean(seeds)) for name, seeds in values.items()}
