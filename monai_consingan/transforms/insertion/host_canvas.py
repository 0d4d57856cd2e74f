"""A host of which all that takes time is known, while lesions find their places and are put in."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import in_all
from monai_consingan.data.contrast import RING_MM, cnr
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.distance import bounding_box, ring
from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.donor import DonorCrop
from monai_consingan.transforms.insertion.effects import Push, bounded_oedema
from monai_consingan.transforms.insertion.pasting import Canvas, Pasting, Patch
from monai_consingan.transforms.insertion.placement import Placement, find_placement
from monai_consingan.transforms.whole_voxels import move, overlap, wider


class HostCanvas(Canvas):
    """A canvas of a host of which all that takes time is known: only a lesion's surroundings are seen.

    Args:
        host: image of shape (C, \\*spatial).
        label: its labels, (1, \\*spatial), or None.
        known: what is known of the host.
        axis: the spatial axis perpendicular to the slices, to work slice by slice; None works in space.
        own: which of ``"image"`` and ``"label"`` may be written to.
        mask: where lesions were put in before, uint8, (1, \\*spatial); None for nowhere. It is written to.
    """

    def __init__(
        self,
        host: NdarrayOrTensor,
        label: NdarrayOrTensor | None,
        known: HostKnowledge,
        axis: int | None = None,
        own: Collection[str] = (),
        mask: np.ndarray | None = None,
    ) -> None:
        super().__init__(host, label, known.spacing, known.channels, own)
        self.mask = self.mask if mask is None else mask
        self.known = known
        self.axis = axis

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
        self._own_image = self._own_labels = True
        return push

    def paste(self, paste: Pasting, crop: DonorCrop, placement: Placement) -> Patch:
        """Match a lesion to the host and blend it, in the box around it; the canvas stays as it is.

        Args:
            paste: how to paste.
            crop: the lesion on the host's spacing.
            placement: where it goes.

        Raises:
            NoPlaceError: the lesion leaves the host or lies in background, or there is no tissue to match by.
            ConSinGANError: the host's intensities do not allow the match.
        """
        known, mm, shape = self.known, self.spacing, self.image.shape[1:]
        pairs = zip(bounding_box(crop.label > 0), placement.offset, strict=True)
        lesion = [slice(part.start + step, part.stop + step) for part, step in pairs]
        start = tuple(part.start for part in lesion)
        if min(start) < 0 or any(part.stop > size for part, size in zip(lesion, shape, strict=True)):
            raise NoPlaceError(
                f"a lesion at {start} leaves the host of shape {tuple(shape)}; choose a place further inside."
            )
        box = wider(lesion, [int(np.ceil(paste.reach_mm / step)) for step in mm], shape)
        host, donor, label, valid = self.image[in_all(box)], *_moved(crop, placement.offset, box)
        if (crop.label > 0).sum() > crop.core.sum():
            whole = label
            label, like = bounded_oedema(label, crop.lesion_labels, host, known, box)
            valid = valid & like & ((label > 0) | (whole == 0))
        self.check(box, label)
        patch = self.patch(paste, box, donor, label, valid)
        if paste.match != "none":
            around = (
                patch.ring(paste.ring_mm) if paste.axis is None else ring(patch.mask, mm, paste.ring_mm, paste.axis)
            )
            donor_lit = valid & np.all([part > air for part, air in zip(donor, crop.air, strict=True)], axis=0)
            signed = [air.background.signed or below for air, below in zip(self.airs, crop.signed, strict=True)]
            donor, _ = paste.matched(host, around & self._lit(patch), donor, around & donor_lit, signed)
            patch = replace(patch, image=donor)
        return self.merged(paste, patch)

    def _lit(self, patch: Patch) -> np.ndarray:
        """Tissue of the host around a lesion that is no lesion, boolean (\\*box)."""
        host, labels = self.image[in_all(patch.box)], self.labels[0][patch.box]
        bright = np.all([part > about.air for part, about in zip(host, self.airs, strict=True)], axis=0)
        return np.asarray(bright & patch.tissue & (labels <= 0))

    def checks(self, merged: Patch, crop: DonorCrop, image: np.ndarray | None = None) -> dict[str, float | None]:
        """What shows whether a lesion is good, in the channel that leads, before the canvas takes it.

        Args:
            merged: the host with the lesion.
            crop: the lesion.
            image: the image that it was redrawn in, (C, \\*spatial), if it was.

        Returns:
            ``in_tissue``, share of the lesion in the host's head, ``cnr``, how far it stands out of the tissue around
            it in space without oedema (``monai_consingan.data.contrast.cnr``), ``contrast_kept``, that as a share of
            the donor's, and ``black_gained``, voxels of tissue outside the lesion that became as dark as air, as a
            share of the lesion's. None stands for what there is no tissue to measure by.
        """
        mask, tissue = merged.mask, self._lit(merged)
        values = (merged.image if image is None else image[in_all(merged.box)])[crop.lead]
        stands_out = cnr(values[lesion_voxels(merged.label, crop.lesion_labels)], values[merged.ring(RING_MM) & tissue])
        black = tissue & ~mask & (values <= self.airs[crop.lead].air)
        found = {
            "in_tissue": float(self.known.head[merged.box][mask].mean()),
            "cnr": stands_out,
            "contrast_kept": stands_out / crop.cnr if crop.cnr else math.nan,
            "black_gained": float(black.sum() / mask.sum()),
        }
        return {name: round(value, 4) if math.isfinite(value) else None for name, value in found.items()}


def _moved(crop: DonorCrop, offset: Sequence[int], box: tuple[slice, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, labels and validity in a box of the host; beyond the crop its outermost values go on, and are invalid."""
    start, size = [part.start - low for part, low in zip(box, offset, strict=True)], [b.stop - b.start for b in box]
    near, part = overlap(start, size, crop.label.shape)
    beyond = [(side.start, whole - side.stop) for side, whole in zip(part, size, strict=True)]
    image = np.pad(crop.image[in_all(near)], [(0, 0), *beyond], mode="edge")
    return image, np.pad(crop.label[near], beyond), np.pad(crop.valid[near], beyond)
