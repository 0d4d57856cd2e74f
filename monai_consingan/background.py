"""Background: the constant that fills an image's border, wherever it lies among the values, and what mixes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.errors import ConSinGANError, NoPlaceError

__all__ = ["Background", "check_in_tissue", "find_background"]

_BORDER_SHARE = 0.05  # of the voxels of the border that the constant has at least
_TOGETHER = 0.9  # of the constant's voxels there, how many have the constant beside them: noise has it here and there
_ROUNDING = 1e-5  # of the range of values
_FEWEST_VALUES = 8  # of what is not background: an image of tissue has more, a drawing of shapes may have fewer
_SAMPLE = 2**16  # voxels from which a range is told
_MIX_REACH = 2  # voxels around background in which values may be mixed with it
_HOLE = 27  # voxels


@dataclass(frozen=True)
class Background:
    """The constant that fills an image's border, or that there is none, as in a whole head in noisy air or in a crop.

    Args:
        value: the constant; NaN where there is none.
        lowest: the image's lowest value. Where there is no constant, what has it is not taken for tissue: so are
            voxels marked that a scan does not cover.
        tolerance: how far from it rounding may move a voxel.
        mixed: how far from it a voxel beside background may be to count as mixed with it: half of the way to the median
            of the tissue.
        among: whether tissue may have the same value by chance, as it lies to both sides of it and values are whole
            numbers or rounded. Background is then only what is connected with the border through faces, or is a hole
            of 27 voxels or more.
    """

    value: float
    lowest: float
    tolerance: float = 0.0
    mixed: float = 0.0
    among: bool = False

    def __bool__(self) -> bool:
        return self.value == self.value

    def mask(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Where an image, or a part of it, is background: boolean, of the same shape."""
        found = self._equal(values)
        if not (self.among and found.any()):
            return found
        parts, _ = ndimage.label(found)
        belongs = np.bincount(parts.ravel()) >= _HOLE
        belongs[_at_border(parts)] = True
        belongs[0] = False
        return np.asarray(belongs[parts])

    def tissue(self, values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Where an image, or a part of it, is neither background nor mixed with it.

        Mixed is what is connected with background by voxels that differ from it by less than a tenth of the way to the
        median of the tissue, and, within two voxels of all that, what is nearer to background than to this median:
        voxels that an interpolation made of both, or that a spline drove up and down.

        Args:
            values: the image, or a part of it.
            known: voxels whose values count, boolean of the same shape; None for all. The others are no tissue, nor do
                they mix with any.

        Returns:
            Boolean array of the same shape.
        """
        if not self:
            shown = np.asarray(values > self.lowest)
            return shown if known is None else shown & known
        found = self.mask(values) if known is None else self.mask(values) & known
        box = next(iter(ndimage.find_objects((~found).view(np.uint8))), None)
        if found.any() and box is not None:
            box = tuple(slice(max(0, side.start - _MIX_REACH), side.stop + _MIX_REACH) for side in box)
            away, inner = np.abs(values[box] - np.float64(self.value)), found[box]
            parts, count = ndimage.label(inner | (away < 0.2 * self.mixed))
            inner |= (np.bincount(parts[inner], minlength=count + 1) > 0)[parts]
            inner |= (away < self.mixed) & ndimage.maximum_filter(inner, 2 * _MIX_REACH + 1)
        return ~found if known is None else ~found & known

    def outside(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Background of a whole image that has a connection with its border, without the holes in tissue."""
        found = self.mask(values)
        parts, _ = ndimage.label(found)
        belongs = np.zeros(parts.max(initial=0) + 1, bool)
        belongs[_at_border(parts)] = True
        belongs[0] = False
        return np.asarray(belongs[parts])

    def darkest(self, values: NDArray[Any]) -> NDArray[Any]:
        """An image whose background is not brighter than its darkest voxel; a copy only where that changes anything."""
        found = self.mask(values)
        if found.all() or not found.any() or not values.min() < self.value - self.tolerance:
            return values
        return np.where(found, values[~found].min(), values)

    def _equal(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        if not self:
            return np.zeros(values.shape, bool)
        if self.tolerance == 0:
            return np.asarray(values == self.value)
        return np.asarray(np.abs(values - np.float64(self.value)) <= self.tolerance)


def find_background(image: Any) -> Background:
    """Find the constant that fills the border of an image.

    It is the most frequent value of the voxels on the image's faces, to within rounding, if at least a twentieth of
    them have it, nine of ten of these beside others that have it (which tells a constant from noise), and the other
    voxels of the image have several values.

    Args:
        image: one channel, array of any shape; axes of one voxel do not count.

    Returns:
        The background; one that is false, and holds no voxel, where the image has none.

    Example:
        >>> scan = np.zeros((20, 20))
        >>> scan[4:16, 4:16] = np.arange(-72, 72).reshape(12, 12)
        >>> find_background(scan).value, int(find_background(scan).mask(scan).sum())
        (0.0, 256)
        >>> bool(find_background(scan[4:16, 4:16]))
        False
    """
    values = np.squeeze(as_array(image))
    lowest = float(values.min())
    none = Background(float("nan"), lowest)
    if values.ndim < 2:
        return none
    faces = [np.take(values, end, axis) for axis in range(values.ndim) for end in (0, -1)]
    sample = values.ravel()[:: max(1, values.size // _SAMPLE)].astype(np.float64)
    whole = bool((sample == np.rint(sample)).all())
    low, high = np.percentile(sample, [1, 99])
    tolerance = 0.0 if whole else _ROUNDING * float(high - low)
    border = np.sort(np.concatenate([face.ravel() for face in faces])).astype(np.float64)
    counts = np.searchsorted(border, border + tolerance, side="right") - np.arange(border.size)
    most = int(np.argmax(counts))
    value = float(border[most + counts[most] // 2])
    if (border == value).sum() > 0.999 * counts[most]:
        tolerance = 0.0
    rest = sample[np.abs(sample - value) > tolerance]
    if (
        counts[most] < _BORDER_SHARE * border.size
        or len(np.unique(rest)) < _FEWEST_VALUES
        or _together([np.abs(face - np.float64(value)) <= tolerance for face in faces]) < _TOGETHER
    ):
        return none
    below = float((rest < value).mean())
    mixed = 0.5 * abs(float(np.median(rest)) - value)
    return Background(value, lowest, tolerance, mixed, (whole or tolerance > 0) and 0.01 < below < 0.99)


def check_in_tissue(image: Any, mask: NDArray[np.bool_], *, donor: bool = False) -> None:
    """Refuse a lesion that lies in the background of an image.

    Args:
        image: array of shape (C, \\*spatial).
        mask: the lesion, boolean (\\*spatial).
        donor: whether the image is the lesion's donor, where up to half of it may be background, as labels are not as
            exact as brain masks; in a host no voxel may.

    Raises:
        NoPlaceError: the lesion lies in background outside of the host's tissue, in any channel.
        ConSinGANError: the same of its donor.
    """
    for channel in as_array(image):
        background = find_background(channel)
        inside = mask & background.mask(channel) if background else None
        if inside is None or not inside.any():
            continue
        lost, total = int((inside & background.outside(channel)).sum()), int(mask.sum())
        what = f"{lost} of the lesion's {total} voxels lie in the background of the {'donor' if donor else 'host'}, "
        what += f"which is {background.value:g} everywhere; "
        if donor and 2 * lost > total:
            raise ConSinGANError(what + "give the label of this very image.")
        if lost and not donor:
            raise NoPlaceError(what + "choose a place in its tissue.")


def _together(faces: list[NDArray[np.bool_]]) -> float:
    """Share of the neighbours along every axis of a face that are True of those that follow a True one."""
    both = first = 0
    for face in faces:
        for axis in range(face.ndim):
            ahead = np.moveaxis(face, axis, 0)
            both += int((ahead[:-1] & ahead[1:]).sum())
            first += int(ahead[:-1].sum())
    return both / first if first else 0.0


def _at_border(parts: NDArray[np.int_]) -> NDArray[np.int_]:
    """The numbers of the parts that touch a face of the array."""
    faces = [np.take(parts, end, axis).ravel() for axis in range(parts.ndim) for end in (0, -1)]
    return np.unique(np.concatenate(faces))
