"""What measures share: images and masks, checked, and a lesion with the tissue around it, in its part of an image."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, check_axis, in_all, spacing_of
from monai_consingan.background import find_background
from monai_consingan.data import slice_axis
from monai_consingan.data.contrast import RING_MM
from monai_consingan.data.sequences import lead_channel, sequence_names
from monai_consingan.distance import bounding_box, outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.head import TissueLevel

_MARGIN = 4  # voxels around a lesion's surroundings, which filters look at


def channels_array(image: NdarrayOrTensor) -> NDArray[Any]:
    """A channel-first image of any number of sequences as an array, (C, H, W) or (C, H, W, D).

    Args:
        image: numpy array, tensor or MetaTensor.

    Raises:
        ConSinGANError: when there are no channels, or not 2 or 3 spatial axes.
    """
    array = as_array(image)
    if array.ndim not in (3, 4) or array.shape[0] == 0:
        raise ConSinGANError(f"image has shape {array.shape}: give channels and 2 or 3 spatial axes, as (C, H, W, D).")
    return array


def spatial_array(image: NdarrayOrTensor, name: str = "image") -> NDArray[Any]:
    """The spatial array of a channel-first image.

    Args:
        image: numpy array, tensor or MetaTensor of shape (1, H, W) or (1, H, W, D).
        name: what error messages call it.

    Returns:
        Array of shape (H, W) or (H, W, D), without the channel axis.

    Raises:
        ConSinGANError: when there is not exactly one channel and 2 or 3 spatial axes.
    """
    array = as_array(image)
    if array.ndim not in (3, 4) or array.shape[0] != 1:
        raise ConSinGANError(
            f"{name} has shape {array.shape}: give one channel and 2 or 3 spatial axes, as (1, H, W, D)."
        )
    return np.asarray(array[0])


def spatial_mask(
    mask: NdarrayOrTensor, shape: Sequence[int], name: str = "mask", *, allow_empty: bool = False
) -> NDArray[np.bool_]:
    """The boolean spatial array of a channel-first mask, checked against the image that it belongs to.

    Args:
        mask: channel-first mask or label; whatever is above zero counts.
        shape: spatial shape of the image.
        name: what error messages call it.
        allow_empty: accept a mask without any voxel.

    Returns:
        Boolean array of the spatial shape.

    Raises:
        ConSinGANError: for another shape than the image's, or for an empty mask unless that is allowed.
    """
    array = spatial_array(mask, name)
    array = array if array.dtype == bool else array > 0
    if array.shape != tuple(shape):
        raise ConSinGANError(
            f"{name} has the spatial shape {array.shape} but its image {tuple(shape)}: give both on one grid."
        )
    if not allow_empty and not array.any():
        raise ConSinGANError(f"{name} is empty: give one with at least one voxel above 0.")
    return np.asarray(array)


def tissue_levels(image: NdarrayOrTensor) -> tuple[TissueLevel, ...]:
    """What tells tissue from air in each channel of an image, (C, \\*spatial)."""
    return tuple(map(TissueLevel.of, channels_array(image)))


def reach_in_voxels(spacing: Sequence[float]) -> list[int]:
    """How far around a mask its measures look, in voxels along each axis, for mm per spatial axis."""
    return [int(np.ceil(RING_MM[1] / mm)) + _MARGIN for mm in spacing]


class Surroundings:
    """A mask in an image and the tissue around it: found once, it serves all measures of the case.

    With several sequences, one is measured, the lead; what counts as tissue around does so in all of them.
    :meth:`of_sequence` gives the same surroundings in another (:func:`~monai_consingan.metrics.by_sequence`).

    Args:
        image: channel-first image, (C, H, W) or (C, H, W, D).
        mask: channel-first mask of the lesion, or of what was altered, on the same grid.
        spacing: voxel size in mm; None takes the MetaTensor's, else 1 mm.
        axis: spatial axis perpendicular to the slices, in which everything then stays. None measures in space.
        exclude: mask of voxels that must not count as surroundings, such as other lesions.
        tissue: mask of tissue, such as a brain mask; None leaves air out by its intensity.
        levels: what tells tissue from air in each channel (:func:`tissue_levels`), such as those of a result's host;
            None finds it in the image.
        lead: the channel that is measured, by its number or its sequence's name; None takes the one in which the mask
            stands out most (:func:`~monai_consingan.data.lead_channel`).

    Attributes:
        box: the part of the image that mask and surroundings lie in, an index for the spatial axes. All arrays are
            those of this part.
        image: the channel that is measured, (\\*box).
        channel: its number.
        sequences: names of all channels (:func:`~monai_consingan.data.sequence_names`).
        inside: the mask, boolean (\\*box).
        spacing: voxel size in mm.
        axis: the axis perpendicular to the slices that it stays in, or None.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, a spacing or axis that does not fit, or no such channel.

    Example:

        >>> import numpy as np
        >>> image, mask = np.full((1, 32, 32), 100.0), np.zeros((1, 32, 32))
        >>> mask[0, 12:20, 12:20] = 1
        >>> Surroundings(image, mask).mean()
        100.0
    """

    def __init__(
        self,
        image: NdarrayOrTensor,
        mask: NdarrayOrTensor,
        *,
        spacing: float | Sequence[float] | None = None,
        axis: int | None = None,
        exclude: NdarrayOrTensor | None = None,
        tissue: NdarrayOrTensor | None = None,
        levels: Sequence[TissueLevel] | None = None,
        lead: int | str | None = None,
    ) -> None:
        whole = channels_array(image)
        shape, inside = whole.shape[1:], spatial_mask(mask, whole.shape[1:])
        self.sequences = sequence_names(image)
        self.channel = lead_channel(image, mask, lead)
        self.spacing = spacing_of(image, spacing)
        self.ndim = inside.ndim
        self.axis = None if self.ndim == 2 else check_axis(axis, self.ndim)
        self.box = bounding_box(inside, reach_in_voxels(self.spacing))
        self.inside = inside[self.box]
        self._whole, self._channels = whole, whole[in_all(self.box)]
        self.image = self._channels[self.channel]
        self._levels = levels
        self._tissue = None if tissue is None else spatial_mask(tissue, shape, "tissue")[self.box]
        self._exclude = None
        if exclude is not None:
            self._exclude = spatial_mask(exclude, shape, "exclude", allow_empty=True)[self.box]
        self._rings: dict[tuple[float, float], NDArray[np.bool_]] = {}

    @classmethod
    def of(
        cls, image: NdarrayOrTensor | Surroundings, mask: NdarrayOrTensor | None = None, **where: Any
    ) -> Surroundings:
        """The surroundings that a measure is given, or those of the image and mask that it is given.

        Args:
            image: channel-first image, (C, H, W) or (C, H, W, D), or surroundings that were found before.
            mask: channel-first mask on the same grid, such as that of a lesion; None with surroundings only.
            where: ``spacing``, ``axis``, ``exclude``, ``tissue``, ``levels`` and ``lead``, see :class:`Surroundings`.
        """
        if isinstance(image, Surroundings):
            return image
        if mask is None:
            raise ConSinGANError("mask is missing: give the mask of the lesion along with its image.")
        return cls(image, mask, **where)

    def of_sequence(self, channel: int) -> Surroundings:
        """The same surroundings in another channel."""
        _ = self.countable, self._away  # found once for all
        other = copy(self)
        other.__dict__.pop("has_ratios", None)
        other.channel, other.image = channel, self._channels[channel]
        return other

    def part(self, of_lesion: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """The mask, or a part of it that is given for all of the image or for the box, as (\\*box)."""
        if of_lesion is None:
            return self.inside
        return of_lesion if of_lesion.shape == self.inside.shape else of_lesion[self.box]

    @cached_property
    def countable(self) -> NDArray[np.bool_]:
        """All tissue outside of the mask that may be compared with."""
        if self._tissue is not None:
            found = self._tissue & ~self.inside
        else:
            levels = tissue_levels(self._whole) if self._levels is None else self._levels
            pairs = zip(levels, self._channels, strict=True)
            found = np.logical_and.reduce([level.mask(channel) for level, channel in pairs]) & ~self.inside
        return found if self._exclude is None else found & ~self._exclude

    @cached_property
    def _away(self) -> NDArray[np.float64]:
        """Distance to the mask in mm, infinite beyond 8."""
        return outside_distance(self.inside, self.spacing, self.axis, reach_mm=RING_MM[1])

    def ring(self, limits_mm: tuple[float, float] = RING_MM) -> NDArray[np.bool_]:
        """The tissue whose distance to the mask is above the first and up to the second number of mm, at most 8."""
        if limits_mm not in self._rings:
            inner, outer = limits_mm
            self._rings[limits_mm] = (self._away > inner) & (self._away <= outer) & self.countable
        return self._rings[limits_mm]

    @property
    def around(self) -> NDArray[np.bool_]:
        """The tissue up to 8 mm around the mask."""
        return self.ring((0.0, RING_MM[1]))

    def values(self) -> NDArray[Any]:
        """Intensities of the ring of tissue 2 to 8 mm around the mask, one for each voxel.

        Raises:
            ConSinGANError: when nothing is left of the ring.
        """
        if not self.ring().any():
            raise ConSinGANError(
                f"No tissue lies between {RING_MM[0]:g} and {RING_MM[1]:g} mm around the lesion: give one in tissue."
            )
        return np.asarray(self.image[self.ring()])

    def mean(self) -> float:
        """Mean intensity of the ring of tissue 2 to 8 mm around the mask.

        Raises:
            ConSinGANError: when nothing is left of the ring.
        """
        return float(self.values().mean(dtype=np.float64))

    @cached_property
    def has_ratios(self) -> bool:
        """Whether intensities have ratios, as the tissue around is above 0 and the image reaches not far below it.

        Raises:
            ConSinGANError: when nothing is left of the ring.
        """
        if self._levels is None:
            signed = find_background(self._whole[self.channel]).signed
        else:
            signed = self._levels[self.channel].background.signed
        return self.mean() > 0 and not signed

    def unit(self) -> float:
        """Mean intensity of the ring, which contrasts are ratios to.

        Raises:
            ConSinGANError: when nothing is left of the ring, or intensities have no ratios.
        """
        if not self.has_ratios:
            raise ConSinGANError(
                f"The tissue around the lesion has the mean intensity {self.mean():.4g}: contrast needs intensities "
                "above 0, so give the image before it was normalised."
            )
        return self.mean()


@dataclass(frozen=True)
class Where:
    """Where the lesion of a case is measured.

    Args:
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 looks around the lesion within the slices, 3 in space.
        lead: the sequence that the lesion is measured in; ``None`` finds it
            (:func:`~monai_consingan.data.lead_channel`).
        others: mask of other lesions, such as the host's own or those that stay: they are no surroundings.
        levels: what tells tissue in the channels of the host (:func:`tissue_levels`); ``None`` finds it.
    """

    axis: int | None = None
    dims: int = 2
    lead: int | str | None = None
    others: NdarrayOrTensor | None = None
    levels: Sequence[TissueLevel] | None = None

    def around(self, image: NdarrayOrTensor, mask: NdarrayOrTensor, dims: int | None = None) -> Surroundings:
        """A mask in an image, (C, \\*spatial), and the tissue around it.

        Args:
            image: the host, the donor or a result.
            mask: mask of the lesion, or of what was altered.
            dims: 3 for space; ``None`` for what holds for the case.
        """
        axis = slice_axis(mask, self.axis) if (self.dims if dims is None else dims) == 2 else None
        return Surroundings(image, mask, axis=axis, exclude=self.others, levels=self.levels, lead=self.lead)
