"""Pasting a donor's lesion into a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import (
    as_array,
    as_mask,
    check_axis,
    check_image,
    check_shape,
    check_spacing,
    in_all,
    spacing_of,
)
from monai_consingan.data import same_sequences
from monai_consingan.distance import reach_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.grids import check_place
from monai_consingan.transforms.head import ChannelAir
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.effects import Push, check_mass_effect
from monai_consingan.transforms.insertion.match import tissue_ring
from monai_consingan.transforms.insertion.pasting import Canvas, PastedLesion, Pasting
from monai_consingan.transforms.insertion.placement import check_in_tissue
from monai_consingan.transforms.whole_voxels import move


@dataclass(eq=False)
class PasteLesion(Pasting, Transform):
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
            aside, from 0 to 0.8 (``monai_consingan.transforms.insertion.effects.Push``); the rest takes tissue's place.

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

    spacing: Sequence[float] | float | None = None
    mass_effect: float = 0.0

    backend = [TransformBackends.NUMPY]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spacing(self.spacing)
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
        canvas, patch, _ = self.placed(host, donor, donor_label, offset, host_label, donor_valid)
        canvas.take(canvas.merged(self, patch))
        return canvas.result()

    def placed(
        self,
        host: NdarrayOrTensor,
        donor: NdarrayOrTensor,
        donor_label: NdarrayOrTensor,
        offset: Sequence[int] | None = None,
        host_label: NdarrayOrTensor | None = None,
        donor_valid: NdarrayOrTensor | None = None,
        airs: tuple[Sequence[Any], Sequence[Any]] | None = None,
    ) -> tuple[Any, Any, tuple[str, ...]]:
        """The host that is pasted into, what of the donor comes where in it, and how each channel's was matched.

        Args and errors are those of a call; ``airs`` is what tells tissue from air in each channel of host and donor,
        if that is known. ``canvas.merged(Pasting(), patch)`` is then the naive image's part, without a blend.
        """
        check_image(host, name="host")
        check_image(donor, name="donor")
        other, labels = as_array(same_sequences(donor, host)), as_array(donor_label)
        shape = (1, *host.shape[1:])
        check_shape(other, host.shape, name="donor", other="host")
        check_shape(labels, shape, name="donor_label", other="the host's grid")
        check_place(donor, host, name="donor", other_name="the host", moved=True)
        check_place(donor_label, donor, name="donor_label", other_name="the donor")
        check_place(host_label, host, name="host_label", other_name="the host")
        if host_label is not None:
            check_shape(as_array(host_label), shape, name="host_label", other="the host's grid")
        known = np.ones(shape[1:], bool) if donor_valid is None else as_mask(donor_valid, name="donor_valid")[0]
        check_shape(known, shape[1:], name="donor_valid", other="the host's grid")
        lesion = as_mask(labels, name="donor_label")[0]
        shift = self._shift(lesion, offset)
        axis, mm = check_axis(self.axis, lesion.ndim), spacing_of(host, self.spacing)

        mask = move(lesion, shift)
        if self.mass_effect:  # the lesion makes room for itself
            push = Push.of(mask, self.mass_effect, HostKnowledge.of(host, spacing=self.spacing), axis)
            host, host_label = push.host(host, host_label)
        of_host, of_donor = airs or ([ChannelAir(part) for part in as_array(image)] for image in (host, other))
        canvas = Canvas(host, np.zeros_like(labels) if host_label is None else host_label, mm, of_host)
        source, near = (reach_box(part, mm, self.reach_mm) for part in (lesion, mask))
        start, size = [a.start + b - c.start for a, b, c in zip(source, shift, near, strict=True)], mask[near].shape
        image, label = other[in_all(source)], move(labels[0], shift)[near]
        canvas.check(near, label)
        check_in_tissue(other, lesion, donor=True, known=[about.background for about in of_donor])
        valid = self.tissue(image, of_donor, known[source])
        ring, donor_ring = None, None
        if self.match != "none":
            ring = tissue_ring(canvas.image, mask, self.ring_mm, mm, axis, airs=of_host)[near]
            ring = ring & (canvas.labels[0][near] <= 0)
            donor_ring = tissue_ring(other, lesion, self.ring_mm, mm, axis, known, of_donor)[source]
        signed = [a.background.signed or b.background.signed for a, b in zip(of_host, of_donor, strict=True)]
        image, ways = self.matched(canvas.image[in_all(near)], ring, image, donor_ring, signed)
        image, valid = (move(part, start, shape=size) for part in (image, valid))
        return canvas, canvas.patch(self, near, image, label, valid), ways

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
