"""Blending a lesion with the tissue around it: where the border runs, levels and textures chosen to fit the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter1d

from monai_consingan.arrays import as_array, check_masks, check_shape, in_all
from monai_consingan.distance import bounding_box, depth_inside, outside_distance, reach_box
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.bands import CUT, alike, as_strong, without_fine
from monai_consingan.transforms.insertion.border import BLUR_MM, Depths, Shells, faded_profile, seam_cut, stands_out
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.stiffness import Stiffness, bent
from monai_consingan.transforms.whole_voxels import box_of

_PRECISION = 1e-6  # of levels, far below the noise
_TRUST = (0.5, 0.15, 0.05)  # in what is blended within the mask and around it, and in what only bends along with that
_OF_HOST, _OF_OWN = (1.25, 2.5), (0.75, 1.5)  # spreads of tissue by which what is no lesion differs, and what is one
_SHALLOW = 0.25  # share of a mask's greatest depth that the seam may run within it: a small one has none to spare
_SOFT = 0.5  # share of that depth by which a profile is softened at most, or nothing would be left of a small mask's


@dataclass(frozen=True)
class TissueBlend:
    """Put a source into a host by a seam that runs where the two differ least, faded over in two bands of frequency.

    What is coarser than ``fine_mm`` is cloned by Poisson's equation (:func:`poisson_blend`), so that level and shading
    are the host's. What is finer is the source's, its amplitude brought to that of the host's tissue around the mask;
    it is faded in so that its variance, not its amplitude, adds up: an ordinary mean of two textures is smoother than
    either, the more so the less alike they are. (Bands with their own transition: Burt and Adelson, A multiresolution
    spline with application to image mosaics, ACM Transactions on Graphics 2, 1983,
    https://doi.org/10.1145/245.247.) The seam is a minimum cut around the mask's border. The host's own tissue, put
    where it is, changes nothing.

    A lesion has to stay the lesion that it was: within the mask, what the blend changes is rid of its mean at every
    depth below the border, in each of the mask's parts, so that the radial profile is the source's (and with it
    contrast to the surroundings, rim against core, and size). The level that this leaves at the border fades out over
    ``fade_mm`` outside.

    In space, tissue that was resampled from thick slices is smooth along an axis, and bends where the slices were. What
    the blend changes is made to bend there too, before the textures are matched and in the end, so that it looks like
    what such slices would have shown. A lesion stands out from the host's tissue, and from the tissue around it in the
    source, in any sequence, as a whole or by one of its parts. It may bend nearly as it did in all of them, and its
    radial profile is left out of that: it is as sharp as the source's within the mask, and outside fades from the
    source's to the host's as far as anything changes. What does not stand out so has no border that must be kept, be it
    grey matter in white: there the seam may also run within the mask, and so in the middle of a wide fade rather than
    at its end, and of the profile only the mean of the whole mask and what is coarse are kept, as the rest would show
    as rings.

    Several sequences (channels) have one seam, which runs where they differ least all together; level, texture and
    profile are each one's own.

    Args:
        inner_mm: how far the seam may run inside the mask's border, at most a quarter of the mask's greatest depth; 0
            keeps all of the mask.
        outer_mm: how far it may run outside.
        fade_mm: the fade reaches this far to both sides of the seam.
        fine_mm: standard deviation of the gaussian that parts coarse from fine.
        texture: the source's fine part is made at most so many times stronger or weaker; 1 leaves it.
        ring_mm: how far around the mask the tissue reaches that this is measured in.
        keep_profile: whether the radial profile within the mask is kept.
        fade_in_space_mm: ``fade_mm`` in space.
        inner_in_space_mm: ``inner_mm`` in space for what does not stand out; the more it does, the less.
        soften_mm: standard deviation of the gaussian that takes what is fine from the profile in space of what does not
            stand out, at most half of the mask's greatest depth; the more it does, the less.
        extend_mm: how much further than the fade a change may reach along an axis of thick slices.
    """

    inner_mm: float = 1.0
    outer_mm: float = 3.0
    fade_mm: float = 3.0
    fine_mm: float = 2.0
    texture: float = 2.0
    ring_mm: float = 8.0
    keep_profile: bool = True
    fade_in_space_mm: float = 6.0
    inner_in_space_mm: float = 2.5
    soften_mm: float = 2.0
    extend_mm: float = 2.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1 if name == "texture" else 0
            if not least <= value < np.inf:
                raise ConSinGANError(f"{name} is {value}; give a number that is {least} or more.")

    @property
    def reach_mm(self) -> float:
        """How far from the mask the host may change in space, to half a voxel; in planes it is less."""
        return self._reach(3)

    @property
    def near_mm(self) -> float:
        """How far from the mask distances to it count."""
        return max(self.reach_mm, max(self.ring_mm, self.outer_mm + self.fade_in_space_mm) + BLUR_MM)

    @property
    def looks_mm(self) -> float:
        """How far from the mask the host has a say in what changes, to two voxels."""
        return self.near_mm + CUT * self.fine_mm

    def _reach(self, dims: int) -> float:
        return self.outer_mm + (self.fade_in_space_mm + self.extend_mm if dims == 3 else self.fade_mm)

    def __call__(
        self,
        host: Any,
        source: Any,
        mask: Any,
        *,
        axis: int | None = None,
        spacing: Sequence[float] | float = 1.0,
        valid: Any | None = None,
        around: np.ndarray | None = None,
    ) -> np.ndarray:
        """Blend.

        Args:
            host: array of shape (\\*spatial), 2D or 3D, or (C, \\*spatial).
            source: array of the same shape, its intensities matched to the host's.
            mask: array of shape (\\*spatial); values above 0 are what is wanted of the source, different whole ones
                being parts of it, such as rim and core. Where it is all of a plane, or of a volume in space, the source
                is taken as it is.
            axis: the spatial axis perpendicular to the slices to take every slice by itself; None in 2D, or for space.
            spacing: mm per spatial axis, or one number for all.
            valid: array of the mask's shape, above 0 where host and source both show tissue (in all channels); None
                for everywhere. No other voxel outside the mask is changed; towards it a change fades over ``fade_mm``.
            around: in space, the distance in mm of every voxel to the mask, known as far as :attr:`near_mm` at least;
                None finds it.

        Returns:
            float64 array of the host's shape, the host's values beyond :attr:`reach_mm`.

        Raises:
            ConSinGANError: when shapes differ or the axis does not exist.

        Example:
            >>> import numpy as np
            >>> host, lesion = np.full((24, 24), 5.0), np.zeros((24, 24))
            >>> lesion[10:14, 10:14] = 9
            >>> blended = TissueBlend()(host, lesion, lesion)
            >>> bool((blended[:3] == 5).all() and blended[11:13, 11:13].min() > 10)
            True
        """
        target, guide = (as_array(part).astype(np.float64) for part in (host, source))
        check_shape(guide, target.shape, name="source", other="host")
        if flat := target.ndim == as_array(mask).ndim:
            target, guide = target[None], guide[None]
        (inside, known), axis, mm = check_masks(target.shape[1:], axis, spacing, mask=mask, valid=valid)
        parts = np.where(inside, np.maximum(np.rint(as_array(mask)), 1), 0).astype(np.int64)
        if axis is None:
            planes: list[tuple[Any, ...]] = [(...,)] if inside.any() else []
        else:
            mm = tuple(size for other, size in enumerate(mm) if other != axis)
            around = None
            index = np.flatnonzero(inside.any(axis=tuple(other for other in range(inside.ndim) if other != axis)))
            planes = [(slice(None),) * axis + (int(k),) for k in index]
        for plane in planes:
            of_all = (slice(None), *plane)
            self._blend(target[of_all], guide[of_all], parts[plane], known[plane], mm, around)
        return np.asarray(target[0]) if flat else target

    def _blend(
        self,
        host: np.ndarray,
        source: np.ndarray,
        parts: np.ndarray,
        known: np.ndarray,
        mm: Sequence[float],
        around: np.ndarray | None,
    ) -> None:
        """Blend the channels within a plane, or in space, into the host; where no voxel is its own nothing is blended.

        The source's copy is worked on, too.
        """
        mask = parts > 0
        if mask.all():
            host[...] = source
            return
        near = reach_box(mask, mm, max(self.ring_mm, self._reach(mask.ndim)))
        whole = known | mask
        blurred = [int(np.ceil(BLUR_MM / size)) for size in mm]
        near = box_of(_changing(whole[near], blurred), near)
        there, known = in_all(near), whole[near]
        old, pasted = host[there], source[there].copy()
        around = outside_distance(mask[near], mm) if around is None else around[near]
        depths = Depths(mask[near], parts[near], depth_inside(mask[near], mm), around)
        given: dict[str, Any] = {"depths": depths, "whole": whole, "mm": mm}
        if mask.ndim == 2:
            host[there] = self._near(host, source, pasted, 1.0, near, **given)
            return
        ring = (around > 0) & (around <= self.ring_mm) & known
        beyond = ~known & (around > self.fade_mm)  # where a change has to fade out; beside the mask it may end
        stiff = Stiffness.of(old, known, ring, mm, beyond, _changing(known))
        shells = Shells(depths, mm, self.ring_mm, known)
        changes = pasted - old
        profiles = [shells.means(change) for change in changes]
        share = max(
            _standing(*of, ring, depths.parts, shells) for of in zip(old, pasted, changes, profiles, strict=True)
        )
        if any(one.axes for one in stiff):
            everywhere = np.ones(known.shape)
            for new, channel, one, profile in zip(source[there], old, stiff, profiles, strict=True):
                change = new - channel
                new[...] = channel + bent(change, one.within(known), share, shells.means, known, everywhere, profile)
        part = self._near(host, source, pasted, share, near, **given)
        touched, reachable = (part != old).any(axis=0), known & (around <= self.reach_mm)
        trust = np.select([depths.mask, touched], _TRUST[:2], _TRUST[2])
        for new, channel, one in zip(part, old, stiff, strict=True):
            free = touched
            for axis in one.axes:
                free = maximum_filter1d(free, 2 * int(self.extend_mm / mm[axis]) + 1, axis, mode="constant")
            change = bent(new - channel, one, share, shells.means, free & reachable, trust)
            new[...] = np.where(change != 0, channel + change, channel)
        host[there] = part

    def _near(
        self,
        host: np.ndarray,
        source: np.ndarray,
        pasted: np.ndarray,
        share: float,
        near: tuple[slice, ...],
        depths: Depths,
        whole: np.ndarray,
        mm: Sequence[float],
    ) -> np.ndarray:
        """Blend in the box around the mask, the profile being that of what is pasted there.

        Host, source and what is known of them are given as a whole, all else in the box; the share is how much the
        mask's border is to be kept.
        """
        known = whole[near]
        free = 1 - share
        fade = self.fade_mm + free * (self.fade_in_space_mm - self.fade_mm)
        inner, old = _changing(known), host[in_all(near)]
        here, mask, around = box_of(inner, near), depths.mask, depths.around
        changed, mixed = in_all(inner), old.copy()
        mixed[changed], weight = self._faded(host, source, whole, here, free, fade, depths.within(inner), mm)
        if self.keep_profile and mask.ndim == 2:
            mixed -= np.stack([faded_profile(change, depths, mm, self.fade_mm) for change in mixed - pasted])
        elif self.keep_profile:
            reach = self.fade_mm + free * (self.outer_mm + fade - self.fade_mm)
            far = np.clip(around / reach, 0.0, 1.0) if reach else np.where(mask, 0.0, 1.0)
            wanted = old + (0.5 + 0.5 * np.cos(np.pi * far)) * (pasted - old)
            shells = Shells(depths, mm, reach, known)
            profile = np.stack([shells.means(change) for change in mixed - wanted])
            soften_mm = free * min(self.soften_mm, _SOFT * float(depths.depth.max()))
            mixed -= _softened(profile, mask, [soften_mm / size for size in mm]) if free else profile
        part, result = mixed[changed], old.copy()
        if self.fade_mm and not known.all():  # nor does a change end at once where the source's tissue does
            end = np.clip(depth_inside(known, mm)[inner] / self.fade_mm, 0.0, 1.0)
            part = np.where(mask[inner], part, old[changed] + (0.5 - 0.5 * np.cos(np.pi * end)) * (part - old[changed]))
        result[changed] = np.where(weight > 0, part, old[changed])
        return result

    def _faded(
        self,
        host: np.ndarray,
        source: np.ndarray,
        known: np.ndarray,
        here: tuple[slice, ...],
        free: float,
        fade: float,
        depths: Depths,
        mm: Sequence[float],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Host and source in a box, each band faded from one to the other along the seam, and the source's weight.

        The seam may run the deeper within the mask the freer it is; the fade reaches so many mm to its sides.
        """
        half, (old, new) = (  # without what is finest, and without what is fine
            [without_fine(image, here, mm, fine_mm, known) for image in (host, source)]
            for fine_mm in (0.5 * self.fine_mm, self.fine_mm)
        )
        host, source, known = host[in_all(here)], source[in_all(here)], known[here]
        deepest = float(depths.depth.max())
        inner_mm = min(self.inner_mm, _SHALLOW * deepest)
        inner_mm += free * (self.inner_in_space_mm - inner_mm)
        ring = (depths.around > 0) & (depths.around <= self.ring_mm) & known
        texture = as_strong([(host, source), half, (old, new)], ring, self.texture)
        outline = (depths.around <= self.outer_mm) & known
        core = depths.depth > min(inner_mm, 0.999 * deepest)
        given: dict[str, Any] = {"valid": known, "spacing": mm, "alone": 0.0, "precision": _PRECISION}
        clone = poisson_blend(old, new, outline, **given)
        shown = seam_cut(np.where(known, clone + texture, host), host, core, outline)
        signed = outside_distance(shown, mm, reach_mm=fade + min(mm)) - 0.5 * min(mm)
        signed = np.where(shown, 0.5 * min(mm) - depth_inside(shown, mm), signed)
        # the source's coarse part at the host's level; its own where no tissue of the host is beside it
        clone = poisson_blend(old, new, (signed <= fade) & known, **given)
        ramp = np.clip(0.5 - signed / (2 * fade), 0.0, 1.0) if fade else shown.astype(np.float64)
        weight = np.where(known, 0.5 - 0.5 * np.cos(np.pi * ramp), 0.0)
        mixed = (1 - weight) * old + weight * clone
        both = weight * (1 - weight)
        power = 1 - 2 * both * (1 - alike(host - old, texture, both > 0))
        mixed += ((1 - weight) * (host - old) + weight * texture) / np.sqrt(power)
        return mixed, weight


def _standing(
    old: np.ndarray,
    new: np.ndarray,
    change: np.ndarray,
    profile: np.ndarray,
    ring: np.ndarray,
    parts: np.ndarray,
    shells: Shells,
) -> float:
    """Whether a source is a lesion by one channel: another thing than the host's tissue around, and than its own."""
    where = ring if ring.any() else np.ones_like(ring)
    share = stands_out(change, profile, old[where], parts, _OF_HOST)
    if not share:
        return share
    own = new - np.median(new[where])
    return min(share, stands_out(own, shells.means(own), new[where], parts, _OF_OWN))


def _softened(profile: np.ndarray, mask: np.ndarray, sigma: Sequence[float]) -> np.ndarray:
    """A profile of every channel without what is fine in it, its mean within the mask as it was."""
    coarse = gaussian_filter(profile, (0.0, *sigma))
    level = gaussian_filter(mask.astype(np.float64), sigma)
    lost = (profile - coarse)[:, mask].mean(axis=1) / level[mask].mean()
    return np.asarray(coarse + lost.reshape(-1, *[1] * mask.ndim) * level)


def _changing(known: np.ndarray, more: Sequence[int] = (0, 0, 0)) -> tuple[slice, ...]:
    """The part of a box in which anything can change, and the two voxels or more around that have a say in it."""
    around = [max(2, count) for count in more[: known.ndim]]
    parts = zip(bounding_box(known, around), known.shape, strict=True)
    return tuple(slice(part.start, min(part.stop, size)) for part, size in parts)
