from __future__ import annotations

import numpy as np
import pytest

from monai_consingan.transforms.generation.shapes import axes_and_waves


def _ball(radius: np.ndarray | float, spacing: tuple[float, float, float]) -> np.ndarray:
    """A ball, or what a radius by direction gives, on a grid of 48 mm."""
    axes = [np.arange(0, 48, mm) - 23.7 for mm in spacing]
    away = np.sqrt(sum(part**2 for part in np.meshgrid(*axes, indexing="ij")))
    return np.asarray(away < radius)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 2.5)])
def test_a_ball_is_round_and_has_no_waves(spacing: tuple[float, float, float]) -> None:
    axes, waves = axes_and_waves(_ball(11.0, spacing), spacing)
    assert axes == pytest.approx([1, 1, 1], abs=0.05)
    assert waves.max() < 0.04


def test_an_ellipsoid_has_axes_but_no_waves() -> None:
    grid = (np.mgrid[:48, :48, :48] - 23.5) / np.array([8, 10, 16])[:, None, None, None]
    axes, waves = axes_and_waves((grid**2).sum(axis=0) < 1, (1.0, 1.0, 1.0))
    assert axes == pytest.approx(np.array([8, 10, 16]) / np.cbrt(8 * 10 * 16), rel=0.03)
    assert waves.max() < 0.03


@pytest.mark.parametrize(("around", "strongest"), [(3, 0), (5, 1), (18, 2)])
def test_waves_are_told_by_their_length(around: int, strongest: int) -> None:
    x, y, z = np.mgrid[:96, :96, :96] - 47.5
    level = np.sqrt(x**2 + y**2) / np.maximum(np.sqrt(x**2 + y**2 + z**2), 1e-6)
    radius = 30 * (1 + 0.1 * level**around * np.cos(around * np.arctan2(y, x)))
    _, waves = axes_and_waves(np.sqrt(x**2 + y**2 + z**2) < radius, (1.0, 1.0, 1.0))
    assert int(np.argmax(waves)) == strongest
