"""Crossfading from a donor's tissue into a host's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import PasteLesion, crossfade

SHAPE = (48, 40)


def disc(radius: float = 9.0) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return (rows - 24) ** 2 + (columns - 20) ** 2 <= radius**2


def noise(seed: int, strength: float = 5.0) -> np.ndarray:
    return np.random.RandomState(seed).normal(100.0, strength, SHAPE)


@given(width=st.floats(0.5, 4.0), seed=st.integers(0, 9))
def test_host_is_untouched_beyond_the_width(width: float, seed: int) -> None:
    host, mask = noise(seed), disc()
    out = crossfade(host, noise(seed + 100), mask, width_mm=width)
    rows, columns = np.indices(SHAPE)
    away = np.sqrt((rows - 24) ** 2 + (columns - 20) ** 2) > 9 + width + 1
    assert np.array_equal(out[away], host[away])
    assert not np.array_equal(out[mask], host[mask])


def test_level_of_the_source_does_not_matter() -> None:
    host, source = noise(0), noise(1)
    assert np.allclose(crossfade(host, source + 300.0, disc()), crossfade(host, source, disc()))


def test_texture_is_as_strong_on_the_border_as_beside_it() -> None:
    """Mixed by its weights, independent noise would lose half of its variance on the border."""
    rows, columns = np.indices(SHAPE)
    depth = np.abs(np.sqrt((rows - 24) ** 2 + (columns - 20) ** 2) - 9.5)
    border, beside = depth < 0.7, (depth > 4) & (depth < 6)
    ratios = []
    for seed in range(20):
        out = crossfade(noise(seed), noise(seed + 100), disc(), width_mm=3.0)
        ratios.append(out[border].var() / out[beside].var())
    assert 0.85 < np.mean(ratios) < 1.15


def test_texture_of_the_source_becomes_as_strong_as_the_hosts() -> None:
    mask = disc()
    out = crossfade(noise(0), noise(1, strength=4.0), mask, width_mm=1.0)
    inner = disc(7.0)
    assert out[inner].std() == pytest.approx(noise(0)[~disc(12.0)].std(), rel=0.15)


def test_slices_by_themselves() -> None:
    host, source, mask = (np.stack([part, part], axis=-1) for part in (noise(0), noise(1), disc()))
    whole = crossfade(host, source, mask, axis=2)
    alone = crossfade(noise(0), noise(1), disc())
    assert np.allclose(whole, alone[..., None])


def test_nothing_to_paste() -> None:
    assert np.array_equal(crossfade(noise(0), noise(1), np.zeros(SHAPE)), noise(0))


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
def test_bad_width(value: float) -> None:
    with pytest.raises(ConSinGANError, match=f"width_mm is {value}; give a positive number of mm"):
        crossfade(noise(0), noise(1), disc(), width_mm=value)


def test_as_a_way_to_paste() -> None:
    host, donor = (noise(seed).round().astype(np.int16)[None] for seed in (0, 1))
    pasted = PasteLesion(blend="crossfade", match="gain", feather_mm=2.0)(
        host, donor + 30, disc().astype(np.uint8)[None]
    )
    assert pasted.image.dtype == np.int16
    assert np.array_equal(pasted.image[0][~disc(12.5)], host[0][~disc(12.5)])
    assert np.array_equal(pasted.label[0] > 0, disc())
    assert abs(pasted.image[0][disc()].mean() - host.mean()) < 3
