"""How a donor's lesion becomes a host's: its intensities matched, its border blended, in the boxes around lesions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, cast_values, check_axis, check_number, check_range, in_all, wrap_like
from monai_consingan.data.contrast import RING_MM
from monai_consingan.distance import outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BLENDS, MATCHES
from monai_consingan.transforms.alteration import alteration_weight
from monai_consingan.transforms.blend import blend_arrays
from monai_consingan.transforms.head import Air
from monai_consingan.transforms.insertion.crossfade import crossfade
from monai_consingan.transforms.insertion.match import check_gain, match_intensities, one_scale
from monai_consingan.transforms.insertion.naive import naive_paste
from monai_consingan.transforms.insertion.placement import check_in_tissue
from monai_consingan.transforms.insertion.tissue_blend import TissueBlend
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.whole_voxels import box_in

_REACH_MM = 20.0


@dataclass(eq=False)
class Pasting:
    """How a lesion is pasted.

    Args:
        blend, feather_mm, match, ring_mm, axis: see :class:`monai_consingan.transforms.PasteLesion`.

    Raises:
        ConSinGANError: when an argument is none of those.
    """

    blend: str = "hard"
    feather_mm: float = 2.0
    match: str = "none"
    ring_mm: tuple[float, float] = (2.0, 8.0)
    axis: int | None = None

    def __post_init__(self) -> None:
        if self.blend not in BLENDS:
            raise ConSinGANError(f'blend "{self.blend}" is unknown; choose one of {", ".join(BLENDS)}.')
        if self.match not in MATCHES:
            raise ConSinGANError(f'match "{self.match}" is unknown; choose one of {", ".join(MATCHES)}.')
        check_axis(self.axis, 3)
        self.feather_mm = check_number(self.feather_mm, "feather_mm")
        inner, outer = check_range(self.ring_mm, "ring_mm")
        if inner == outer:
            raise ConSinGANError(f"ring_mm is {self.ring_mm}, which is empty; give two rising distances in mm.")
        self.ring_mm = inner, outer

    @property
    def reach_mm(self) -> float:
        """How far from a lesion the host may change, or has a say in what does."""
        if self.blend == "tissue":
            return max(self.ring_mm[1], TissueBlend().looks_mm)
        return self.ring_mm[1] + 2 * self.feather_mm + _REACH_MM

    @property
    def near_mm(self) -> float:
        """How far from a lesion distances to it count."""
        return max(self.ring_mm[1], RING_MM[1], TissueBlend().near_mm if self.blend == "tissue" else 0.0)

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

    def tissue(self, image: np.ndarray, airs: Sequence[Air], known: np.ndarray | None = None) -> np.ndarray:
        """Where a part of an image is known and shows what may be blended in all channels, boolean (\\*spatial).

        Args:
            image: the part, (C, \\*spatial).
            airs: what tells tissue from air in each channel.
            known: where its values count, boolean (\\*spatial); None for everywhere.
        """
        shown = np.ones(image.shape[1:], bool) if known is None else known
        for channel, about in zip(image, airs, strict=True):
            if about.background or self.blend == "tissue":
                shown = shown & about.background.tissue(channel, known)
        return shown

    def blended(
        self,
        host: np.ndarray,
        donor: np.ndarray,
        label: np.ndarray,
        valid: np.ndarray,
        mm: Sequence[float],
        axis: int | None,
        around: np.ndarray,
    ) -> np.ndarray:
        """The host with the donor's lesion, both (C, \\*spatial) around it, in the host's dtype.

        Args:
            host: the host.
            donor: the donor, moved and matched.
            label: the lesion's label values, (\\*spatial), 0 elsewhere.
            valid: where host and donor both show tissue, boolean.
            mm: spacing.
            axis: the spatial axis perpendicular to the slices, or None.
            around: distance in mm to the lesion, as far as :attr:`near_mm`.
        """
        if self.blend == "tissue":  # which tells a lesion's parts by their values
            merged = TissueBlend()(host, donor, label, axis=axis, spacing=mm, valid=valid, around=around)
            result, changed = host.copy(), merged != host
            result[changed] = cast_values(merged[changed], host.dtype)
            return result
        mask = label > 0
        if self.blend == "hard":
            return naive_paste(host, donor, mask)
        if self.blend == "feather":
            weight = alteration_weight(mask, spacing=mm, dilation_mm=0.0, softness_mm=self.feather_mm, axis=axis)
            return blend_arrays(host, donor, np.where(valid, weight, 0.0)[None])
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


@dataclass(frozen=True)
class Patch:
    """A lesion in the part of a host that it comes to.

    Attributes:
        box: that part, an index for the host's grid.
        image: what is put there, (C, \\*box): the donor's values, matched to the host's, and then the host with the
            lesion (:meth:`Canvas.merged`).
        label: the lesion's label values, (\\*box), 0 elsewhere.
        mask: the lesion, boolean (\\*box).
        around: distance in mm of every voxel to the lesion, as far as it counts (:attr:`Pasting.near_mm`), else
            infinite.
        valid: where donor and host both show tissue, boolean (\\*box).
        tissue: where the host does.
        source: what was put there, once the host has the lesion.
    """

    box: tuple[slice, ...]
    image: np.ndarray
    label: np.ndarray
    mask: np.ndarray
    around: np.ndarray
    valid: np.ndarray
    tissue: np.ndarray
    source: np.ndarray | None = None

    def ring(self, limits_mm: tuple[float, float]) -> np.ndarray:
        """Voxels whose distance to the lesion lies above the first of two limits, and not above the second."""
        return (self.around > limits_mm[0]) & (self.around <= limits_mm[1])


class Canvas:
    """A host while lesions are pasted into it, which is copied before it is written to.

    Args:
        host: image of shape (C, \\*spatial).
        label: its labels, (1, \\*spatial), or None.
        spacing: mm per spatial axis.
        airs: what tells tissue from air in each channel.
        own: which of ``"image"`` and ``"label"`` may be written to, as nobody else needs them as they are.
    """

    def __init__(
        self,
        host: NdarrayOrTensor,
        label: NdarrayOrTensor | None,
        spacing: tuple[float, ...],
        airs: Sequence[Air],
        own: Collection[str] = (),
    ) -> None:
        self.spacing = spacing
        self.airs = airs
        self._like = host
        self._label_like = label if isinstance(host, torch.Tensor) and isinstance(label, MetaTensor) else host
        grid = (1, *host.shape[1:])
        self.image = as_array(host)
        self.labels = np.zeros(grid, np.int16) if label is None else as_array(label)
        self.mask = np.zeros(grid, np.uint8)
        self._own_image, self._own_labels = "image" in own, label is None or "label" in own

    def _make_own(self) -> None:
        """Copy what was given, once, before it is written to."""
        if not self._own_image:
            self.image, self._own_image = self.image.copy(), True
        if not self._own_labels:
            self.labels, self._own_labels = self.labels.copy(), True

    @property
    def host(self) -> Any:
        """The image so far, a copy of the host's kind."""
        return wrap_like(self.image.copy(), self._like)

    def check(self, box: tuple[slice, ...], label: np.ndarray) -> None:
        """Refuse a lesion that lies in the host's background.

        Args:
            box: the part of the host that it comes to.
            label: its label values there, (\\*box).

        Raises:
            NoPlaceError: it does.
        """
        mask = label > 0
        pairs = zip(self.image[in_all(box)], self.airs, strict=True)
        if any((mask & about.background.mask(part)).any() for part, about in pairs):
            whole = np.zeros(self.image.shape[1:], bool)
            whole[box] = mask
            check_in_tissue(self.image, whole)

    def patch(
        self, paste: Pasting, box: tuple[slice, ...], image: np.ndarray, label: np.ndarray, valid: np.ndarray
    ) -> Patch:
        """A donor's lesion, moved to where it comes to.

        Args:
            paste: how it will be pasted.
            box: the part of the host that it comes to.
            image: the donor's values there, (C, \\*box).
            label: the lesion's label values there, (\\*box).
            valid: where the donor shows tissue there, boolean (\\*box).
        """
        tissue, mask = paste.tissue(self.image[in_all(box)], self.airs), label > 0
        around = outside_distance(mask, self.spacing, reach_mm=paste.near_mm)
        return Patch(box, image, label, mask, around, valid & tissue, tissue)

    def merged(self, paste: Pasting, patch: Patch) -> Patch:
        """Blend a donor's lesion, whose values are matched already, with the host; the canvas stays as it is."""
        axis, host = check_axis(paste.axis, patch.label.ndim), self.image[in_all(patch.box)]
        image = paste.blended(host, patch.image, patch.label, patch.valid, self.spacing, axis, patch.around)
        return replace(patch, image=image, source=patch.image)

    def with_lesion(self, merged: Patch, part: tuple[slice, ...] | None = None) -> tuple[Any, Any]:
        """The image with one more lesion, and that lesion's mask, of the host's kind.

        Args:
            merged: the host with the lesion.
            part: the part of the host that is wanted, around all of ``merged``; None for all of it.
        """
        part = part or tuple(slice(0, size) for size in self.mask.shape[1:])
        box = box_in(merged.box, part)
        image, mask = self.image[in_all(part)].copy(), np.zeros_like(self.mask[in_all(part)])
        image[in_all(box)], mask[0][box] = merged.image, merged.mask
        return wrap_like(image, self._like), wrap_like(mask, self._like)

    def take(self, merged: Patch, image: np.ndarray | None = None) -> None:
        """Put a lesion in, or take an image that it was redrawn in."""
        self._make_own()
        if image is None:
            self.image[in_all(merged.box)] = merged.image
        else:
            self.image = image.copy()
        if not (cast_values(merged.label, self.labels.dtype) == merged.label).all():
            self.labels = self.labels.astype(np.promote_types(self.labels.dtype, merged.label.dtype))
        self.labels[0][merged.box][merged.mask] = merged.label[merged.mask]
        self.mask[0][merged.box][merged.mask] = 1

    def result(self) -> PastedLesion:
        """Image, labels and mask of all new lesions."""
        self._make_own()
        return PastedLesion(
            wrap_like(self.image, self._like),
            wrap_like(self.labels, self._label_like),
            wrap_like(self.mask, self._like),
        )
