from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import frechet_distance, kernel_distance


def normal(count: int, features: int = 3, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(mean, 1.0, (count, features))


def by_loops(first: np.ndarray, second: np.ndarray) -> float:
    def mean(one: np.ndarray, two: np.ndarray, within: bool) -> float:
        pairs = [(i, j) for i in range(len(one)) for j in range(len(two)) if not (within and i == j)]
        return float(np.mean([(one[i] @ two[j] / len(one[i]) + 1) ** 3 for i, j in pairs]))

    return mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)


@given(seed=st.integers(0, 1000), sizes=st.tuples(st.integers(2, 6), st.integers(2, 6)))
@settings(max_examples=20)
def test_kernel_distance_agrees_with_loops(seed: int, sizes: tuple[int, int]) -> None:
    first, second = normal(sizes[0], seed=seed), normal(sizes[1], mean=0.5, seed=seed + 1)
    found = kernel_distance(first, second, resamples=5)
    assert found.value == pytest.approx(by_loops(first, second))
    assert kernel_distance(second, first, resamples=5).value == pytest.approx(found.value)


def test_kernel_distance_is_unbiased_where_the_frechet_distance_is_not() -> None:
    pairs = [(normal(10, seed=2 * n), normal(10, seed=2 * n + 1)) for n in range(200)]
    values = [kernel_distance(*pair, resamples=1).value for pair in pairs]
    assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5
    assert min(frechet_distance(*pair) for pair in pairs[:50]) > 0


def test_resampling_is_of_the_images_that_were_drawn() -> None:
    first, second = normal(6), normal(5, mean=1.0, seed=1)
    found = kernel_distance(first, second, resamples=1, seed=4)
    rng = np.random.RandomState(4)
    draws = [np.repeat(np.arange(count), rng.multinomial(count, np.full(count, 1 / count))) for count in (6, 5)]

    def within(features: np.ndarray, drawn: np.ndarray) -> float:
        kernel = (features @ features.T / 3 + 1) ** 3
        return float(np.mean([kernel[i, j] for i in drawn for j in drawn if i != j]))

    cross = ((first[draws[0]] @ second[draws[1]].T / 3 + 1) ** 3).mean()
    expected = within(first, draws[0]) + within(second, draws[1]) - 2 * cross
    assert found.lower == found.upper == pytest.approx(expected)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = kernel_distance(normal(3000, 2, seed=1), normal(3000, 2, 0.7, seed=2), resamples=1).value
    covered = 0
    for n in range(100):
        found = kernel_distance(normal(40, 2, seed=3 * n + 5), normal(40, 2, 0.7, seed=3 * n + 6), resamples=200)
        covered += found.lower <= truth <= found.upper
    assert 85 <= covered <= 100


def test_images_of_one_source_are_drawn_together() -> None:
    centres = normal(8, seed=3)
    first, second = np.repeat(centres[:4], 10, axis=0), np.repeat(centres[4:], 10, axis=0)
    first, second = first + 0.01 * normal(40, seed=4), second + 0.01 * normal(40, seed=5)
    sources = [f"scan {n // 10}" for n in range(40)]
    alone = kernel_distance(first, second)
    together = kernel_distance(first, second, first_sources=sources, second_sources=sources)
    assert together.value == pytest.approx(alone.value)
    assert together.upper - together.lower > 2 * (alone.upper - alone.lower)
    # One source cannot be resampled: its images are.
    one = ["scan"] * 40
    assert kernel_distance(first, second, first_sources=one, second_sources=one) == alone


def test_refuses_features_that_cannot_be_compared() -> None:
    with pytest.raises(ConSinGANError, match="3 and 4 features"):
        kernel_distance(normal(5), normal(5, 4))
    with pytest.raises(ConSinGANError, match="2 sources of 5"):
        kernel_distance(normal(5), normal(5), first_sources=["a", "b"])
