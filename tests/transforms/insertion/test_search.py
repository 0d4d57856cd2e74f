"""What the search on a coarse grid asks of the host's other lesions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.transforms.insertion.search import _OVERLAP, _clear
from monai_consingan.transforms.quick import valid_convolution
from monai_consingan.transforms.room import CoarseGrid, block_means


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.05))
@pytest.mark.parametrize("pads", [(0, 0, 0), (1, 2, 0)])
def test_places_near_other_lesions_are_taken_away(pads: tuple[int, ...], seed: int, share: float) -> None:
    rng = np.random.RandomState(seed)
    blocks, size, start = (6, 7, 5), (2, 3, 1), (1, 0, 2)
    others = np.zeros((20, 25, 9), np.int16)
    others[3:9, 4:17, 3:6] = 4 * (rng.rand(6, 13, 3) < 10 * share)
    kept = rng.rand(*(2 + 2 * pad for pad in pads)).astype(np.float32)
    fits = rng.rand(*(n - 1 for n in blocks)) < 0.9

    spans = tuple(slice(low, low + n * step) for low, n, step in zip(start, blocks, size, strict=True))
    there = np.pad(block_means(others[spans] > 0, size), [(pad, pad) for pad in pads])
    wanted = fits & (valid_convolution(there, np.flip(kept)) <= _OVERLAP)
    _clear(fits, SimpleNamespace(others=others), CoarseGrid(start, size, np.zeros(blocks)), kept, pads)
    assert (fits == wanted).all()
