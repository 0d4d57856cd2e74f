"""What a removal has to know of a host, kept in memory for the last few hosts: its head and its plane of symmetry.

Of what :class:`monai_consingan.transforms.HostKnowledge` has it needs the head only: in a third of the time, and also
of hosts that no lesion is put into, as a channel of them is constant.
"""

from __future__ import annotations

from collections.abc import Hashable
from threading import RLock
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from scipy import ndimage

from monai_consingan.arrays import image_identity
from monai_consingan.background import find_background
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.head import head_mask
from monai_consingan.transforms.host_knowledge import KEPT, HostKnowledge
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, find_symmetry, head_symmetry
from monai_consingan.transforms.whole_voxels import filled_along_axes


@cached(LRUCache(KEPT), key=lambda mark, values, spacing: (mark, spacing), lock=RLock())
def known_head(mark: tuple[Any, ...], values: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The head of a host without what is background there, such as the air in a stripped brain's sulci.

    Args:
        mark: what tells the host (:func:`monai_consingan.arrays.image_identity`).
        values: the host, (C, \\*spatial).
        spacing: mm per spatial axis.

    Returns:
        Where the first channel shows the head and none its background, boolean (\\*spatial), not to be written to.
    """
    head = head_mask(values[0], spacing=spacing) & ~background_in_any(values)
    head.flags.writeable = False
    return head


def told_head(told: HostKnowledge, values: np.ndarray) -> np.ndarray:
    """The same of a host, or of a part of it, (C, \\*spatial), of which something is known."""
    if len(values) > 1:  # it has no background
        return told.head
    return told.head & ~told.channels[0].background.outside(values[0])


def background_in_any(values: np.ndarray) -> np.ndarray:
    """Where any channel of a host, (C, \\*spatial), is background that is connected with its border, boolean."""
    return np.any([find_background(channel).outside(channel) for channel in values], axis=0)


def head_with(head: np.ndarray, lesion: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A head and the lesion in it, also where that is as dark as air, such as a cyst at a brain's surface.

    What is background is none, unless most of the lesion is: then it is a void that was cut out of the image.

    Args:
        head: boolean (\\*spatial), as the next.
        lesion: what the label marks.
        values: the host, (C, \\*spatial).
    """
    left_out = lesion & ~head
    if not left_out.any():
        return head
    air = left_out & background_in_any(values)
    return head | (left_out if 2 * np.count_nonzero(air) > np.count_nonzero(lesion) else left_out & ~air)


def check_in_head(marks: np.ndarray, lesion: np.ndarray, head: np.ndarray) -> None:
    """Refuse a label value that mostly marks the air around the head, as one for what nobody annotated may.

    Such a value reaches an edge of the image that the head does not. A void that was cut out of the head does not: it
    lies between parts of the head, or at its surface.

    Args:
        marks: the label, (\\*spatial).
        lesion: what of it is to be removed, boolean, as the next.
        head: where the image shows the head.

    Raises:
        ConSinGANError: such a value.
    """
    if not head.any() or not (lesion & ~head).any():
        return
    parts, _ = ndimage.label(lesion & ~filled_along_axes(head))
    edges = [(axis, end) for axis in range(head.ndim) for end in (0, -1) if not head.take(end, axis).any()]
    out = np.isin(parts, [part for axis, end in edges for part in np.unique(parts.take(end, axis)) if part])
    for value in np.unique(marks[out]):
        count, beyond = (int(np.count_nonzero(part & (marks == value))) for part in (lesion, out))
        if 2 * beyond > count:
            raise ConSinGANError(
                f"label value {value} marks {count} voxels, of which {beyond} lie in the air around the head, where no "
                "lesion is: mend the label, or name the values that are lesions (lesion_labels)."
            )


def known_plane(
    mark: tuple[Any, ...],
    image: Any,
    affine: Any,
    symmetry: str | float | SymmetryPlane,
    axis: int | None,
    ill: np.ndarray,
    told: HostKnowledge | None = None,
) -> SymmetryPlane:
    """The plane of symmetry of a host (:func:`head_symmetry`, whose arguments and errors these are).

    Args:
        mark: what tells the host, as above.
        told: what is known of the host; if that is its plane, it is not looked for.
    """
    if not isinstance(symmetry, str):  # it is given
        return find_symmetry(image, affine, symmetry, axis)
    fact = plane_fact(symmetry, axis)
    if told is not None and fact in told.facts:
        plane, reason = told.facts[fact]
    else:
        plane, reason = found_plane(mark, image, affine, symmetry, axis, ill)
    if plane is None:
        raise NoPlaceError(reason)
    return plane


def plane_fact(symmetry: str | float | SymmetryPlane, axis: int | None) -> Hashable:
    """What a host's plane of symmetry is called among its facts, where it is a result of :func:`found_plane`."""
    return ("plane", symmetry, axis)


def _plane_key(
    mark: tuple[Any, ...], image: Any, affine: Any, symmetry: Any, axis: int | None, ill: np.ndarray
) -> tuple[Any, ...]:
    return mark, np.asarray(affine).tobytes(), symmetry, axis, image_identity(ill)


@cached(LRUCache(KEPT), key=_plane_key, lock=RLock())
def found_plane(
    mark: tuple[Any, ...], image: Any, affine: Any, symmetry: Any, axis: int | None, ill: np.ndarray
) -> tuple[SymmetryPlane | None, str]:
    """The plane of :func:`known_plane`, or None and the reason why there is none; the arguments are the same."""
    try:
        return head_symmetry(image, affine, symmetry, axis, ill), ""
    except NoPlaceError as reason:
        return None, str(reason)
