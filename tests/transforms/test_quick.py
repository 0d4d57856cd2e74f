"""What is quicker than in SciPy is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

from monai_consingan.transforms.quick import along, ball, between, dilated, eroded, filled, valid_convolution


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 5), st.booleans())
def test_every_line_is_multiplied(shape: list[int], axis: int, size: int, turned: bool) -> None:
    axis %= len(shape)
    rng = np.random.default_rng(0)
    image = rng.normal(size=shape[::-1]).T if turned else rng.normal(size=shape)
    matrix = rng.normal(size=(size, shape[axis]))
    found = along(matrix, image, axis)
    np.testing.assert_allclose(found, np.moveaxis(np.tensordot(matrix, image, (1, axis)), 0, axis), atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 6), (5, 1, 6)])
def test_values_are_interpolated_and_go_on_beyond_the_edge(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *shape))
    places = rng.uniform(-2, 8, (len(shape), 50))
    places[:, :3] = np.round(places[:, :3])
    wanted = [map_coordinates(image, places, order=1, mode="nearest") for image in images]
    assert np.allclose(between(images, places), wanted, atol=1e-12)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_as_scipy(dtype: type, sizes: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal([n for n, _ in sizes]).astype(dtype)
    values = rng.standard_normal([n + more for n, more in sizes]).astype(dtype)
    found = valid_convolution(values, kernel)
    expected = fftconvolve(values, kernel, mode="valid")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(9, 8, 3), (4, 9, 9), (7, 7, 7), (12, 11)])
def test_holes_are_filled_in_space_and_in_slices(shape: tuple[int, ...]) -> None:
    for seed in range(20):
        mask = np.random.default_rng(seed).random(shape) < 0.6
        expected = ndimage.binary_fill_holes(mask)
        if len(shape) == 3:
            axis = int(np.argmin(shape))
            slices = [ndimage.binary_fill_holes(part) for part in np.moveaxis(expected, axis, 0)]
            expected = np.stack(slices, axis=axis)
        np.testing.assert_array_equal(filled(mask), expected)


@given(st.lists(st.integers(1, 12), min_size=2, max_size=3), st.floats(0.5, 3), st.integers(0, 2**32 - 1))
def test_morphology_by_a_ball_is_scipys(shape: list[int], radius: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < 0.7
    element = ball((1.0, 1.5, 0.8)[: len(shape)], radius)
    np.testing.assert_array_equal(eroded(mask, element), ndimage.binary_erosion(mask, element))
    np.testing.assert_array_equal(dilated(mask, element), ndimage.binary_dilation(mask, element))
