from __future__ import annotations

import numpy as np
import pytest

from monai_consingan.transforms.smooth import displacement, jacobian, positions_mm, smooth_noise


def test_jacobian_of_a_scale_is_its_factors() -> None:
    spacing = (1.0, 2.0, 0.5)
    moved = positions_mm((6, 7, 8), spacing) * np.array([0.5, -0.2, 0.0])[:, None, None, None]
    assert jacobian(moved, spacing) == pytest.approx(1.5 * 0.8)


def test_jacobian_finds_a_fold() -> None:
    moved = -2 * positions_mm((6, 6, 6), (1.0, 1.0, 1.0))
    assert jacobian(moved, (1.0, 1.0, 1.0)).max() < 0


@pytest.mark.parametrize("strength", [0.5, 20.0])
def test_a_displacement_folds_nothing(strength: float) -> None:
    moved = displacement((20, 20, 10), (1.0, 1.0, 2.0), [(4.0, strength)], np.random.RandomState(1))
    assert 0 < jacobian(moved, (1.0, 1.0, 2.0)).min() < 1
    assert np.abs(moved).max() > 0.3


def test_without_strength_nothing_moves_and_as_much_is_drawn() -> None:
    shape, spacing, (one, other) = (5, 7, 9), (1.0, 1.0, 2.0), (np.random.RandomState(2), np.random.RandomState(2))
    assert not displacement(shape, spacing, [(4.0, 0.0), (2.0, 0.0)], one).any()
    assert displacement(shape, spacing, [(4.0, 0.5), (2.0, 0.0)], other).any()
    assert one.standard_normal() == other.standard_normal()


def test_noise_is_smooth_in_mm() -> None:
    noise = smooth_noise((40, 40, 40), (1.0, 1.0, 4.0), 2.0, np.random.RandomState(0))
    assert (noise.mean(), noise.std()) == pytest.approx((0, 1))
    steps = [float(np.diff(noise, axis=axis).std()) for axis in range(3)]
    assert steps[2] > 2 * steps[0]
    assert steps[0] == pytest.approx(steps[1], rel=0.1)
