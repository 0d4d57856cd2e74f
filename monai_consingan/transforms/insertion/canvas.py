"""The one way to paste: lesions are blended with a host in the boxes around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, cast_values, check_axis, in_all, wrap_like
from monai_consingan.distance import outside_distance
from monai_consingan.transforms.head import Air
from monai_consingan.transforms.insertion.pasting import Pasting
from monai_consingan.transforms.insertion.placement import check_in_tissue

__all__ = ["Canvas", "PastedLesion", "Patch"]


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
    """

    box: tuple[slice, ...]
    image: np.ndarray
    label: np.ndarray
    mask: np.ndarray
    around: np.ndarray
    valid: np.ndarray
    tissue: np.ndarray

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
        own: whether host and label may be written to, as nobody else needs them as they are.
    """

    def __init__(
        self,
        host: NdarrayOrTensor,
        label: NdarrayOrTensor | None,
        spacing: tuple[float, ...],
        airs: Sequence[Air],
        own: bool = False,
    ) -> None:
        self.spacing = spacing
        self.airs = airs
        self._like = host
        self._label_like = label if isinstance(host, torch.Tensor) and isinstance(label, MetaTensor) else host
        grid = (1, *host.shape[1:])
        self.image = as_array(host)
        self.labels = np.zeros(grid, np.int16) if label is None else as_array(label)
        self.mask = np.zeros(grid, np.uint8)
        self._is_own = own

    def _own(self) -> None:
        """Copy what was given, once, before it is written to."""
        if not self._is_own:
            self.image, self.labels, self._is_own = self.image.copy(), self.labels.copy(), True

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
        return replace(patch, image=image)

    def with_lesion(self, merged: Patch, part: tuple[slice, ...] | None = None) -> tuple[Any, Any]:
        """The image with one more lesion, and that lesion's mask, of the host's kind.

        Args:
            merged: the host with the lesion.
            part: the part of the host that is wanted, around all of ``merged``; None for all of it.
        """
        part = part or tuple(slice(0, size) for size in self.mask.shape[1:])
        box = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(merged.box, part, strict=True))
        image, mask = self.image[in_all(part)].copy(), np.zeros_like(self.mask[in_all(part)])
        image[in_all(box)], mask[0][box] = merged.image, merged.mask
        return wrap_like(image, self._like), wrap_like(mask, self._like)

    def take(self, merged: Patch, image: np.ndarray | None = None) -> None:
        """Put a lesion in, or take an image that it was redrawn in."""
        self._own()
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
        self._own()
        return PastedLesion(
            wrap_like(self.image, self._like),
            wrap_like(self.labels, self._label_like),
            wrap_like(self.mask, self._like),
        )
