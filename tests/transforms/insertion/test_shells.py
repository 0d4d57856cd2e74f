from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from monai_consingan.transforms.insertion.shells import Shells, shell_means


def test_means_of_shells() -> None:
    distances, means = shell_means(np.array([1.0, 1, 1, 1, 2, 2, 2, 2]), np.arange(8.0), (1.0, 1.0))
    assert distances.tolist() == [1, 2] and means.tolist() == [1.5, 5.5]


def test_small_shells_far_away_are_one() -> None:
    distances, means = shell_means(np.array([1.0, 1, 1, 1, 2, 2, 3, 3]), np.arange(8.0), (1.0, 1.0))
    assert distances.tolist() == [1, 2.5] and means.tolist() == [1.5, 5.5]


def test_what_depends_on_distance_only_is_its_own_mean() -> None:
    mask = np.linalg.norm(np.indices((21, 21, 21)) - 10.0, axis=0) < 5
    depth, around = distance_transform_edt(mask), distance_transform_edt(~mask)
    shells = Shells(mask, depth, around, (1.0,) * 3, 4.0)
    values = np.where(mask, 7.0, 3.0)
    assert np.allclose(shells.means(values), np.where(around <= 4, values, 0))
    noise = np.random.default_rng(0).normal(size=mask.shape)
    assert abs(shells.means(noise - shells.means(noise))[mask].mean()) < 0.01
