"""What the measures of a case share: a lesion in its image, and the tissue around it, found once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, check_axis, spacing_of
from monai_consingan.background import find_background
from monai_consingan.data.sequences import lead_channel, sequence_names
from monai_consingan.distance import ring
from monai_consingan.errors import ConSinGANError

AIR_FRACTION = 0.1


def channels_array(image: NdarrayOrTensor, name: str = "image") -> NDArray[Any]:
    """A channel-first image of any number of sequences as an array, (C, H, W) or (C, H, W, D).

    Args:
        image: numpy array, tensor or MetaTensor.
        name: what error messages call it.

    Raises:
        ConSinGANError: when there are no channels, or not 2 or 3 spatial axes.
    """
    array = as_array(image)
    if array.ndim not in (3, 4) or array.shape[0] == 0:
        raise ConSinGANError(f"{name} has shape {array.shape}: give channels and 2 or 3 spatial axes, as (C, H, W, D).")
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
    array = spatial_array(mask, name) > 0
    if array.shape != tuple(shape):
        raise ConSinGANError(
            f"{name} has the spatial shape {array.shape} but its image {tuple(shape)}: give both on one grid."
        )
    if not allow_empty and not array.any():
        raise ConSinGANError(f"{name} is empty: give one with at least one voxel above 0.")
    return np.asarray(array)


def tissue_mask(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels that hold tissue and not air.

    They are those that are brighter than air: above 0 (above the minimum, for images with values below 0) by more than
    a tenth of the way to the 99.5th percentile, and neither background nor mixed with it
    (:func:`~monai_consingan.background.find_background`). That holds for scans with a skull, for stripped ones and for
    crops without any air.

    Args:
        image: spatial array.

    Returns:
        Boolean array of the image's shape.
    """
    background = find_background(image)
    shown = background.darkest(image)
    low, high = min(float(shown.min()), 0.0), float(np.percentile(shown, 99.5))
    bright = np.asarray(image > low + AIR_FRACTION * (high - low))
    return background.tissue(image) & bright if background else bright


def tissue_in_all(channels: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels that hold tissue (:func:`tissue_mask`) in every channel of an image, (C, \\*spatial), as (\\*spatial)."""
    return np.logical_and.reduce([tissue_mask(channel) for channel in channels])


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
        lead: the channel that is measured, by its number or its sequence's name; None takes the one in which the mask
            stands out most (:func:`~monai_consingan.data.lead_channel`).

    Attributes:
        image: the channel that is measured, (\\*spatial).
        channel: its number.
        sequences: names of all channels (:func:`~monai_consingan.data.sequence_names`).
        inside: the mask, boolean (\\*spatial).
        spacing: voxel size in mm.
        axis: the axis perpendicular to the slices that it stays in, or None.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, a spacing or axis that does not fit, or no such channel.

    Example:

        >>> import numpy as np
        >>> image, mask = np.full((1, 32, 32), 100.0), np.zeros((1, 32, 32))
        >>> mask[0, 12:20, 12:20] = 1
        >>> Surroundings(image, mask).mean((2.0, 8.0))
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
        lead: int | str | None = None,
    ) -> None:
        self._channels = channels_array(image)
        self.inside = spatial_mask(mask, self._channels.shape[1:])
        self.sequences = sequence_names(image)
        self.channel = lead_channel(image, mask, lead)
        self.image = self._channels[self.channel]
        self.spacing = spacing_of(image, spacing)
        self.ndim = self.image.ndim
        self.axis = None if self.ndim == 2 else check_axis(axis, self.ndim)
        self._exclude, self._tissue = exclude, tissue
        self._rings: dict[tuple[float, float], NDArray[np.bool_]] = {}

    @classmethod
    def of(
        cls, image: NdarrayOrTensor | Surroundings, mask: NdarrayOrTensor | None = None, **where: Any
    ) -> Surroundings:
        """The surroundings that a measure is given, or those of the image and mask that it is given.

        Args:
            image: the image, or surroundings that were found before.
            mask: the mask; None with surroundings only.
            where: ``spacing``, ``axis``, ``exclude``, ``tissue`` and ``lead``, see :class:`Surroundings`.
        """
        if isinstance(image, Surroundings):
            return image
        if mask is None:
            raise ConSinGANError("mask is missing: give the mask of the lesion along with its image.")
        return cls(image, mask, **where)

    def of_sequence(self, channel: int) -> Surroundings:
        """The same surroundings in another channel."""
        _ = self.countable  # found once for all
        other = copy(self)
        other.channel, other.image = channel, self._channels[channel]
        return other

    @cached_property
    def countable(self) -> NDArray[np.bool_]:
        """All tissue outside of the mask that may be compared with, of the image's spatial shape."""
        if self._tissue is not None:
            found = spatial_mask(self._tissue, self.inside.shape, "tissue") & ~self.inside
        else:
            found = tissue_in_all(self._channels) & ~self.inside
        if self._exclude is not None:
            found &= ~spatial_mask(self._exclude, found.shape, "exclude", allow_empty=True)
        return found

    def ring(self, limits_mm: tuple[float, float]) -> NDArray[np.bool_]:
        """The tissue whose distance to the mask is above the first and up to the second number of mm.

        Raises:
            ConSinGANError: for limits that are negative or in the wrong order.
        """
        limits = (float(limits_mm[0]), float(limits_mm[1]))
        if limits not in self._rings:
            self._rings[limits] = ring(self.inside, self.spacing, limits_mm, self.axis) & self.countable
        return self._rings[limits]

    def around(self, outer_mm: float) -> NDArray[np.bool_]:
        """The tissue up to a distance in mm.

        Raises:
            ConSinGANError: for a distance that is no positive number of mm.
        """
        if not 0 < outer_mm < np.inf:
            raise ConSinGANError(f"outer_mm is {outer_mm}: give a positive number of mm.")
        return self.ring((0.0, outer_mm))

    def values(self, ring_mm: tuple[float, float]) -> NDArray[Any]:
        """Intensities of a ring of tissue around the mask, one for each voxel.

        Raises:
            ConSinGANError: when nothing is left of the ring.
        """
        around = self.ring(ring_mm)
        if not around.any():
            raise ConSinGANError(
                f"No tissue lies between {ring_mm[0]:g} and {ring_mm[1]:g} mm around the lesion: give a wider ring_mm."
            )
        return np.asarray(self.image[around])

    def mean(self, ring_mm: tuple[float, float]) -> float:
        """Mean intensity of a ring of tissue around the mask.

        Raises:
            ConSinGANError: when nothing is left of the ring, or its mean is not above 0, so that no contrast exists.
        """
        mean = float(self.values(ring_mm).mean(dtype=np.float64))
        if mean <= 0:
            raise ConSinGANError(
                f"The tissue around the lesion has the mean intensity {mean:.4g}: contrast needs intensities above 0, "
                "so give the image before it was normalised."
            )
        return mean
