from __future__ import annotations

import math

import numpy as np
import pytest

from monai_consingan.metrics import level_jump


def tissue(seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(100, 5, (1, 40, 40, 20))


MASK = np.zeros((1, 40, 40, 20))
MASK[0, 12:28, 12:28, 4:16] = 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_bands_are_found_along_their_axis_only(axis: int) -> None:
    image = tissue()
    bands = np.moveaxis(image, 1 + axis, -1)
    bands[..., ::2] += 5 * np.moveaxis(MASK, 1 + axis, -1)[..., ::2]
    found = [level_jump(image, MASK, along=along) for along in range(3)]
    assert found.pop(axis) > 2 * max(found)


def test_gain_offset_and_slopes_do_not_matter() -> None:
    image = tissue()
    slope = np.arange(20.0) * 7
    for along in range(3):
        found = level_jump(image, MASK, along=along)
        assert level_jump(3 * image + 500, MASK, along=along) == pytest.approx(found)
        assert level_jump(image + slope, MASK, along=along) == pytest.approx(found)


def test_what_has_no_three_slices_is_not_measurable() -> None:
    assert math.isnan(level_jump(tissue(), np.where(np.arange(20) < 6, MASK, 0), along=2))
    assert math.isnan(level_jump(tissue()[..., :2], MASK[..., 4:6], along=2))


def test_even_surroundings() -> None:
    flat = np.full((1, 40, 40, 20), 7.0)
    assert math.isnan(level_jump(flat, MASK, along=2))
    flat[..., ::2] += MASK[..., ::2]
    assert level_jump(flat, MASK, along=2) == math.inf
