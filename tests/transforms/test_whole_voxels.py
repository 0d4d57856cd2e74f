from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.transforms.whole_voxels import connected_parts, filled_along_axes, within


@given(st.lists(st.integers(1, 8), min_size=2, max_size=3), st.floats(0, 0.3), st.integers(0, 2**32 - 1))
def test_parts_are_all_of_a_mask_and_touch_nowhere(shape: list[int], share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    everything = tuple(slice(0, size) for size in shape)
    parts = [within(part, box, everything) for box, part in connected_parts(mask)]
    assert (np.sum(parts, axis=0) == mask).all() if parts else not mask.any()
    for one, other in ((a, b) for a in parts for b in parts if a is not b):
        far = np.abs(np.argwhere(one)[:, None] - np.argwhere(other)[None]).max(axis=2)
        assert far.min() > 1


def test_what_lies_between_parts_of_a_mask_has_some_of_it_on_both_sides() -> None:
    mask = np.zeros((7, 6), bool)
    mask[1, 2] = mask[5, 2] = mask[3, 4] = True
    expected = mask.copy()
    expected[1:6, 2] = True
    np.testing.assert_array_equal(filled_along_axes(mask), expected)
