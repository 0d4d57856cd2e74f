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

from monai_consingan.arrays import image_identity
from monai_consingan.background import find_background
from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.head import head_mask
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.kept_hosts import KEPT
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, find_symmetry, head_symmetry


@cached(LRUCache(KEPT), key=lambda mark, values, spacing: (mark, spacing), lock=RLock())
def known_head(mark: tuple[Any, ...], values: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The head of a host, as :class:`monai_consingan.transforms.HostKnowledge` has it.

    Args:
        mark: what tells the host (:func:`monai_consingan.arrays.image_identity`).
        values: the host, (C, \\*spatial).
        spacing: mm per spatial axis.

    Returns:
        Where the first channel shows the head and none its background, boolean (\\*spatial), not to be written to.
    """
    head = head_mask(values[0], spacing=spacing)
    if len(values) > 1:
        for channel in values:
            head = head & ~find_background(channel).outside(channel)
    head.flags.writeable = False
    return head


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
