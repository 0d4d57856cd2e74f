"""Lesions of a label: numbered, and one of them kept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data.stored import source_name
from monai_consingan.distance import bounding_box, marked_box
from monai_consingan.errors import ConSinGANError

LESION_CHOICES = ("largest", "random")
"""Words that choose one of several lesions; a number from 1 does, too."""


def number_lesions(values: np.ndarray, lesion_labels: Iterable[int] | None = None) -> NDArray[np.int32]:
    """Number the lesions of a label, the largest first.

    A lesion is a part of the whole label whose voxels touch each other, over edges and corners too, and that holds a
    value that counts as lesion: a core and the oedema around it are one. It is as large as it has voxels of such
    values; of lesions of one size that whose first voxel comes first in the array is first.

    Args:
        values: whole numbers of shape (\\*spatial), 0 for background.
        lesion_labels: values that make a part a lesion, and that its size is measured by; ``None`` for all.

    Returns:
        Array of the same shape, 1 to the number of lesions in all voxels of each, 0 elsewhere.

    Example:
        >>> number_lesions(np.array([1, 0, 2, 1, 1, 0, 2]), [1]).tolist()
        [2, 0, 1, 1, 1, 0, 0]
    """
    marked, found = values > 0, np.zeros(values.shape, np.int32)
    if marked.any():
        box = bounding_box(marked)
        parts, count = ndimage.label(marked[box], np.ones((3,) * values.ndim))
        sizes = np.bincount(parts[lesion_voxels(values[box], lesion_labels) & marked[box]], minlength=count + 1)
        order = np.argsort(-sizes[1:], kind="stable")[: np.count_nonzero(sizes[1:])]
        numbers = np.zeros(count + 1, np.int32)
        numbers[order + 1] = np.arange(1, len(order) + 1)
        found[box] = numbers[parts]
    return found


def lesion_voxels(values: np.ndarray, lesion_labels: Iterable[int] | None = None) -> NDArray[np.bool_]:
    """Where a label has a value that counts as lesion: one of those given, or any above 0 if none are."""
    wanted, marked = () if lesion_labels is None else tuple(lesion_labels), values > 0
    if wanted and marked.any():
        box = bounding_box(marked)
        marked[box] = np.isin(values[box], wanted)
    return marked


def lesion_apart(values: np.ndarray, inside: NDArray[np.bool_], ill: NDArray[np.bool_]) -> np.ndarray:
    """A label in which a lesion keeps its values, and all else that is ill has one more than the largest of the label.

    Args:
        values: the label, whole numbers.
        inside: the lesion, boolean array of the same shape.
        ill: all lesions, this one too.

    Returns:
        Array of the same shape, 0 elsewhere, of the label's type if that holds the numbers.

    Example:
        >>> label = np.array([0, 1, 2, 0, 2], np.uint8)
        >>> lesion_apart(label, np.array([False, True, True, False, False]), label > 0)
        array([0, 1, 2, 0, 3], dtype=uint8)
    """
    other, near = int(values.max(initial=0)) + 1, marked_box(ill)
    marks = np.zeros(values.shape, np.promote_types(values.dtype, np.min_scalar_type(other)))
    marks[near] = np.where(inside[near], values[near], other * ill[near])
    return marks


def check_lesion(choice: int | str) -> None:
    """Refuse what chooses no lesion.

    Raises:
        ConSinGANError: neither one of :data:`LESION_CHOICES` nor a whole number from 1.
    """
    if choice not in LESION_CHOICES and not (isinstance(choice, (int, np.integer)) and choice >= 1):
        raise ConSinGANError(f"lesion is {choice!r}: give {' or '.join(LESION_CHOICES)}, or a number from 1.")


def keep_lesion(
    label: MetaTensor, numbers: np.ndarray, choice: int | str = "largest", *, seed: int = 0, name: str = "label"
) -> tuple[MetaTensor, int]:
    """A label of which one lesion is kept.

    Args:
        label: whole numbers, (1, \\*spatial).
        numbers: its lesions by :func:`number_lesions`, (\\*spatial).
        choice: a lesion's number, ``"largest"`` or ``"random"``, all that the label shows with the same chance.
        seed: seed of a random choice.
        name: what the label is to the user, for errors.

    Returns:
        The label, 0 outside of the lesion, and the lesion's number.

    Raises:
        ConSinGANError: the label shows no such lesion.
    """
    check_lesion(choice)
    values = as_array(label)
    shown = values[0] > 0
    present = np.unique(numbers[shown])
    if choice == "random":
        choice = int(present[np.random.RandomState(seed).randint(len(present))])
    number = int(present[0] if choice == "largest" else choice)
    if number not in present:
        what = f"{name} {source_name(label)}".strip()
        there = ", ".join(map(str, present))
        raise ConSinGANError(f"lesion is {number}, but {what} shows only {there}: give one of these.")
    kept = np.zeros_like(values)
    kept[0][shown] = np.where(numbers[shown] == number, values[0][shown], 0)
    return wrap_like(kept, label), number
