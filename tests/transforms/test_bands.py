from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from monai_consingan.transforms.bands import mean_of_known


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
