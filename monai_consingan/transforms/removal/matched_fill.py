"""Filling a region with tissue from elsewhere: moved, shaded, and made as rough as what is around the region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monai_consingan.arrays import as_array, check_masks, check_number, check_shape, in_all
from monai_consingan.distance import bounding_box, outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.bands import Means, energy, finest, pixel_widths, strength
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.place import OUTSIDE, best_place, ordinary
from monai_consingan.transforms.removal.warp import Warp, fitted_warp
from monai_consingan.transforms.stiffness import bent_fill
from monai_consingan.transforms.whole_voxels import connected_parts, move, wider, within

_ENOUGH = 0.25  # fraction of the surroundings that has to be healthy to measure there only
_BEYOND_MM = 6.0  # how far beyond the surroundings tissue has a say in how a region is filled
_FEW = 100  # voxels that say half as much of how rough the source is at a place as very many


@dataclass(frozen=True)
class MatchedFill:
    """Fill a region with tissue of another image of the same grid, such as its mirror.

    What surrounds the region decides everything:

    - *Where from*: the source is moved to where its surroundings differ least from those of the region (by the standard
      deviation of the difference). Hemispheres are not quite symmetric.
    - *How much of its structure*: in two bands of frequency, the share that fits best around the region (the slope of
      the regression of the host on the source, between 0 and 1). What is left is interpolated from the border, so that
      a source which says nothing about this place makes the fill smooth instead of wrong: that lowers the squared
      error. Of the finer band at least the share ``structure`` is taken all the same: without it fills are told from
      tissue by what they lack between shading and texture.
    - *Level and shading*: by Poisson's equation (:func:`poisson_blend`).
    - *Texture*: the source's finest part is scaled until the fill is as rough as the tissue around, so far as
      ``texture`` says, in space times what the source is rougher here than around. No mean of estimates is as rough.
    - *Bends*: in space, the fill of a host that was resampled from thicker slices bends where these were.

    The sequences of one image are filled from one place, that where the differences of all together, each in robust
    standard deviations of its surroundings, are least, so that structures stay where they are in all of them. All else
    every sequence decides by itself.

    Args:
        reach_mm: how far the source may be moved.
        ring_mm: how far around the region its surroundings reach.
        coarse_mm: standard deviation of the gaussian that parts the two bands of structure.
        structure: least share of the finer band that is taken, from 0 to 1.
        texture: energy of the finest part wanted inside, relative to that around, and in space to what the source has
            inside relative to its own surroundings; 0 takes it as it is in the source.
        most: the finest part is made at most so many times stronger or weaker.
        unusable: fraction of the voxels taken that may not be usable; these are filled smoothly, without texture.
        warp_mm: how far the source is expected to be warped in space; 0 only moves it.
        strange: so many times as unlike counts a place whose tissue is nowhere like that around the region: what is not
            the region's own mirror may hold a ventricle or a vessel that has no business there.

    Raises:
        ConSinGANError: a number is out of range.
    """

    reach_mm: float = 6.0
    ring_mm: float = 8.0
    coarse_mm: float = 4.0
    structure: float = 0.7
    texture: float = 1.0
    most: float = 2.0
    unusable: float = 0.0
    warp_mm: float = 1.5
    strange: float = 1.0

    def __post_init__(self) -> None:
        leasts = {"reach_mm": 0, "ring_mm": 0.1, "coarse_mm": 0.1, "texture": 0, "most": 1, "warp_mm": 0, "strange": 1}
        for name, least in leasts.items():
            value = getattr(self, name)
            if not least <= value < np.inf:
                raise ConSinGANError(f"{name} is {value}; give a number that is {least} or more.")
        for name in ("structure", "unusable"):
            check_number(getattr(self, name), name, 0, 1)

    def __call__(
        self,
        host: Any,
        source: Any,
        mask: Any,
        *,
        axis: int | None = None,
        spacing: Sequence[float] | float = 1.0,
        head: Any | None = None,
        ill: Any | None = None,
        usable: Any | None = None,
        source_head: Any | None = None,
        apart: Any | None = None,
    ) -> np.ndarray:
        """Fill.

        Args:
            host: array of shape (\\*spatial), 2D or 3D, or (C, \\*spatial) of several sequences.
            source: array of the same shape and scale of intensities.
            mask: array of shape (\\*spatial), as all that follow; values above 0 are filled, each connected part by
                itself.
            axis: the spatial axis perpendicular to the slices to move and smooth within slices only; None in 2D, or for
                space.
            spacing: mm per spatial axis, or one number for all.
            head: above 0 where the host shows the head; None for everywhere. Nothing is filled outside of it.
            ill: above 0 where the host says nothing about healthy tissue. Levels fit to it where it is beside the mask;
                structure and texture do only where there is nothing else.
            usable: above 0 where tissue of the source may be taken; None for everywhere.
            source_head: above 0 where the source shows the head; None for everywhere.
            apart: above 0 where tissue is of its own kind in host and source, such as in the midline; None for nowhere.
                What is not takes nothing of it, if there is another place.

        Returns:
            float64 array of the host's shape, with the host's values outside the mask.

        Raises:
            ConSinGANError: when shapes differ, the axis does not exist, or no usable place is within reach.

        Example:
            >>> import numpy as np
            >>> rows = np.sin(np.arange(40.0) / 3)[:, None] * np.ones(40)
            >>> mask = np.zeros((40, 40))
            >>> mask[15:25, 15:25] = 1
            >>> filled = MatchedFill(texture=0)(np.where(mask, 9, rows), np.roll(rows, 2, axis=0), mask)
            >>> bool(np.abs(filled - rows).max() < 0.2)
            True
        """
        nowhere = {name: 0 if part is None else part for name, part in (("ill", ill), ("apart", apart))}
        everywhere = {"head": head, "usable": usable, "source_head": source_head}
        targets, guides = (as_array(part).astype(np.float64) for part in (host, source))
        check_shape(guides, targets.shape, name="source", other="host")
        if not (stacked := np.ndim(host) > np.ndim(mask)):
            targets, guides = targets[None], guides[None]
        (inside, ill, apart, head, usable, source_head), axis, mm = check_masks(
            targets.shape[1:], axis, spacing, mask=mask, **nowhere, **everywhere
        )
        result = targets.copy()
        known = head & ~inside
        for box, part in connected_parts(inside):
            near = self.surroundings(box, mm, axis, inside.shape)
            region = within(part, box, near)
            wanted = region & head[near]
            if wanted.any():
                here, there = (channels[in_all(near)] for channels in (targets, guides))
                around, free = (known[near], ill[near]), (usable[near], source_head[near], apart[near])
                new = self._part(here, there, region, wanted, *around, *free, axis, mm)
                result[in_all(near)][:, wanted] = new[:, wanted]
        return result if stacked else np.asarray(result[0])

    def _part(
        self,
        host: np.ndarray,
        source: np.ndarray,
        region: np.ndarray,
        wanted: np.ndarray,
        known: np.ndarray,
        ill: np.ndarray,
        usable: np.ndarray,
        source_head: np.ndarray,
        apart: np.ndarray,
        axis: int | None,
        mm: Sequence[float],
    ) -> np.ndarray:
        """The host with one connected region filled as far as that is wanted.

        Host and source are (C, \\*spatial), all else (\\*spatial), in the surroundings of the region.
        """
        distance = outside_distance(region, mm, axis, reach_mm=self.ring_mm)
        ring, healthy = (distance <= self.ring_mm) & known, known & ~ill
        shown = healthy if (ring & healthy).sum() >= _ENOUGH * ring.sum() else known
        told = shown & np.all([ordinary(channel, shown & ring) for channel in host], axis=0)
        ring &= told
        limits = {"reach_mm": self.reach_mm, "unusable": self.unusable, "strange": self.strange}
        place = best_place(host, source, region, ring, usable, source_head, apart, axis, mm, **limits)
        # from here on what was found lies at its place, and what is far from the region has no say
        close = replace(self, reach_mm=min(self.reach_mm, _BEYOND_MM)).surroundings(
            bounding_box(region), mm, axis, region.shape
        )
        here, back = host[in_all(close)], [-step for step in place]
        there = move(source, back)[in_all(close)]
        usable, source_head = (move(part, back)[close] for part in (usable, source_head))
        region, wanted, known, shown, told, ring, distance = (
            part[close] for part in (region, wanted, known, shown, told, ring, distance)
        )
        warp, sound, in_space = None, usable & source_head, axis is None and region.ndim == 3
        if in_space and self.warp_mm > 0:
            warp = self._warp(here, there, shown, usable, source_head, distance, mm)
            sound = sound if warp is None else warp.sound
        filling = _Filling(self, wanted, known, told, ring, sound, axis, mm)
        result = host.copy()
        for filled, channel, other in zip(result, here, there, strict=True):
            fine = finest(other, usable & source_head, axis) if in_space else None
            if fine is not None and warp is not None:  # of the nearest voxels, as what is interpolated is smoother
                other, fine = warp.values(other, 3), warp.values(fine, 0)
            filled[close] = filling(channel, other, fine)
        return result

    def surroundings(
        self, box: Sequence[slice], spacing: Sequence[float], axis: int | None, shape: Sequence[int]
    ) -> tuple[slice, ...]:
        """The part of an image that decides how a box of it is filled.

        Args:
            box: the smallest that holds a part to fill.
            spacing: mm per spatial axis.
            axis: the spatial axis perpendicular to the slices to work within slices only, or None.
            shape: the image's spatial shape.

        Returns:
            An index for the image.
        """
        reach_mm = self.ring_mm + self.reach_mm
        more = [0 if along == axis else int(np.ceil(reach_mm / size)) + 1 for along, size in enumerate(spacing)]
        return wider(box, more, shape)

    def _warp(
        self,
        host: np.ndarray,
        source: np.ndarray,
        told: np.ndarray,
        usable: np.ndarray,
        source_head: np.ndarray,
        distance: np.ndarray,
        mm: Sequence[float],
    ) -> Warp | None:
        """The warp after which structures meet; None where it would take what is not usable, or beyond the head."""
        sound = usable & source_head
        warp = fitted_warp(host, source, told, sound, distance, (self.ring_mm, self.warp_mm), mm)
        region = distance == 0
        count, (lost, beyond) = int(region.sum()), (warp.lost(part, region) for part in (usable, source_head))
        return warp if lost <= self.unusable * count and beyond <= OUTSIDE * count + 0.5 else None


class _Filling:
    """Fill a region of one channel after the other. Levels fit to all that is known; the rest to healthy tissue.

    Args:
        how: the settings.
        region: what is filled, boolean (\\*spatial), as the next four.
        known: where the host shows tissue that was not filled.
        told: where it tells of healthy tissue.
        ring: the region's surroundings, of that tissue.
        sound: where the source is of use.
        axis: the spatial axis perpendicular to the slices to work within slices only, or None.
        mm: mm per spatial axis.
    """

    def __init__(
        self,
        how: MatchedFill,
        region: np.ndarray,
        known: np.ndarray,
        told: np.ndarray,
        ring: np.ndarray,
        sound: np.ndarray,
        axis: int | None,
        mm: Sequence[float],
    ) -> None:
        self.whole = region, known, ring
        self.box = box = bounding_box(region | ring, [1] * region.ndim)  # what is beyond has a say in means only
        self.how, self.region, self.known, self.ring = how, region[box], known[box], ring[box]
        self.axis, self.mm = axis, mm
        self.both, self.taken = self.ring & sound[box], self.region & sound[box]
        pixel = pixel_widths(axis, region.ndim)
        coarse = [0.0 if along == axis else how.coarse_mm / size for along, size in enumerate(mm)]
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
        share = max(_slope(here_middle - here_low, there_middle - there_low, self.both), self.how.structure)
        structure = _slope(here_low, there_low, self.both) * low + share * (middle - low)
        smooth = poisson_blend(here, structure, self.region, axis=self.axis, spacing=self.mm, valid=self.known)
        rough = np.where(self.taken, there - middle if fine is None else fine, 0.0)
        wanted = self.how.texture * energy(here - self.of_host(host), self.ring)
        if fine is not None and (own := energy(fine, self.both & ordinary(there, self.both))) > 0:
            count = int(self.taken.sum())
            wanted *= (energy(fine, self.taken) / own) ** (count / (count + _FEW))
        times = strength(smooth, rough, self.region, wanted, self.how.most, self.axis)
        filled[self.box] = np.where(self.region, smooth + times * rough, here)
        return filled if fine is None else bent_fill(host, filled, *self.whole, self.mm)


def _slope(host: np.ndarray, source: np.ndarray, ring: np.ndarray) -> float:
    """How much of a source to take to be nearest to a host, from 0 to 1."""
    if not ring.any():
        return 1.0
    here, there = host[ring] - host[ring].mean(), source[ring] - source[ring].mean()
    square = float(there @ there)
    return float(np.clip(here @ there / square, 0.0, 1.0)) if square > 0 else 1.0
