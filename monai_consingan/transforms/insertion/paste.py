"""Pasting a donor's lesion into a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import (
    as_array,
    as_mask,
    cast_values,
    check_axis,
    check_image,
    check_number,
    check_range,
    check_shape,
    check_spacing,
    spacing_of,
    wrap_like,
)
from monai_consingan.background import check_in_tissue
from monai_consingan.data import same_sequences
from monai_consingan.distance import reach_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import BLENDS, MATCHES
from monai_consingan.transforms.alteration import alteration_weight
from monai_consingan.transforms.blend import blend_arrays
from monai_consingan.transforms.head import Air, ChannelAir
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.crossfade import crossfade
from monai_consingan.transforms.insertion.match import check_gain, match_intensities, one_scale, tissue_ring
from monai_consingan.transforms.insertion.move import move
from monai_consingan.transforms.insertion.naive import naive_paste
from monai_consingan.transforms.insertion.tissue_blend import TissueBlend
from monai_consingan.transforms.mass_effect import Push, check_mass_effect
from monai_consingan.transforms.poisson import poisson_blend

_REACH_MM = 20.0


class PastedLesion(NamedTuple):
    """A host with a lesion pasted into it; all three have the host's grid and kind of array.

    Image and mask have the host's metadata, and so has the label, unless the host's labels came with some of their own.
    """

    image: Any
    """The host's image with the lesion, (C, \\*spatial), in the host's dtype."""
    label: Any
    """The host's labels, if any, with the donor's label values at the new place, (1, \\*spatial)."""
    mask: Any
    """1 where the new lesion is, 0 elsewhere, uint8, (1, \\*spatial)."""


@dataclass(eq=False)
class PasteLesion(Transform):
    """Paste a donor's lesion into a host, in place or moved by whole voxels.

    Of several sequences (channels) all are pasted at one place and along one border; the matching of intensities, and
    the levels and textures of a blend, are each one's own. A voxel counts as tissue if it is tissue in all of them.

    Args:
        blend: ``"hard"`` is ``mask * donor + (1 - mask) * host``, exactly. ``"feather"`` also brings in the tissue
            around the lesion, fading out over ``feather_mm``. ``"poisson"`` keeps the donor's gradients within the
            mask and takes the level from the host around it (:func:`poisson_blend`). ``"crossfade"`` also fades from
            one to the other across the border, so that neither a step nor a blur shows there (:func:`crossfade`).
            ``"tissue"`` fits level, texture and border to the host's tissue, and keeps the lesion what it is
            (:class:`TissueBlend`).
        feather_mm: width of the fade-out in mm; a crossfade is that wide to both sides of the border.
        match: ``"none"`` takes the donor's intensities as they are. ``"gain"`` multiplies them so that the mean around
            the lesion equals the mean around its new place in the host, which keeps the lesion's relative contrast.
            ``"mean_std"`` maps mean and standard deviation around the lesion to those around the new place.
            ``"scale"`` is ``"none"`` where both scans have one scale, and ``"gain"`` where the means around the lesion
            differ by more than a factor of 2. Every channel is matched, and decided on, by itself.
        ring_mm: what counts as around: voxels at a distance above the first and up to the second number of mm, without
            lesions and without air.
        axis: the spatial axis perpendicular to the slices, to keep distances and Poisson's equation within slices.
        spacing: mm per spatial axis; None takes it from the affine of a MetaTensor host, and 1 mm for other arrays.
        mass_effect: share of its volume by which the lesion first pushes the host's tissue, and the labels there,
            aside, from 0 to 0.8 (``monai_consingan.transforms.mass_effect.Push``); the rest takes tissue's place.

    Raises:
        ConSinGANError: when an argument is not one of the above.

    Example:
        >>> import numpy as np
        >>> host, donor = np.zeros((1, 2, 3)), np.full((1, 2, 3), 9.0)
        >>> label = np.array([[[4, 0, 0], [0, 0, 0]]])
        >>> pasted = PasteLesion()(host, donor, label, offset=(1, 1))
        >>> pasted.image.tolist(), pasted.label.tolist()
        ([[[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]]], [[[0, 0, 0], [0, 4, 0]]])
    """

    blend: str = "hard"
    feather_mm: float = 2.0
    match: str = "none"
    ring_mm: tuple[float, float] = (2.0, 8.0)
    axis: int | None = None
    spacing: Sequence[float] | float | None = None
    mass_effect: float = 0.0

    backend = [TransformBackends.NUMPY]

    def __post_init__(self) -> None:
        if self.blend not in BLENDS:
            raise ConSinGANError(f'blend "{self.blend}" is unknown; choose one of {", ".join(BLENDS)}.')
        if self.match not in MATCHES:
            raise ConSinGANError(f'match "{self.match}" is unknown; choose one of {", ".join(MATCHES)}.')
        check_axis(self.axis, 3)
        check_spacing(self.spacing)
        self.feather_mm = check_number(self.feather_mm, "feather_mm")
        inner, outer = check_range(self.ring_mm, "ring_mm")
        if inner == outer:
            raise ConSinGANError(f"ring_mm is {self.ring_mm}, which is empty; give two rising distances in mm.")
        self.ring_mm = inner, outer
        self.mass_effect = check_mass_effect(self.mass_effect)

    def __call__(  # type: ignore[override]
        self,
        host: NdarrayOrTensor,
        donor: NdarrayOrTensor,
        donor_label: NdarrayOrTensor,
        offset: Sequence[int] | None = None,
        host_label: NdarrayOrTensor | None = None,
        donor_valid: NdarrayOrTensor | None = None,
    ) -> PastedLesion:
        """Paste.

        Args:
            host: image of shape (C, \\*spatial), 2D or 3D.
            donor: image of the same shape, on the host's grid; where both name their sequences, in any order.
            donor_label: the donor's labels, (1, \\*spatial); values above 0 are the lesion, and are kept.
            offset: voxels per spatial axis by which the lesion moves; None leaves it in place.
            host_label: labels of lesions that the host has already, (1, \\*spatial).
            donor_valid: above 0 where the donor's values are known, (1, \\*spatial); None for everywhere.

        Returns:
            Image, label and mask.

        Raises:
            ConSinGANError: when shapes or sequences differ, an image holds NaN or infinite values, the lesion is empty
                or would leave the array, or there is no tissue to match intensities by.
        """
        return self._paste(host, donor, donor_label, offset, host_label, donor_valid)[0]

    def with_naive(
        self,
        host: NdarrayOrTensor,
        donor: NdarrayOrTensor,
        donor_label: NdarrayOrTensor,
        offset: Sequence[int] | None = None,
        host_label: NdarrayOrTensor | None = None,
        donor_valid: NdarrayOrTensor | None = None,
        airs: tuple[Sequence[Any], Sequence[Any]] | None = None,
    ) -> tuple[PastedLesion, Any, tuple[str, ...]]:
        """Paste, and also give the naive image, the same matched voxels without a blend, and how each channel's were
        matched.

        Args and errors are those of a call; where the blend is ``"hard"``, the naive image is the pasted one. ``airs``
        is what tells tissue from air in each channel of host and donor, if that is known.
        """
        given = (host, donor, donor_label, offset, host_label, donor_valid, airs)
        pasted, image, moved, near, ways = self._paste(*given)
        if self.blend == "hard":
            return pasted, pasted.image, ways
        naive, of_host = image.copy(), (slice(None), *near)
        naive[of_host] = naive_paste(naive[of_host], moved, as_array(pasted.mask)[0][near] > 0)
        return pasted, wrap_like(naive, host), ways

    def _paste(
        self,
        host: NdarrayOrTensor,
        donor: NdarrayOrTensor,
        donor_label: NdarrayOrTensor,
        offset: Sequence[int] | None,
        host_label: NdarrayOrTensor | None,
        donor_valid: NdarrayOrTensor | None,
        airs: tuple[Sequence[Air], Sequence[Air]] | None = None,
    ) -> tuple[PastedLesion, np.ndarray, np.ndarray, tuple[slice, ...], tuple[str, ...]]:
        """The paste, the host that it was pasted into, the donor's matched values around the new place, where that is,
        and how they were matched."""
        check_image(host, name="host")
        check_image(donor, name="donor")
        image, other = as_array(host), as_array(same_sequences(donor, host))
        check_shape(other, image.shape, name="donor", other="host")
        labels = as_array(donor_label)
        shape = (1, *image.shape[1:])
        check_shape(labels, shape, name="donor_label", other="the host's grid")
        old_labels = None if host_label is None else as_array(host_label)
        if old_labels is not None:
            check_shape(old_labels, shape, name="host_label", other="the host's grid")
        known = np.ones(shape[1:], bool) if donor_valid is None else as_mask(donor_valid, name="donor_valid")[0]
        check_shape(known, shape[1:], name="donor_valid", other="the host's grid")
        lesion = as_mask(labels, name="donor_label")[0]
        shift = self._shift(lesion, offset)
        axis = check_axis(self.axis, lesion.ndim)
        mm = spacing_of(host, self.spacing)

        mask = move(lesion, shift)
        image, old_labels = self._host(host, old_labels, mask)
        air, donor_air = airs or ([ChannelAir(channel) for channel in part] for part in (image, other))
        check_in_tissue(image, mask, known=[about.background for about in air])
        check_in_tissue(other, lesion, donor=True, known=[about.background for about in donor_air])
        source, near = (reach_box(part, mm, self.reach_mm) for part in (lesion, mask))
        of_donor, of_host = ((slice(None), *box) for box in (source, near))
        shown = self._shown(image, air, near, np.ones(mask.shape, bool))
        valid = self._shown(other, donor_air, source, known)
        ring, donor_ring = None, None
        if self.match != "none":
            ring = tissue_ring(image, mask, self.ring_mm, mm, axis, airs=air)[near]
            ring = ring if old_labels is None else ring & (old_labels[0][near] <= 0)
            donor_ring = tissue_ring(other, lesion, self.ring_mm, mm, axis, known, donor_air)[source]
        start, size = [a.start + b - c.start for a, b, c in zip(source, shift, near, strict=True)], mask[near].shape
        signed = [a.background.signed or b.background.signed for a, b in zip(air, donor_air, strict=True)]
        around, ways = self.matched(image[of_host], ring, other[of_donor], donor_ring, signed)
        moved, valid = (move(part, start, shape=size) for part in (around, valid))
        valid = valid & shown
        result = image.copy()
        result[of_host] = self.blended(image[of_host], moved, mask[near], valid, mm, axis)
        label_like = host_label if isinstance(host, torch.Tensor) and isinstance(host_label, MetaTensor) else host
        pasted = PastedLesion(
            wrap_like(result, host),
            wrap_like(written_labels(old_labels, move(labels, shift), mask), label_like),
            wrap_like(mask[None].astype(np.uint8), host),
        )
        return pasted, image, moved, near, ways

    def _host(
        self, host: NdarrayOrTensor, labels: np.ndarray | None, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The host and its labels as they are when the lesion has made room for itself."""
        image = as_array(host)
        if not self.mass_effect:
            return image, labels
        known = HostKnowledge.of(host, spacing=self.spacing)
        push = Push.of(mask, self.mass_effect, known, check_axis(self.axis, mask.ndim))
        return push.image(image), None if labels is None else push.label(labels[0])[None]

    def matched(
        self,
        host: np.ndarray,
        ring: np.ndarray | None,
        donor: np.ndarray,
        donor_ring: np.ndarray | None,
        signed: Sequence[bool],
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """The donor's values as the host has them, and how each channel's were matched.

        Args:
            host, donor: arrays of shape (C, \\*spatial).
            ring, donor_ring: the tissue around the lesion in each, boolean (\\*spatial); None where nothing is matched.
            signed: whether host or donor has values far below 0, in each channel.

        Raises:
            ConSinGANError: the intensities do not allow the match.
        """
        ways = [self.match] * len(host)
        if ring is None or donor_ring is None:
            return donor, tuple(ways)
        if self.match == "scale":
            alike = one_scale(host, ring, donor, donor_ring)
            ways = ["none" if one or below else "gain" for one, below in zip(alike, signed, strict=True)]
        check_gain(ways, signed)
        return match_intensities(host, ring, donor, donor_ring, ways), tuple(ways)

    @property
    def reach_mm(self) -> float:
        """How far from a lesion the host may change, or has a say in what does."""
        if self.blend == "tissue":
            return max(self.ring_mm[1], TissueBlend().looks_mm)
        return self.ring_mm[1] + 2 * self.feather_mm + _REACH_MM

    @staticmethod
    def _shift(lesion: np.ndarray, offset: Sequence[int] | None) -> tuple[int, ...]:
        if not lesion.any():
            raise ConSinGANError("donor_label is empty; give a label that marks the lesion with values above 0.")
        shift = (0,) * lesion.ndim if offset is None else tuple(as_array(offset).ravel().tolist())
        if len(shift) != lesion.ndim or any(s % 1 for s in shift):
            raise ConSinGANError(f"offset {shift} does not fit; give {lesion.ndim} whole numbers of voxels.")
        shift = tuple(int(s) for s in shift)
        lost = int(lesion.sum()) - int(move(lesion, shift).sum())
        if lost:
            raise NoPlaceError(
                f"offset {shift} moves {lost} of the lesion's {int(lesion.sum())} voxels out of the host of shape "
                f"{lesion.shape}; choose a place further inside."
            )
        return shift

    def _shown(self, image: np.ndarray, airs: Sequence[Air], box: tuple[slice, ...], known: np.ndarray) -> np.ndarray:
        """Where all channels of a part of an image are known and show tissue."""
        shown = known[box]
        for channel, air in zip(image, airs, strict=True):
            if air.background or self.blend == "tissue":
                shown = shown & air.background.tissue(channel[box], known[box])
        return shown

    def blended(
        self,
        host: np.ndarray,
        donor: np.ndarray,
        mask: np.ndarray,
        valid: np.ndarray,
        mm: Sequence[float],
        axis: int | None,
    ) -> np.ndarray:
        """The host with the donor's lesion, both (C, \\*spatial) around it, in the host's dtype.

        Args:
            host: the host.
            donor: the donor, moved and matched.
            mask: where the lesion is, boolean (\\*spatial).
            valid: where host and donor both show tissue, boolean.
            mm: spacing.
            axis: the spatial axis perpendicular to the slices, or None.
        """
        if self.blend == "hard":
            return naive_paste(host, donor, mask)
        if self.blend == "feather":
            weight = alteration_weight(mask, spacing=mm, dilation_mm=0.0, softness_mm=self.feather_mm, axis=axis)
            return blend_arrays(host, donor, np.where(valid, weight, 0.0)[None])
        if self.blend == "tissue":
            merged = TissueBlend()(host, donor, mask, axis=axis, spacing=mm, valid=valid)
            return np.where(merged != host, cast_values(merged, host.dtype), host)
        pairs = zip(host, donor, strict=True)
        if self.blend == "crossfade":
            faded = [
                crossfade(
                    a, b, mask, width_mm=self.feather_mm, ring_mm=self.ring_mm, axis=axis, spacing=mm, valid=valid
                )
                for a, b in pairs
            ]
            return cast_values(np.stack(faded), host.dtype)
        cloned = [poisson_blend(a, b, mask, axis=axis, spacing=mm, valid=valid) for a, b in pairs]
        return blend_arrays(host, np.stack(cloned), mask[None].astype(np.float64))


def written_labels(old: np.ndarray | None, new: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The new label values over the old ones, in a type that holds both."""
    if old is None:
        return np.where(mask, new, np.zeros((), new.dtype))
    fits = bool((cast_values(new, old.dtype) == new).all())
    dtype = old.dtype if fits else np.promote_types(old.dtype, new.dtype)
    return np.where(mask, new.astype(dtype), old.astype(dtype))
