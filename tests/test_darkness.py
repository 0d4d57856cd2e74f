from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from monai_consingan.darkness import darkness, noisy_air


def _values(dark: float, noise: float) -> np.ndarray:
    """As many dark values as bright ones, which are about 100."""
    rng = np.random.default_rng(0)
    return np.concatenate([dark + noise * rng.normal(size=2000), 100 + 10 * rng.normal(size=2000)])


@pytest.mark.parametrize("noise", [0.5, 5.0])
def test_two_classes_are_told_apart(noise: float) -> None:
    found = darkness(_values(10.0, noise))
    assert abs(found.dark - 10) < 1 and abs(found.noise - noise) < 0.1 * noise and abs(found.bright - 100) < 3
    assert found.dark + 2 * found.noise < found.level <= found.threshold < 80


def test_what_is_dark_without_noise_has_a_lower_threshold() -> None:
    clean, noisy = darkness(_values(10.0, 0.5)), darkness(_values(10.0, 8.0))
    assert clean.level < noisy.level


def test_one_class_has_nothing_dark() -> None:
    assert darkness(_values(100.0, 10.0)).level == -np.inf


def test_air_is_noisy_and_lies_behind_the_padding() -> None:
    values = _values(10.0, 5.0)
    air, tissue = values[:2000], values[2000:]
    found = noisy_air(values, air, -50.0)
    assert found is not None and found == darkness(values.astype(np.float32))
    assert noisy_air(values, tissue, -50.0) is None  # tissue lies behind it
    assert noisy_air(values, air, 12.0) is None  # that does for air itself
    assert noisy_air(np.concatenate([np.tile(air, 10), tissue]), air, -50.0) is None  # all but a few are dark


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40), st.integers(0, 40), st.sampled_from([1.0, 1 / 3]))
def test_the_threshold_is_that_of_all_values_with_the_bright_cut_off(values: list[int], air: int, scale: float) -> None:
    image = (np.concatenate([np.zeros(air), values]) * scale).astype(np.float32)
    assume(image.min() < image.max())
    found = darkness(image)
    bright = np.median(image[image > image.mean()])
    assert found.bright == bright and found.threshold == threshold_otsu(np.minimum(image, bright))
    low = image[image <= found.threshold]
    assert found.dark == np.median(low)
    assert found.noise == 1.4826 * float(np.median(np.abs(low - np.median(low))))
