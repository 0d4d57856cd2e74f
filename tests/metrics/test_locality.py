from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import changed_outside


@given(
    changed=st.sets(st.integers(0, 63), max_size=20),
    allowed=st.sets(st.integers(0, 63), max_size=40),
)
def test_counts_changes_where_the_weight_is_zero(changed: set[int], allowed: set[int]) -> None:
    before = np.arange(64, dtype=np.int16).reshape(1, 4, 4, 4)
    after, weight = before.copy(), np.zeros((1, 4, 4, 4), dtype=np.float32)
    after.ravel()[list(changed)] += 1
    weight.ravel()[list(allowed)] = 1e-6
    assert changed_outside(before, after, weight) == len(changed - allowed)
    tensors = (torch.from_numpy(before), MetaTensor(torch.from_numpy(after)), torch.from_numpy(weight))
    assert changed_outside(*tensors) == len(changed - allowed)


def test_smallest_change_counts_and_nan_equals_nan() -> None:
    before = np.array([[1.0, np.nan, np.nan, 4.0]])
    after = np.array([[np.nextafter(1.0, 2.0), np.nan, 3.0, 4.0]])
    assert changed_outside(before, after, np.zeros((1, 4))) == 2


def test_shapes_must_agree() -> None:
    with pytest.raises(ConSinGANError, match=r"\(1, 3\)"):
        changed_outside(np.zeros((1, 4)), np.zeros((1, 4)), np.zeros((1, 3)))
