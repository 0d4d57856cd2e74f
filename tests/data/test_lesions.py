"""Lesions of a label, by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.data import MetaTensor

from monai_consingan.data import keep_lesion, number_lesions
from monai_consingan.data.lesions import lesion_apart
from monai_consingan.errors import ConSinGANError


@given(arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 2)))
def test_numbers_are_sorted_by_size_and_parts_do_not_touch(label: np.ndarray) -> None:
    numbers = number_lesions(label, [1])
    sizes = np.bincount(numbers[label == 1], minlength=1)[1:].tolist()
    assert sizes == sorted(sizes, reverse=True) and all(sizes)
    assert ((numbers > 0) | (label != 1)).all() and (numbers[label == 0] == 0).all()
    for number in range(1, len(sizes) + 1):
        there = np.argwhere(numbers == number)
        others = np.argwhere((label > 0) & (numbers != number))
        if len(others):
            assert np.abs(there[:, None] - others[None]).max(axis=2).min() > 1


def test_oedema_joins_cores_and_alone_is_no_lesion() -> None:
    label = np.array([[2, 2, 0, 4, 2, 4, 0, 1, 0, 4]])
    assert number_lesions(label, [1, 4]).tolist() == [[0, 0, 0, 1, 1, 1, 0, 2, 0, 3]]
    assert number_lesions(label).tolist() == [[2, 2, 0, 1, 1, 1, 0, 3, 0, 4]]


def test_one_is_kept_by_number_or_word() -> None:
    label = MetaTensor(torch.tensor([[[4, 4, 0, 1, 0, 3]]], dtype=torch.int16), affine=torch.eye(4) * 2)
    numbers = number_lesions(label.numpy()[0])
    kept, number = keep_lesion(label, numbers)
    assert number == 1 and kept.tolist() == [[[4, 4, 0, 0, 0, 0]]]
    assert kept.dtype == label.dtype and torch.equal(kept.affine, label.affine)
    assert keep_lesion(label, numbers, 3)[0].tolist() == [[[0, 0, 0, 0, 0, 3]]]
    assert {keep_lesion(label, numbers, "random", seed=seed)[1] for seed in range(20)} == {1, 2, 3}
    with pytest.raises(ConSinGANError, match="lesion is 4, but label shows only 1, 2, 3: give one of these"):
        keep_lesion(label, numbers, 4)
    with pytest.raises(ConSinGANError, match="'smallest': give largest or random, or a number from 1"):
        keep_lesion(label, numbers, "smallest")


@pytest.mark.parametrize(
    ("other", "dtype", "wanted"), [(2, np.uint8, np.uint8), (255, np.uint8, np.uint16), (9, int, int)]
)
def test_a_lesion_stands_apart_from_the_others(other: int, dtype: type, wanted: type) -> None:
    label = np.array([[0, 1, other, 0, other]], dtype)
    apart = lesion_apart(label, np.array([[False, True, True, False, False]]), label > 0)
    assert apart.dtype == wanted and apart.tolist() == [[0, 1, other, 0, other + 1]]
