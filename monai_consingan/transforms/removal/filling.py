"""What a region is filled with, of tissue that lies in place: as much of its structure as fits, level and texture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_consingan.distance import bounding_box
from monai_consingan.transforms.bands import Means, energy, pixel_widths, strength
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.place import ordinary
from monai_consingan.transforms.stiffness import bent_fill

_FEW = 100  # voxels that say half as much of how rough the source is at a place as very many


class Filling:
    """Fill a region of one channel after the other. Levels fit to all that is known; the rest to healthy tissue.

    Args:
        region: what is filled, boolean (\\*spatial), as the next four.
        known: where the host shows tissue that was not filled.
        told: where it tells of healthy tissue.
        ring: the region's surroundings, of that tissue.
        sound: where the source is of use.
        axis: the spatial axis perpendicular to the slices to work within slices only, or None.
        mm: mm per spatial axis.
        coarse_mm, structure, texture, most: see :class:`monai_consingan.transforms.MatchedFill`.
    """

    def __init__(
        self,
        region: np.ndarray,
        known: np.ndarray,
        told: np.ndarray,
        ring: np.ndarray,
        sound: np.ndarray,
        axis: int | None,
        mm: Sequence[float],
        *,
        coarse_mm: float,
        structure: float,
        texture: float,
        most: float,
    ) -> None:
        self.whole = region, known, ring
        self.box = box = bounding_box(region | ring, [1] * region.ndim)  # what is beyond has a say in means only
        self.region, self.known, self.ring, self.axis, self.mm = region[box], known[box], ring[box], axis, mm
        self.structure, self.texture, self.most = structure, texture, most
        self.both, self.taken = self.ring & sound[box], self.region & sound[box]
        pixel = pixel_widths(axis, region.ndim)
        coarse = [0.0 if along == axis else coarse_mm / size for along, size in enumerate(mm)]
        self.of_source, self.of_both = (
            [Means(where, sigma, box) for sigma in (coarse, pixel)] for where in (sound, told & sound)
        )
        self.of_host = Means(told, pixel, box)

    def __call__(self, host: np.ndarray, source: np.ndarray, fine: np.ndarray | None) -> np.ndarray:
        """A channel with the region filled.

        Args:
            host: the channel.
            source: the tissue that is taken, in its place.
            fine: its finest part, in space; None takes it of the source.
        """
        low, middle = (means(source) for means in self.of_source)
        (here_low, here_middle), (there_low, there_middle) = (
            [means(image) for means in self.of_both] for image in (host, source)
        )
        filled, fine = host.copy(), fine if fine is None else fine[self.box]
        here, there = host[self.box], source[self.box]
        share = max(_slope(here_middle - here_low, there_middle - there_low, self.both), self.structure)
        structure = _slope(here_low, there_low, self.both) * low + share * (middle - low)
        smooth = poisson_blend(here, structure, self.region, axis=self.axis, spacing=self.mm, valid=self.known)
        rough = np.where(self.taken, there - middle if fine is None else fine, 0.0)
        wanted = self.texture * energy(here - self.of_host(host), self.ring)
        if fine is not None and (own := energy(fine, self.both & ordinary(there, self.both))) > 0:
            count = int(self.taken.sum())
            wanted *= (energy(fine, self.taken) / own) ** (count / (count + _FEW))
        times = strength(smooth, rough, self.region, wanted, self.most, self.axis)
        filled[self.box] = np.where(self.region, smooth + times * rough, here)
        return filled if fine is None else bent_fill(host, filled, *self.whole, self.mm)


def _slope(host: np.ndarray, source: np.ndarray, ring: np.ndarray) -> float:
    """How much of a source to take to be nearest to a host, from 0 to 1."""
    if not ring.any():
        return 1.0
    here, there = host[ring] - host[ring].mean(), source[ring] - source[ring].mean()
    square = float(there @ there)
    return float(np.clip(here @ there / square, 0.0, 1.0)) if square > 0 else 1.0
