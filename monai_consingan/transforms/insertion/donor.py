"""A donor of lesions, as a user gives it and as it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

from monai.transforms import LoadImage

from monai_consingan.errors import ConSinGANError


class Donor(NamedTuple):
    """A lesion to take, as it is read."""

    image: Any
    """Image of shape (C, \\*spatial)."""
    label: Any
    """Its labels, (1, \\*spatial); every part of values above 0 is a lesion."""
    valid: Any = None
    """Above 0 where its tissue may be taken, such as off its other lesions, (1, \\*spatial); None for everywhere."""
    level: float | None = None
    """Intensity of the surroundings, if it is known (:func:`level_around`)."""
    lesion_labels: tuple[int, ...] | None = None
    """Label values that are the lesion itself; others, such as oedema, come along within tissue. None for all."""


def read_donor(entry: Any, loader: Callable[[Any], Any] | None = None) -> Donor:
    """A donor that a user gives, channel first.

    Args:
        entry: pair of image and label, or mapping with the keys ``"image"`` and ``"label"``; arrays, tensors or paths.
            A :class:`Donor`, such as one of a bank, is read already.
        loader: turns a path into an image of shape (C, \\*spatial); None stands for MONAI's LoadImage.
    """
    if isinstance(entry, Donor):
        return entry
    pair = check_entry(entry)
    load = loader or LoadImage(image_only=True, ensure_channel_first=True)
    return Donor(*(load(part) if isinstance(part, (str, PathLike)) else part for part in pair))


def read_one(entries: Sequence[Any], loader: Callable[[Any], Any] | None, number: int) -> Donor:
    """One of the donors that a user gives (:func:`read_donor`)."""
    return read_donor(entries[number], loader)


def check_entry(entry: Any) -> tuple[Any, Any]:
    """Image and label of a donor that a user gives, or their paths.

    Raises:
        ConSinGANError: for anything but a pair, or a mapping with the keys ``"image"`` and ``"label"``.
    """
    if isinstance(entry, Donor):
        return entry.image, entry.label
    if isinstance(entry, Mapping):
        missing = [key for key in ("image", "label") if key not in entry]
        if missing:
            raise ConSinGANError(f"a donor has no {' and no '.join(missing)}; give both under these keys.")
        return entry["image"], entry["label"]
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        parts = f"{len(entry)} parts" if isinstance(entry, (tuple, list)) else f"the type {type(entry).__name__}"
        raise ConSinGANError(f"a donor has {parts}; give an image and a label.")
    return entry[0], entry[1]
