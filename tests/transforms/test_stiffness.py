from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from monai_consingan.transforms.stiffness import Stiffness

MakeSlices = Callable[..., np.ndarray]
_THICK = 6


def _bends(image: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(image, 2, axis=2))


def _at_slices() -> np.ndarray:
    return np.arange(1, 36) % _THICK == 0


@given(st.integers(0, 100))
@settings(max_examples=5, deadline=None)
def test_a_change_bends_where_the_image_does(thick_slices: MakeSlices, seed: int) -> None:
    image = thick_slices(seed)
    everywhere = np.ones(image.shape, bool)
    (stiff,) = Stiffness.of(image[None], everywhere, everywhere, (1.0, 1.0, 1.0))
    assert stiff.axes == (2,)
    change = gaussian_filter(np.random.default_rng(seed + 1).normal(size=image.shape), 1.5)
    bent = stiff.applied(change, everywhere, np.ones(image.shape))
    at = _at_slices()
    assert _bends(change)[..., ~at].mean() > 0.8 * _bends(change)[..., at].mean()
    assert _bends(bent)[..., ~at].mean() < 0.1 * _bends(bent)[..., at].mean()
    assert np.corrcoef(bent.ravel(), change.ravel())[0, 1] > 0.5


def test_a_change_that_does_not_bend_stays(thick_slices: MakeSlices) -> None:
    image = thick_slices(1)
    everywhere = np.ones(image.shape, bool)
    rng = np.random.default_rng(0)
    change = rng.normal(size=(24, 24, 1)) * np.arange(37) + rng.normal(size=(24, 24, 1))
    bent = Stiffness.of(image[None], everywhere, everywhere, (1.0,) * 3)[0].applied(
        change, everywhere, np.ones(image.shape)
    )
    assert np.allclose(bent, change)


def test_sharp_images_leave_a_change_as_it_is() -> None:
    rng = np.random.default_rng(0)
    image, change = rng.normal(size=(2, 12, 12, 12))
    known, free = np.ones(image.shape, bool), rng.random(image.shape) < 0.5
    (stiff,) = Stiffness.of(image[None], known, known, (1.0,) * 3)
    assert stiff.axes == ()
    assert np.array_equal(stiff.applied(change, free, np.ones(image.shape)), np.where(free, change, 0.0))


def test_nothing_to_measure_by_is_not_stiff() -> None:
    flat, none = np.ones((5, 5, 5)), np.zeros((5, 5, 5), bool)
    assert Stiffness.of(flat[None], ~none, ~none, (1.0,) * 3)[0].axes == ()
    assert Stiffness.of(np.random.default_rng(0).normal(size=(1, 5, 5, 5)), none, none, (1.0,) * 3)[0].axes == ()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_is_the_least_squares_solution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    length = 9
    cost, change = rng.uniform(0, 20, (1, 1, length)), rng.normal(size=(1, 1, length))
    cost[..., [0, -1]] = 0
    free, trust = rng.random((1, 1, length)) < 0.7, rng.uniform(0.1, 1, (1, 1, length))
    found = Stiffness((2,), (cost,)).applied(change, free, trust)[0, 0]
    bends = np.diff(np.eye(length), 2, axis=0)
    inside = np.flatnonzero(free[0, 0])
    matrix = np.concatenate([np.sqrt(trust[0, 0])[:, None] * np.eye(length), np.sqrt(cost[0, 0, 1:-1, None]) * bends])
    right = np.concatenate([np.sqrt(trust[0, 0]) * change[0, 0], np.zeros(length - 2)])
    right[:length][~free[0, 0]] = 0
    wanted = np.zeros(length)
    if inside.size:
        wanted[inside] = np.linalg.lstsq(matrix[:, inside], right, rcond=None)[0]
    assert np.allclose(found, wanted)


def test_an_axis_that_bends_by_rounding_only_is_not_stiff(thick_slices: MakeSlices) -> None:
    image = thick_slices(0)[..., 7:11]  # between two slices
    everywhere = np.ones(image.shape, bool)
    assert Stiffness.of(image[None], everywhere, everywhere, (1.0,) * 3)[0].axes == ()


def test_each_channel_is_measured_by_itself_and_in_a_box_as_in_the_whole(thick_slices: MakeSlices) -> None:
    images = np.stack([thick_slices(0), np.moveaxis(thick_slices(1)[:, :, :24], 2, 0).repeat(2, 2)[:, :, :37]])
    known = np.zeros(images.shape[1:], bool)
    known[5:17, 6:18, 8:30] = True
    box = (slice(3, 19), slice(4, 20), slice(6, 32))
    for image, whole, part in zip(
        images,
        Stiffness.of(images, known, known, (1.0,) * 3),
        Stiffness.of(images, known, known, (1.0,) * 3, box=box),
        strict=True,
    ):
        (alone,) = Stiffness.of(image[None], known, known, (1.0,) * 3)
        assert alone.axes == whole.axes == part.axes != ()
        change = np.random.default_rng(0).normal(size=image.shape)
        found = [one.applied(change, known, np.ones(image.shape)) for one in (alone, whole, part)]
        assert (found[0] == found[1]).all()
        assert (found[0] == found[2]).all()
