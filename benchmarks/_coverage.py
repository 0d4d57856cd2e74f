"""How near made lesions come to real ones of patients left out, by the number of donors, and how alike they are."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from _generated import MAKERS, Subject, lesion_features

from monai_consingan.metrics.frd import compare_radiomics
from monai_consingan.transforms.generation.examples import Example, likeness, normal_view
from monai_consingan.workflows.new_lesion import KnownDonors

SPACE = ("long", "flat", "surface", "t1ce mean", "t1ce middle", "flair mean", "t2 mean")
GROUPS = ("1", "2", "all")
"""Numbers of donors."""
ALL = GROUPS[-1]
_OF_ONE = ("copies", "warped")
"""Makers that make a lesion of one donor, whichever others are known."""


def _known(example: Example) -> np.ndarray:
    found = lesion_features(example.crop.image, example.crop.label)
    return np.array([found[name] for name in SPACE])


def donor_sets(count: int, seed: int) -> dict[str, list[tuple[int, ...]]]:
    """Sets of one of so many donors, of two and of all but one, by how many."""
    order = np.random.RandomState(seed).permutation(count)
    pairs = [tuple(map(int, sorted((one, other)))) for one, other in zip(order, np.roll(order, 1), strict=True)]
    others = [tuple(other for other in range(count) if other != number) for number in range(count)]
    return dict(zip(GROUPS, ([(number,) for number in range(count)], pairs, others), strict=True))


@dataclass(frozen=True)
class Lesion:
    """What is known of a lesion that was made.

    Attributes:
        point: where it lies in the features of :data:`SPACE`.
        features: of the forest.
        alike: likeness to the nearest real lesion.
        owner: the donor's number.
    """

    point: np.ndarray
    features: list[float]
    alike: float
    owner: int


Lesions = list[Lesion]


@dataclass
class Made:
    """Lesions that were made of sets of donors; what knows only one donor of a set is not made twice.

    Args:
        subjects: all patients.
        how: settings, and the network of what is painted.
        count: lesions of a set, in all.
        seed: of what is drawn.
    """

    subjects: list[Subject]
    how: KnownDonors
    count: int
    seed: int

    def __post_init__(self) -> None:
        self._kept: dict[tuple[str, int, tuple[int, ...]], Lesions] = {}
        self._views = [normal_view(subject.example) for subject in self.subjects]

    def __call__(self, name: str, donors: tuple[int, ...]) -> Lesions:
        """Lesions by a maker of a set of donors, as many of each."""
        share = max(1, self.count // len(donors))
        return [lesion for donor in donors for lesion in self._of(name, donor, donors)[:share]]

    def _of(self, name: str, donor: int, donors: tuple[int, ...]) -> Lesions:
        """Lesions of one donor, where a set is known."""
        donors = (donor,) if name in _OF_ONE else donors
        if (name, donor, donors) not in self._kept:
            known = KnownDonors([self.subjects[number].example for number in donors], self.how.settings)
            if name == "painted":
                known.painter = self.how.painter
            entropy = np.random.SeedSequence([self.seed, donor, len(donors)])
            rng = np.random.RandomState(entropy.generate_state(1)[0])
            made = [self._drawn(name, donor, known, rng) for _ in range(max(1, self.count // len(donors)))]
            self._kept[name, donor, donors] = made
        return self._kept[name, donor, donors]

    def _drawn(self, name: str, donor: int, known: KnownDonors, rng: np.random.RandomState) -> Lesion:
        assert known.settings.diameter is not None
        size = float(np.exp(rng.uniform(*np.log(known.settings.diameter))))
        crop = MAKERS[name](self.subjects[donor].example, known, size, rng)
        example = Example.of(crop)
        view = normal_view(example)
        features = list(lesion_features(crop.image, crop.label).values())
        return Lesion(_known(example), features, max(likeness(view, other) for other in self._views), donor)


def coverage(
    subjects: list[Subject], makers: list[str], count: int, how: KnownDonors, seed: int
) -> dict[str, dict[str, Any]]:
    """How near made lesions come to those of patients left out, and how alike they are to their donors."""
    real = np.array([_known(subject.example) for subject in subjects])
    views = [normal_view(subject.example) for subject in subjects]
    pairs = [likeness(views[i], views[j]) for i in range(len(views)) for j in range(i)]
    rows: dict[str, dict[str, Any]] = {"real": {"likeness": float(np.median(pairs)), "most alike": max(pairs)}}
    small = Made(subjects, how, 1, seed + 1)
    as_small = np.array([small("copies", (number,))[0].point for number in range(len(subjects))])
    sets, make = donor_sets(len(subjects), seed), Made(subjects, how, count, seed)
    copies: list[Lesions] = []
    for name in makers:
        made = {donors: make(name, donors) for group in sets.values() for donors in group}
        whole = [made[donors] for donors in sets[ALL]]
        copies = copies or whole
        alike = np.array([lesion.alike for lesions in whole for lesion in lesions])
        rows[name] = {"likeness": float(np.median(alike)), "most alike": float(alike.max()), "n": len(alike)}
        rows[name]["above the floor"] = float(np.mean(alike > max(pairs)))
        if name != "copies":
            (ours, of_ours), (theirs, of_theirs) = (_features(lesions) for lesions in (whole, copies))
            rows[name]["frechet"] = compare_radiomics(
                theirs, ours, real_sources=of_theirs, synthetic_sources=of_ours, seed=seed
            )
        for group, members in sets.items():
            rows[name][f"covered, {group}"], rows[name][f"density, {group}"] = _covered(members, made, real)
        rows[name]["covered at one size"], _ = _covered(sets[ALL], made, as_small)
        nearest = [_nearest(lesions, real)[number] for number, lesions in enumerate(whole)]
        of_copies = [_nearest(lesions, real)[number] for number, lesions in enumerate(copies)]
        rows[name]["nearest over copies'"] = float(np.median(np.divide(nearest, of_copies)))
        print(f"  {name}: {rows[name]}", file=sys.stderr, flush=True)
    return rows


def _features(made: list[Lesions]) -> tuple[np.ndarray, np.ndarray]:
    """The forest's features of lesions, and their donors."""
    every = [lesion for lesions in made for lesion in lesions]
    return np.array([lesion.features for lesion in every]), np.array([lesion.owner for lesion in every])


def _away(made: Lesions, real: np.ndarray) -> np.ndarray:
    """Distances of made lesions from real ones, (real, made)."""
    points = np.array([lesion.point for lesion in made])
    return np.asarray(np.linalg.norm((points - real[:, None]) / real.std(axis=0), axis=2))


def _nearest(made: Lesions, real: np.ndarray) -> np.ndarray:
    """How near the nearest of what was made lies to each real lesion."""
    return np.asarray(_away(made, real).min(axis=1))


def _covered(
    sets: Sequence[tuple[int, ...]], made: Mapping[tuple[int, ...], Lesions], real: np.ndarray
) -> tuple[float, float]:
    """Coverage and density of the real lesion of each patient by what sets without the patient were made into."""
    between = np.linalg.norm((real[:, None] - real) / real.std(axis=0), axis=2)
    hits, dense = [], []
    for number in range(len(real)):
        reach = np.sort(np.delete(between[number], number))[1]
        found = [_away(made[donors], real)[number] <= reach for donors in sets if number not in donors]
        hits.append(np.mean([near.any() for near in found]))
        dense.append(np.mean([near.mean() for near in found]))
    return float(np.mean(hits)), float(np.sum(dense) / 2)  # of balls to the second nearest
