"""What a search for a place has to know of the host and of the lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_consingan.distance import outside_distance, reach_box
from monai_consingan.transforms.coarse_grid import unlikeness
from monai_consingan.transforms.host_knowledge import HostKnowledge

RING_MM = 6.0
BEST_SHARE = 0.05


@dataclass
class SearchSpace:
    """What a search has to know of the host.

    Attributes:
        values: intensities of the channel that is looked at, (\\*spatial).
        known: what is known of the host.
        axis: spatial axis perpendicular to the slices, or None for a search in space.
        others: labels of lesions that are there already, (\\*spatial).
        level: intensity of what surrounded the lesion in its donor, in spreads from the median of the head.
        clearance_mm: distance to keep from other lesions.
        channel: which channel that is.
    """

    values: np.ndarray
    known: HostKnowledge
    axis: int | None
    others: np.ndarray
    level: float = 0.0
    clearance_mm: float = 0.0
    channel: int = 0

    @property
    def mm(self) -> tuple[float, ...]:
        """Spacing."""
        return self.known.spacing

    def unlike(self, window: tuple[slice, ...] = ()) -> np.ndarray:
        """Per voxel how unlike the intensity is to that wanted; other lesions are 1. A window gives a part of all."""
        level = self.known.channels[self.channel].level
        return np.where(self.others[window] > 0, 1.0, unlikeness(self.values[window], level, self.level))

    def allowed(self, edge_mm: float) -> np.ndarray:
        """In the box around the head, where a lesion may have voxels: deep enough, and clear of other lesions."""
        allowed = self.known.depth > edge_mm
        pads = [int(np.ceil(self.clearance_mm / mm)) for mm in self.mm]
        near = tuple(slice(max(0, b.start - pad), b.stop + pad) for b, pad in zip(self.known.box, pads, strict=True))
        others = self.others[near] > 0
        if others.any():
            inner = tuple(slice(b.start - n.start, b.stop - n.start) for b, n in zip(self.known.box, near, strict=True))
            close, clear = reach_box(others, self.mm, self.clearance_mm), np.ones(others.shape, bool)
            clear[close] = outside_distance(others[close], self.mm) > self.clearance_mm
            allowed &= clear[inner]
        return allowed

    @property
    def reach(self) -> list[int]:
        """How many voxels along every axis the surroundings of a lesion reach that are looked at."""
        return [0 if axis == self.axis else int(RING_MM // mm) for axis, mm in enumerate(self.mm)]

    def footprint(self, template: np.ndarray) -> np.ndarray:
        """A template and the 6 mm around it, boolean, in a box with margins of :attr:`reach`."""
        padded = np.pad(template, [(more, more) for more in self.reach])
        return np.asarray(outside_distance(padded, self.mm, self.axis) <= RING_MM)
