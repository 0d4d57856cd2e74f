from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter

from monai_consingan.transforms import MatchedFill
from monai_consingan.transforms.stiffness import Stiffness, bent_fill

_THICK = 6
MakeSlices = Callable[..., np.ndarray]
MM = (1.0, 1.0, 1.0)


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
