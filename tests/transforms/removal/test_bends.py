from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from monai_consingan.transforms import MatchedFill
from monai_consingan.transforms.removal.bends import bent_fill

MakeSlices = Callable[..., np.ndarray]
MM = (1.0, 1.0, 1.0)


def box(shape: tuple[int, ...], depth: slice = slice(14, 24)) -> np.ndarray:
    """A block that holds one or two of the slices."""
    mask = np.zeros(shape, bool)
    mask[8:16, 7:17, depth] = True
    return mask


def bends(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.abs(image[..., :-2] - 2 * image[..., 1:-1] + image[..., 2:])[where[..., 1:-1]]


@given(st.integers(0, 100))
@settings(max_examples=5, deadline=None)
def test_a_filling_bends_as_the_host_and_keeps_its_means(thick_slices: MakeSlices, seed: int) -> None:
    truth = 100 + 20 * thick_slices(seed)
    mask, rng = box(truth.shape), np.random.default_rng(seed)
    filled = np.where(mask, truth + rng.normal(scale=4, size=truth.shape), truth)
    bent = bent_fill(np.where(mask, 999.0, truth), filled, mask, ~mask, ~mask, MM)
    np.testing.assert_array_equal(bent[~mask], truth[~mask])
    assert bends(bent, mask).mean() < 0.3 * bends(filled, mask).mean()
    assert np.abs(bent - truth)[mask].mean() < 0.7 * np.abs(filled - truth)[mask].mean()
    for plane in zip(range(14, 19), range(23, 18, -1), strict=True):  # equally deep
        here = mask[..., list(plane)]
        assert np.isclose(bent[..., list(plane)][here].mean(), filled[..., list(plane)][here].mean())


def test_what_a_lesion_leaves_around_does_not_go_on_inside(thick_slices: MakeSlices) -> None:
    """Brighter and brighter towards the mask, as between a slice with a lesion and one without."""
    truth = 100 + 20 * thick_slices(3)
    mask = box(truth.shape)
    away = distance_transform_edt(~mask, (1e3, 1e3, 1.0))
    host = truth + 10 * np.clip(4 - away, 0, 4)
    bent = bent_fill(host, np.where(mask, truth, host), mask, ~mask, ~mask, MM)
    assert abs((bent - truth)[mask].mean()) < 1e-6


def test_a_sharp_host_leaves_a_filling_as_it_is() -> None:
    host, filled = np.random.default_rng(0).normal(size=(2, 24, 24, 37))
    mask = box(host.shape)
    filled = np.where(mask, filled, host)
    assert np.array_equal(bent_fill(host, filled, mask, ~mask, ~mask, MM), filled)


def test_fills_in_space_bend_and_those_by_slices_do_not(thick_slices: MakeSlices) -> None:
    truth, source = 100 + 20 * thick_slices(1), 100 + 20 * thick_slices(2)
    mask = box(truth.shape)
    space, slices = (MatchedFill()(truth, source, mask, axis=axis) for axis in (None, 2))
    assert bends(space, mask).mean() < 0.5 * bends(slices, mask).mean()
