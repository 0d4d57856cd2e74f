"""Distances are SciPy's, bit for bit, however they are found."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from monai_consingan import distance
from monai_consingan.distance import bounding_box, depth_within

SPACING = st.sampled_from([0.5, 0.75, 0.9375, 1.0, 1.5, 3.0])


@st.composite
def masks(draw: Any) -> np.ndarray:
    shape = draw(st.tuples(*[st.integers(1, 12)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = rng.random(shape) < draw(st.sampled_from([0.3, 0.9, 0.99, 1.0]))
    mask[tuple(int(rng.integers(n)) for n in shape)] = False
    return np.asarray(mask)


@given(masks(), st.tuples(SPACING, SPACING, SPACING))
def test_whole_numbers_give_the_bits_of_scipy(mask: np.ndarray, spacing: tuple[float, ...]) -> None:
    found = depth_within(mask, spacing)
    narrow = depth_within(mask, spacing, np.empty(mask.shape, np.float32))
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(narrow, expected.astype(np.float32))


@pytest.mark.parametrize("together", [1, 500])
def test_planes_that_are_worked_on_together_do_not_matter(together: int) -> None:
    mask = np.random.default_rng(0).random((9, 10, 11)) < 0.98
    with patch.object(distance, "_IN_CACHE", together):
        found = depth_within(mask, (1.0, 0.5, 2.0))
    np.testing.assert_array_equal(found, ndimage.distance_transform_edt(mask, sampling=(1.0, 0.5, 2.0)))


@given(masks(), st.tuples(SPACING, SPACING, SPACING), st.floats(0, 10))
def test_what_is_beyond_reach_is_told_to_be(mask: np.ndarray, spacing: tuple[float, ...], reach_mm: float) -> None:
    found = depth_within(mask, spacing, reach_mm=reach_mm)
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)
    within = expected <= reach_mm
    np.testing.assert_array_equal(found[within], expected[within])
    assert (found[~within] > reach_mm).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.1), (0.5, 0.5, 4000.0)])
def test_other_spacings_are_left_to_scipy(spacing: tuple[float, ...]) -> None:
    mask = np.ones((5, 6, 7), bool)
    mask[1, 2, 3] = False
    with patch.object(distance, "_depth_in_units") as other:
        found = depth_within(mask, spacing)
    other.assert_not_called()
    np.testing.assert_array_equal(found, ndimage.distance_transform_edt(mask, sampling=spacing))


@pytest.mark.parametrize("shape", [(9,), (8, 9), (6, 7, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_box_holds_a_mask_and_its_margin_and_ends_there(shape: tuple[int, ...], order: str) -> None:
    for seed in range(20):
        random = np.random.RandomState(seed)
        mask = np.asarray(random.rand(*shape) < 3 / np.prod(shape), order=order)
        mask[tuple(random.randint(shape))] = True
        places, margin = np.argwhere(mask), list(random.randint(0, 3, len(shape)))
        sides = zip(places.min(axis=0), places.max(axis=0) + 1, margin, strict=True)
        expected = [(max(low - more, 0), high + more) for low, high, more in sides]
        assert [(part.start, part.stop) for part in bounding_box(mask, margin)] == expected
        assert mask[bounding_box(mask)].sum() == mask.sum()
