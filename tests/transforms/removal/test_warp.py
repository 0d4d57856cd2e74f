from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from monai_consingan.distance import outside_distance
from monai_consingan.metrics import texture
from monai_consingan.transforms import MatchedFill
from monai_consingan.transforms.removal.warp import Warp, _nearest, _some, fitted_warp

LIMITS = 8.0, 1.5


def tissue(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    smooth = gaussian_filter(np.random.RandomState(seed).normal(size=shape), 3, mode="wrap")
    return 100 + 20 * smooth / smooth.std()


def stretched(shape: tuple[int, ...], middle: float, by: float) -> np.ndarray:
    """Where what a host shows lies in its source: farther along the first axis, the farther from the middle."""
    places = np.stack(np.meshgrid(*(np.arange(side, dtype=float) for side in shape), indexing="ij"))
    places[0] += by * (places[0] - middle)
    return places


def block(shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(side // 2 - 6, side // 2 + 6) for side in shape)] = True
    return mask


def test_finds_how_a_source_is_stretched() -> None:
    shape = 36, 34, 32
    source, mask = tissue(shape), block(shape)
    places = stretched(shape, shape[0] / 2, 0.2)
    host = 30 + np.where(mask, 500.0, map_coordinates(source, places, order=3, mode="nearest"))
    distance, all_ = outside_distance(mask, (1, 1, 1)), np.ones(shape, bool)
    warp = fitted_warp(host[None], source[None], ~mask, all_, distance, LIMITS, (1, 1, 1))
    assert np.abs(warp.places - places)[:, mask].max() < 0.4
    filled, moved = (MatchedFill(structure=1, texture=0, warp_mm=mm)(host, source, mask) for mm in (1.5, 0))
    truth = 30 + map_coordinates(source, places, order=3, mode="nearest")
    assert np.abs(filled - truth)[mask].mean() < 0.7 * np.abs(moved - truth)[mask].mean()


def test_nothing_moves_where_nothing_is_told() -> None:
    shape = (40, 38, 36)
    source, mask = tissue(shape), block(shape)
    host = np.roll(source, 1, axis=0)
    distance, grid, everywhere = outside_distance(mask, (1, 1, 1)), np.indices(shape, float), np.ones(shape, bool)
    warp = fitted_warp(host[None], source[None], ~mask, everywhere, distance, LIMITS, (1, 1, 1))
    assert np.abs(warp.places[0] + 1 - grid[0])[mask].max() < 0.2
    for told, usable in ((~everywhere, everywhere), (~mask, ~everywhere)):
        warp = fitted_warp(host[None], source[None], told, usable, distance, LIMITS, (1, 1, 1))
        np.testing.assert_array_equal(warp.places, grid)


def test_takes_nothing_that_is_not_usable() -> None:
    """What a warp would bring from a lesion of the source is not taken: the source is moved only."""
    source, mask = tissue((44, 34, 32)), block((44, 34, 32))
    places = stretched(mask.shape, 22, 0.3)
    host = np.where(mask, 500.0, map_coordinates(source, places, order=3, mode="nearest"))
    usable = np.ones(mask.shape, bool)
    usable[28:31] = False  # beside the mask, but within what it is stretched to
    seen = np.where(usable, source, 5000.0)
    filled, moved = (MatchedFill(0, texture=0, warp_mm=mm)(host, seen, mask, usable=usable) for mm in (1.5, 0))
    assert filled[mask].max() < 250
    np.testing.assert_array_equal(filled, moved)


@pytest.mark.parametrize("plainer", [0.5, 0.8])
def test_is_rough_where_the_source_is(plainer: float) -> None:
    """A place that is plainer than its surroundings in the other hemisphere is plainer here, too."""
    shape = (44, 42, 40)
    mask, random = block(shape), np.random.RandomState(1)
    source = 100 + np.where(mask, plainer, 1.0) * random.normal(scale=3.0, size=shape)
    filled = MatchedFill(0)(100 + random.normal(scale=5.0, size=shape), source, mask)
    assert abs(texture(filled[None], mask[None]) - plainer**2) < 0.35 * (1 - plainer**2)


def test_a_warp_says_where_what_comes_is_of_use() -> None:
    source, mask = tissue((40, 36, 34)), block((40, 36, 34))
    usable = np.ones(mask.shape, bool)
    usable[:12] = False
    warp = Warp(np.indices(mask.shape, float) + np.reshape([3, 0, 0], (3, 1, 1, 1)), usable, _nearest(usable))
    sound = warp.sound
    np.testing.assert_array_equal(sound, np.roll(usable, -3, 0) & (np.indices(mask.shape)[0] < 37))
    assert warp.lost(usable, mask) == 0 and warp.lost(usable, ~mask) == (~sound).sum()
    nearest, cubic = (warp.values(np.where(usable, source, 1e6), order) for order in (0, 3))
    np.testing.assert_array_equal(nearest[sound], np.roll(source, -3, 0)[sound])
    np.testing.assert_allclose(cubic[sound], np.roll(source, -3, 0)[sound])


@pytest.mark.parametrize("sides", [(20, 21, 22), (19, 19, 24)])
def test_the_voxels_that_are_looked_at_hang_on_no_axis(sides: tuple[int, ...]) -> None:
    rng = np.random.RandomState(0)
    region, ring = np.zeros(sides, bool), rng.rand(*sides) < 0.7
    region[5:9, 4:11, 6:13] = rng.rand(4, 7, 7) < 0.8
    looked_at = np.zeros(sides, bool)
    looked_at[_some(ring, region)] = True
    assert 0.2 < looked_at.sum() / ring.sum() < 0.3
    assert not looked_at[~ring].any()
    for turned in (lambda x: np.flip(x, (0, 2)), lambda x: np.transpose(x, (2, 0, 1)), lambda x: x[1:, 2:, 3:-1]):
        again = np.zeros(turned(ring).shape, bool)
        again[_some(turned(ring), turned(region))] = True
        np.testing.assert_array_equal(again, turned(looked_at))


def test_a_flat_host_warps_nothing() -> None:
    source, mask = tissue((40, 36, 34)), block((40, 36, 34))
    how = np.ones(mask.shape, bool), outside_distance(mask, (1, 1, 1)), LIMITS, (1, 1, 1)
    warp = fitted_warp(np.zeros((1, *mask.shape)), source[None], ~mask, *how)
    np.testing.assert_array_equal(warp.places, np.indices(mask.shape, float))
