from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from monai_consingan.transforms.bands import Means, alike, as_strong, mean_of_known


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


@settings(max_examples=15, deadline=None)
@given(sigma=st.floats(0.3, 6), shape=st.tuples(*[st.integers(1, 14)] * 3), seed=st.integers(0, 99))
def test_means_are_those_of_a_gaussian_filter(sigma: float, shape: tuple[int, ...], seed: int) -> None:
    random = np.random.RandomState(seed)
    image, where = random.normal(100, 10, shape), random.random(shape) < 0.7
    sigmas = (sigma, 0.0, 1.0)
    how: dict[str, Any] = {"mode": "constant", "truncate": 3.0}
    weight = gaussian_filter(where.astype(float), sigmas, **how)
    wanted = gaussian_filter(np.where(where, image, 0.0), sigmas, **how) / np.maximum(weight, 1e-9)
    sure = weight > 1e-6
    np.testing.assert_allclose(Means(where, sigmas)(image)[sure], wanted[sure], rtol=1e-6)
    box = tuple(slice(size // 3, size - size // 4) for size in shape)
    part = Means(where, sigmas, box)(image)
    np.testing.assert_allclose(part[sure[box]], Means(where, sigmas)(image)[box][sure[box]], rtol=1e-9)


def test_bands_become_as_strong_as_the_hosts_within_limits() -> None:
    rng = np.random.default_rng(2)
    fine, coarse = rng.normal(size=(2, 1, 30, 30, 10))
    ring = rng.random(fine.shape[1:]) < 0.5
    nothing = np.zeros_like(fine)
    levels = [(fine + coarse, 0.8 * fine + 10 * coarse), (coarse, 10 * coarse), (nothing, nothing)]
    np.testing.assert_allclose(as_strong(levels, ring, most=2.0), fine + 5 * coarse)
