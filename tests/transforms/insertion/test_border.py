from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from monai_consingan.transforms.insertion.border import Depths, ShellMeans, Shells


def test_means_of_shells() -> None:
    shells = ShellMeans(np.array([1.0, 1, 1, 1, 2, 2, 2, 2]), (1.0, 1.0))
    assert shells.distances.tolist() == [1, 2] and shells.of(np.arange(8.0)).tolist() == [1.5, 5.5]


def test_small_shells_far_away_are_one() -> None:
    shells = ShellMeans(np.array([1.0, 1, 1, 1, 2, 2, 3, 3]), (1.0, 1.0))
    assert shells.distances.tolist() == [1, 2.5] and shells.of(np.arange(8.0)).tolist() == [1.5, 5.5]


@given(st.integers(0, 1000), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_between_shells_means_are_interpolated(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    distance, values = rng.uniform(0.1, 4, (count,)), rng.normal(size=count)
    shells = ShellMeans(distance, (1.0, 2.0))
    assert np.allclose(shells.at(values), np.interp(distance, shells.distances, shells.of(values)), atol=1e-12)


def _shells(mask: np.ndarray) -> tuple[Shells, np.ndarray]:
    """Shells up to 4 mm outside, and the distance of every voxel, below 0 inside."""
    depth, around = distance_transform_edt(mask), distance_transform_edt(~mask)
    return Shells(Depths(mask, mask, depth, around), (1.0,) * 3, 4.0), around - depth


def test_without_its_means_nothing_hangs_on_the_distance() -> None:
    mask = np.linalg.norm(np.indices((21, 21, 21)) - 10.0, axis=0) < 5
    shells, distance = _shells(mask)
    noise = np.random.default_rng(0).normal(size=mask.shape)
    rest = np.where(mask, 7.0, 3.0) + noise
    rest = rest - shells.means(rest)
    for low in (-4, -3, -2, 0, 1, 2, 3):
        assert abs(rest[(distance > low) & (distance <= low + 1)].mean()) < 0.15


def test_beyond_the_reach_means_are_none() -> None:
    mask = np.zeros((15, 15, 15), bool)
    mask[7, 7, 7] = True
    shells, distance = _shells(mask)
    assert (shells.means(np.ones(mask.shape))[distance > 4] == 0).all()


def test_means_do_not_show_the_steps_of_voxels() -> None:
    # a plane that is slightly oblique: its border steps once in 8 voxels
    depth, along = np.indices((24, 24, 24))[:2]
    mask = depth > 10 + along / 8
    shells, _ = _shells(mask)
    step = np.where(mask, 100.0, 0.0)
    rough = [np.abs(np.diff(part, 2, axis=1)[8:16, 4:-4]).mean() for part in (shells.means(step), step)]
    assert rough[0] < 0.5 * rough[1]


def test_where_a_mask_has_parts_means_are_those_of_each() -> None:
    mask = np.linalg.norm(np.indices((21, 21, 21)) - 10.0, axis=0) < 5
    parts = mask * np.where(np.indices(mask.shape)[0] < 8, 1, 2)
    depth, around = distance_transform_edt(mask), distance_transform_edt(~mask)
    levels = np.select([parts == 1, parts == 2], [30.0, -10.0], 1.0)
    rest = levels - Shells(Depths(mask, parts, depth, around), (1.0,) * 3, 4.0).means(levels)
    for part in (parts == 1, parts == 2):
        assert abs(rest[part].mean()) < 0.5
        assert abs(rest[part & (depth < 1.5)].mean()) < 0.5
