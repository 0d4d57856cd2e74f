"""A host while lesions are put in, of which all that takes time is known: only a lesion's surroundings are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, cast_values, in_all, wrap_like
from monai_consingan.background import check_in_tissue
from monai_consingan.data.contrast import RING_MM, cnr
from monai_consingan.distance import bounding_box, ring
from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.donor_crop import DonorCrop
from monai_consingan.transforms.insertion.move import move
from monai_consingan.transforms.insertion.oedema import bounded_oedema
from monai_consingan.transforms.insertion.paste import PastedLesion, PasteLesion
from monai_consingan.transforms.insertion.placement import Placement, find_placement
from monai_consingan.transforms.mass_effect import Push

__all__ = ["Canvas", "CropPaste"]


@dataclass(frozen=True)
class CropPaste:
    """A lesion in the part of a host that it is in.

    Attributes:
        box: that part, an index for the host's grid.
        image: the part with the lesion, (C, \\*box), in the host's dtype.
        mask: the lesion, boolean (\\*box).
        label: its label values, (\\*box), 0 elsewhere.
        tissue: tissue of the host that is no lesion, boolean (\\*box).
        ring: the part of that which the lesion is compared with: around it in space, as in its donor, however it was
            pasted.
        in_tissue: share of the lesion in the host's head.
        air: of the channel that leads, intensity above which there is tissue.
        lead: which channel that is.
        donor_cnr: how far the lesion stands out in its donor.
    """

    box: tuple[slice, ...]
    image: np.ndarray
    mask: np.ndarray
    label: np.ndarray
    tissue: np.ndarray
    ring: np.ndarray
    in_tissue: float
    air: float
    lead: int
    donor_cnr: float

    def checks(self, image: np.ndarray) -> dict[str, float | None]:
        """What shows whether the lesion is good, in the channel that leads.

        Args:
            image: the part of the host as it is in the end, (C, \\*box).

        Returns:
            ``in_tissue``, ``cnr``, how far the lesion stands out (``monai_consingan.data.contrast.cnr``),
            ``contrast_kept``, that as a share of the donor's, and ``black_gained``, voxels of tissue outside the lesion
            that became as dark as air, as a share of the lesion's. None stands for what there is no tissue to measure
            by.
        """
        values = image[self.lead]
        stands_out = cnr(values[self.mask], values[self.ring])
        black = self.tissue & ~self.mask & (values <= self.air)
        found = {
            "in_tissue": self.in_tissue,
            "cnr": stands_out,
            "contrast_kept": stands_out / self.donor_cnr if self.donor_cnr else math.nan,
            "black_gained": float(black.sum() / self.mask.sum()),
        }
        return {name: round(value, 4) if math.isfinite(value) else None for name, value in found.items()}


class Canvas:
    """A host while lesions are put in, which is copied before it is written to.

    Args:
        host: image of shape (C, \\*spatial).
        label: its labels, (1, \\*spatial), or None.
        known: what is known of the host.
        axis: the spatial axis perpendicular to the slices, to work slice by slice; None works in space.
    """

    def __init__(
        self, host: NdarrayOrTensor, label: NdarrayOrTensor | None, known: HostKnowledge, axis: int | None = None
    ) -> None:
        self.known = known
        self.axis = axis
        self._like = host
        self._label_like = label if isinstance(host, torch.Tensor) and isinstance(label, MetaTensor) else host
        grid = (1, *host.shape[1:])
        self.image = as_array(host)
        self.labels = np.zeros(grid, np.int16) if label is None else as_array(label)
        self.mask = np.zeros(grid, np.uint8)
        self._is_own = False

    def _own(self) -> None:
        """Copy what was given, once, before it is written to."""
        if not self._is_own:
            self.image, self.labels, self._is_own = self.image.copy(), self.labels.copy(), True

    @property
    def host(self) -> Any:
        """The image so far, a copy of the host's kind."""
        return wrap_like(self.image.copy(), self._like)

    def place(self, crop: DonorCrop, seed: int, **where: Any) -> Placement:
        """Find a place for a lesion.

        Args:
            crop: the lesion on the host's spacing.
            seed: seed of the choice among places that will do.
            where: ``edge_mm``, ``clearance_mm`` and ``prior``, see :func:`find_placement`.

        Raises:
            NoPlaceError: there is none.
        """
        return find_placement(
            self.image[crop.lead],
            None,
            crop.label,
            spacing=crop.spacing,
            rng=np.random.RandomState(seed),
            host_label=self.labels[0],
            axis=self.axis,
            level=crop.level,
            known=self.known,
            channel=crop.lead,
            **where,
        )

    def make_room(self, crop: DonorCrop, placement: Placement, share: float) -> Push:
        """Let image, labels and masks make room for a lesion.

        Args:
            crop: the lesion on the host's spacing.
            placement: where it goes.
            share: share of its volume by which tissue is pushed aside (:class:`Push`).

        Returns:
            How they were pushed, for whatever else lies on the host's grid.
        """
        push = Push.of(move(crop.core, placement.offset, shape=self.known.shape), share, self.known, self.axis)
        self.image = push.image(self.image)
        self.labels, self.mask = (push.label(part[0])[None] for part in (self.labels, self.mask))
        self._is_own = True
        return push

    def paste(self, paste: PasteLesion, crop: DonorCrop, placement: Placement) -> CropPaste:
        """Paste a lesion as :class:`PasteLesion` does, in the box around it; the canvas stays as it is.

        Args:
            paste: how to paste.
            crop: the lesion on the host's spacing.
            placement: where it goes.

        Raises:
            NoPlaceError: the lesion leaves the host or lies in background, or there is no tissue to match by.
            ConSinGANError: the host's intensities do not allow the match.
        """
        known, image, labels, offset = self.known, self.image, self.labels[0], placement.offset
        mm, shape = known.spacing, image.shape[1:]
        lesion = bounding_box(crop.label > 0)
        start = [low + part.start for low, part in zip(offset, lesion, strict=True)]
        stop = [low + part.stop for low, part in zip(offset, lesion, strict=True)]
        if min(start) < 0 or any(end > size for end, size in zip(stop, shape, strict=True)):
            raise NoPlaceError(
                f"a lesion at {tuple(start)} leaves the host of shape {tuple(shape)}; choose a place further inside."
            )
        pads = [int(np.ceil(paste.reach_mm / step)) for step in mm]
        box = tuple(
            slice(max(0, low - pad), min(size, high + pad))
            for low, high, pad, size in zip(start, stop, pads, shape, strict=True)
        )
        host, donor, label, valid = image[in_all(box)], *_moved(crop, offset, box)
        if (crop.label > 0).sum() > crop.core.sum():
            whole = label
            label, like = bounded_oedema(label, crop.lesion_labels, host, known, box)
            valid = valid & like & ((label > 0) | (whole == 0))
        mask = label > 0
        channels = list(zip(host, known.channels, strict=True))
        if any((mask & about.background.mask(part)).any() for part, about in channels):
            whole = np.zeros(shape, bool)
            whole[box] = mask
            check_in_tissue(image, whole)
        shown = np.ones(mask.shape, bool)
        for part, about in channels:
            if about.background or paste.blend == "tissue":
                shown &= about.background.tissue(part)
        lit = np.all([part > about.air for part, about in channels], axis=0) & shown & (labels[box] <= 0)
        if paste.match != "none":
            around = ring(mask, mm, paste.ring_mm, paste.axis)
            donor_lit = valid & np.all([part > air for part, air in zip(donor, crop.air, strict=True)], axis=0)
            signed = [about.background.signed or below for (_, about), below in zip(channels, crop.signed, strict=True)]
            donor, _ = paste.matched(host, around & lit, donor, around & donor_lit, signed)
        result = paste.blended(host, donor, mask, valid & shown, mm, paste.axis)
        return CropPaste(
            box=box,
            image=result,
            mask=mask,
            label=label,
            tissue=lit,
            ring=ring(mask, mm, RING_MM) & lit,
            in_tissue=float(known.head[box][mask].mean()),
            air=known.channels[crop.lead].air,
            lead=crop.lead,
            donor_cnr=crop.cnr,
        )

    def with_lesion(self, pasted: CropPaste) -> tuple[Any, Any]:
        """The image with one more lesion, and that lesion's mask, of the host's kind."""
        image, mask = self.image.copy(), np.zeros_like(self.mask)
        image[in_all(pasted.box)], mask[0][pasted.box] = pasted.image, pasted.mask
        return wrap_like(image, self._like), wrap_like(mask, self._like)

    def take(self, pasted: CropPaste, image: np.ndarray | None = None) -> dict[str, float | None]:
        """Put a lesion in, or take an image that it was redrawn in; its checks."""
        self._own()
        near = in_all(pasted.box)
        if image is None:
            self.image[near] = pasted.image
        else:
            self.image = image.copy()
        if not (cast_values(pasted.label, self.labels.dtype) == pasted.label).all():
            self.labels = self.labels.astype(np.promote_types(self.labels.dtype, pasted.label.dtype))
        self.labels[0][pasted.box][pasted.mask] = pasted.label[pasted.mask]
        self.mask[0][pasted.box][pasted.mask] = 1
        return pasted.checks(self.image[near])

    def result(self) -> PastedLesion:
        """Image, labels and mask of all new lesions."""
        self._own()
        return PastedLesion(
            wrap_like(self.image, self._like),
            wrap_like(self.labels, self._label_like),
            wrap_like(self.mask, self._like),
        )


def _moved(crop: DonorCrop, offset: Sequence[int], box: tuple[slice, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, labels and validity in a box of the host; beyond the crop its outermost values go on, and are invalid."""
    places = [np.arange(part.start, part.stop) - low for part, low in zip(box, offset, strict=True)]
    inside = [(at >= 0) & (at < size) for at, size in zip(places, crop.label.shape, strict=True)]
    near = np.ix_(*(np.clip(at, 0, size - 1) for at, size in zip(places, crop.label.shape, strict=True)))
    there = reduce(np.logical_and.outer, inside)
    return crop.image[in_all(near)], np.where(there, crop.label[near], 0), crop.valid[near] & there
