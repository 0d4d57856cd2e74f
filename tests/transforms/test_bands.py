from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from monai_consingan.transforms.bands import alike, mean_of_known


def test_a_mean_of_what_is_known_is_deaf_to_the_rest() -> None:
    rng = np.random.default_rng(0)
    known = np.linalg.norm(np.indices((15, 14, 13)) - 7.0, axis=0) < 5
    flat, rough = np.full(known.shape, 7.0), rng.uniform(size=known.shape)
    means = [
        mean_of_known(np.where(known, np.stack([flat, rough]), junk), known, (1.0, 1.5, 0.5)) for junk in (0.0, 1e9)
    ]
    np.testing.assert_array_equal(*means)
    assert means[0][0][known] == pytest.approx(7.0)
    everywhere = np.ones_like(known)
    assert mean_of_known(rough[None], everywhere, (1.0,) * 3)[0] == pytest.approx(gaussian_filter(rough, 1.0))


def test_how_alike_textures_are() -> None:
    one, other = np.random.default_rng(1).normal(size=(2, 3, 40, 40, 10))
    where = np.zeros(one.shape[1:], bool)
    where[4:] = True
    other[0], other[1] = 3 * one[0], -one[1]
    other[2] = 0.6 * one[2] + 0.8 * other[2]
    one[:, ~where] = 1e9
    found = alike(one, other, where)
    assert found.shape == (3, 1, 1, 1)
    assert found.ravel() == pytest.approx([1.0, 0.0, 0.6], abs=0.03)
    assert not alike(one, np.zeros_like(other), where).any()
