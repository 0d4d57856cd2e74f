"""Hosts of which is kept in memory what was worked out, told from others by all of their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock
from typing import Any

from cachetools import LRUCache, cached
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, image_identity, spacing_of
from monai_consingan.transforms.host_knowledge import HostKnowledge

KEPT = 4
"""How many hosts."""


def _told(
    image: NdarrayOrTensor,
    region: NdarrayOrTensor | None = None,
    spacing: Sequence[float] | float | None = None,
    lead: int = 0,
) -> tuple[Any, ...]:
    """What tells a host, and what is asked of it, from others."""
    affine = as_array(image.affine).tobytes() if isinstance(image, MetaTensor) else b""
    return *(image_identity(part) for part in (image, region)), spacing_of(image, spacing), affine, lead


@cached(LRUCache(KEPT), key=_told, lock=RLock())
def known_host(
    image: NdarrayOrTensor,
    region: NdarrayOrTensor | None = None,
    spacing: Sequence[float] | float | None = None,
    lead: int = 0,
) -> HostKnowledge:
    """What is known of a host, kept in memory for the last four, which are told by all of their voxels.

    Args and errors are those of :meth:`HostKnowledge.of`.
    """
    return HostKnowledge.of(image, region, spacing, lead)
