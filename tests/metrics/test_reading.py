from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.reading import agreement, reader_scores


def test_scores_by_hand() -> None:
    scores = reader_scores([True] * 4 + [False] * 5, [3, 2, 1, -1, -3, -2, -1, 1, -3])
    assert scores["sensitivity"]["value"] == 0.75
    assert scores["specificity"]["value"] == 0.8
    assert scores["accuracy"]["value"] == pytest.approx(7 / 9)
    assert scores["auc"]["value"] == pytest.approx((5 + 5 + 4.5 + 3.5) / 20)
    # Clopper and Pearson's interval of 3 of 4, as tables have it
    assert (scores["sensitivity"]["low"], scores["sensitivity"]["high"]) == pytest.approx((0.19412, 0.99369), abs=1e-5)


def test_interval_of_the_auc_is_delongs() -> None:
    rng = np.random.default_rng(0)
    made, real = rng.normal(1, 1, 30), rng.normal(0, 1, 40)
    score = reader_scores([True] * 30 + [False] * 40, [*made, *real])["auc"]
    wins = np.array([[float(m > r) for r in real] for m in made])
    error = math.sqrt(wins.mean(1).var(ddof=1) / 30 + wins.mean(0).var(ddof=1) / 40)
    assert score["high"] - score["value"] == pytest.approx(1.959964 * error, rel=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([-3, -2, -1, 1, 2, 3])), min_size=2, max_size=30))
def test_shares_lie_in_their_intervals(cases: list[tuple[bool, int]]) -> None:
    truth, ratings = zip(*cases, strict=True)
    if all(truth) or not any(truth):
        with pytest.raises(ConSinGANError, match="cases of both kinds"):
            reader_scores(truth, ratings)
        return
    for share in reader_scores(truth, ratings).values():
        assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1


def test_agreement() -> None:
    first, second = (
        [True] * 20 + [True] * 5 + [False] * 10 + [False] * 15,
        [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15,
    )
    assert agreement(np.array([first, second])) == pytest.approx(0.4)
    # Fleiss' kappa of three readers by its definition: agreement in a case is 1 or 1/3
    calls = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [1, 0, 0, 1]], bool)
    same, yes = (1 + 1 / 3 + 1 + 1 / 3) / 4, 7 / 12
    chance = yes**2 + (1 - yes) ** 2
    assert agreement(calls) == pytest.approx((same - chance) / (1 - chance))
    assert math.isnan(agreement(np.ones((2, 5), bool)))
    with pytest.raises(ConSinGANError, match="at least two readers"):
        agreement(np.ones((1, 5), bool))


def test_one_case_of_a_kind_leaves_the_area_open() -> None:
    """It tells nothing of how much the area varies."""
    for truth in ([True, False], [True, False, False]):
        auc = reader_scores(truth, [2.0, -1.0, -2.0][: len(truth)])["auc"]
        assert auc == {"value": 1.0, "low": 0.0, "high": 1.0}


def test_a_few_cases_that_are_all_told_apart_say_little() -> None:
    for ratings, value in (([1, 2, -1, -2], 1.0), ([-1, -2, 1, 2], 0.0), ([1, 1, 1, 1], 0.5)):
        auc = reader_scores([True, True, False, False], ratings)["auc"]
        width = auc["high"] - auc["low"]
        assert auc["value"] == value and auc["low"] <= value <= auc["high"]
        assert width == pytest.approx(1 - 0.025**0.5)  # two pairs, as that of Clopper and Pearson
    many = reader_scores([True] * 40 + [False] * 60, [1] * 40 + [-1] * 60)["auc"]
    assert many["low"] == pytest.approx(0.025 ** (1 / 40)) and many["high"] == 1
