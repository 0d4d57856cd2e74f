"""Where in a host there may be lesions: its head or brain, and how deep below the surface every voxel lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_consingan.background import Background, find_background
from monai_consingan.transforms.head import edge_distance, head_mask, is_skull_stripped

WHOLE_HEAD_EDGES_MM = (15.0, 12.0, 9.0, 6.0, 3.0)
BRAIN_EDGE_MM = 3.0


@dataclass(frozen=True)
class Room:
    """Where in a host there may be lesions.

    Attributes:
        mask: the head or brain, boolean (\\*spatial).
        name: what errors call it.
        distance: depth in mm below its surface, float32 (\\*spatial).
        edges: distances from the edge to try, largest first.
    """

    mask: np.ndarray
    name: str
    distance: np.ndarray
    edges: tuple[float, ...] = (BRAIN_EDGE_MM,)

    @classmethod
    def of(
        cls,
        image: np.ndarray,
        spacing: Sequence[float],
        brain: np.ndarray | None = None,
        background: Background | None = None,
        air: float | None = None,
        reach_mm: float = np.inf,
        hidden: np.ndarray | None = None,
    ) -> Room:
        """The room of a host: all of its head or brain.

        Args:
            image: array of shape (\\*spatial).
            spacing: mm per spatial axis.
            brain: mask of the brain, boolean (\\*spatial), instead of the head found in the image.
            background, air: the image's, if they are known.
            reach_mm: how deep below the surface distances are exact (:func:`edge_distance`).
            hidden: what does not belong to it whatever the image shows, boolean (\\*spatial).
        """
        if brain is None:
            mask = head_mask(image, spacing=spacing, background=background, air=air)
        else:
            mask = brain & ~(find_background(image) if background is None else background).outside(image)
        mask = mask if hidden is None else mask & ~hidden
        return cls(mask, "head" if brain is None else "brain mask", edge_distance(mask, spacing, reach_mm))

    def narrowed(self, image: np.ndarray, spacing: Sequence[float], background: Background | None = None) -> Room:
        """The room for automatic placement, that of a whole head narrowed to the skull; takes this one's place."""
        if self.name != "head" or is_skull_stripped(image, self.mask, self.distance, background):
            return self
        deepest = np.unravel_index(int(np.argmax(self.distance)), self.distance.shape)
        grid = np.ogrid[tuple(slice(n) for n in image.shape)]
        first, *others = (((g - d) * mm) ** 2 for g, d, mm in zip(grid, deepest, spacing, strict=True))
        reach = self.distance.max() ** 2
        for plane, away in zip(self.distance, first, strict=True):  # one by one, to spare memory
            plane[sum((other[0] for other in others), away) > reach] = 0.0
        return replace(self, edges=WHOLE_HEAD_EDGES_MM)
