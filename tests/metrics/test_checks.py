from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from monai_consingan.metrics import (
    Surroundings,
    Where,
    beyond,
    check_insertion,
    check_removal,
    contrast,
    insertion_measures,
    kept,
    measure_change,
    removal_measures,
    seam,
)

from .conftest import LESION, banded, box, lesion_in, tissue


def inserted(result: np.ndarray, lesion: np.ndarray = LESION) -> tuple[str, ...]:
    donor = lesion_in(tissue(1))
    measures = insertion_measures({"": result}, lesion, donor, LESION, Where(2))
    return check_insertion(result, tissue(), lesion, donor, LESION, measures, Where(2)).failed


def test_a_sound_lesion_passes() -> None:
    assert inserted(lesion_in(tissue())) == ()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: np.where(LESION > 0, 5.0, image), "contrast kept is -1.9"),
        (lambda image: np.where(LESION > 0, 102.0, image), "visibility is 0."),
        (lambda image: np.where(box((28, 30), (20, 28), (2, 4)) > 0, 1.0, image), "black gained is 0.12"),
        (lambda image: np.where(box((20, 28), (20, 28), (4, 5)) > 0, 400, image), "seam through is "),
    ],
)
def test_a_spoilt_lesion_does_not(spoil: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    failed = inserted(spoil(lesion_in(tissue())))
    assert any(clause.startswith(words) for clause in failed), failed


def test_removal_is_checked() -> None:
    ill, lesion = lesion_in(tissue()), LESION

    def failed(result: np.ndarray) -> tuple[str, ...]:
        measures = removal_measures({"": result}, lesion, lesion, ill, Where(2))
        return check_removal(result, ill, lesion, lesion, measures, Where(2)).failed

    assert failed(tissue()) == ()
    assert [clause.split(" is ")[0] for clause in failed(ill)] == ["contrast kept", "seam", "seam through"]
    hole = failed(np.where(lesion > 0, 0.0, ill))
    assert hole[0].startswith("contrast kept is -") and hole[-1].startswith("black gained is 1.00"), hole


def test_removal_is_checked_after_a_z_score() -> None:
    ill, healthy = (np.where(image > 0, (image - 101) / 10, 0) for image in (lesion_in(tissue()), tissue()))
    left = [removal_measures({"": done}, LESION, LESION, ill, Where(2)) for done in (healthy, ill)]
    assert [measures["contrast_kept"] for measures in left] == pytest.approx([0, 1], abs=0.02)
    assert check_removal(ill, ill, LESION, LESION, left[1], Where(2)).failed[0].startswith("contrast kept is 1.0")


def test_a_share_of_next_to_nothing_is_not_measurable() -> None:
    assert math.isnan(kept(0.5, 0.0)) and math.isnan(kept(0.1, 0.005, noise=0.03))
    assert kept(0.1, 0.2, noise=0.03) == 0.5
    flat = tissue()
    assert abs(contrast(flat, LESION, axis=2)) < 0.005
    assert math.isnan(removal_measures({"": flat}, LESION, LESION, flat, Where(2))["contrast_kept"])
    assert math.isnan(insertion_measures({"": flat}, LESION, flat, LESION, Where(2))["contrast_kept"])


def test_words_for_what_is_beyond() -> None:
    limits = {
        "low": (1.0, math.inf),
        "high": (-math.inf, 2.0),
        "both": (0.0, 1.0),
        "no": (0.0, 1.0),
        "even": (0.0, 1.0),
        "good": (0.0, 1.0),
        "all": (1.0, math.inf),
    }
    wrong = beyond(
        {"low": 0.5, "high": 3.0, "both": 2.0, "no": math.nan, "even": math.inf, "good": 1.0, "all": math.inf}, limits
    )
    assert list(wrong.values()) == [
        "low is 0.50, below 1.00",
        "high is 3.00, above 2.00",
        "both is 2.00, not 0.00 to 1.00",
        "no is not measurable",
        "even is not measurable",
    ]


def test_bands_through_the_slices_are_found() -> None:
    ill = lesion_in(tissue())
    for dims in (2, 3):
        for result, passes in ((tissue(), True), (banded(tissue()), False)):
            measures = removal_measures({"": result}, LESION, LESION, ill, Where(2, dims))
            checks = check_removal(result, ill, LESION, LESION, measures, Where(2, dims))
            clauses = [clause for clause in checks.failed if clause.startswith("level jump through is ")]
            assert bool(clauses) != passes, checks


def test_in_space_the_seam_is_that_in_the_plane_and_the_one_through_it_beside() -> None:
    donor, result = lesion_in(tissue(1)), lesion_in(tissue())
    step = np.where(box((20, 28), (20, 28), (4, 5)) > 0, 400, result)
    measures = insertion_measures({"": result, "_step": step}, LESION, donor, LESION, Where(2, 3))
    in_space = Surroundings(result, LESION)
    assert measures["seam"] == seam(in_space, along=(0, 1))
    assert measures["seam_through"] == seam(in_space, along=2)
    assert measures["seam_through_step"] > 2 * measures["seam_through"]
    assert measures["level_jump_through_step"] > 2 * measures["level_jump_through"]
    assert measures["seam_through_donor"] == seam(donor, LESION, along=2)
    found = measure_change(step, tissue(), LESION, Where(2, 3))
    assert found["seam_through"] == measures["seam_through_step"]
