"""Background: the constant that fills an image's border, wherever it lies among the values, and what mixes with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.arrays import as_array, image_identity
from monai_consingan.darkness import noisy_air
from monai_consingan.distance import bounding_box

_INNER_SHARE = 0.5  # of the voxels behind the border of a constant that a second one, inside of it, has at least
_PLANES = 8  # along each axis, in which a second constant is looked for
_BORDER_SHARE = 0.05  # of the voxels of the border that the constant has at least
_TOGETHER = 0.9  # of the constant's voxels there, how many have the constant beside them: noise has it here and there
_ROUNDING = 1e-5  # of the range of values
_FEWEST_VALUES = 8  # of what is not background: an image of tissue has more, a drawing of shapes may have fewer
_SAMPLE = 2**16  # voxels from which a range is told
_BELOW_0 = 0.1  # of the brightest: how far below 0 the darkest may lie where 0 is dark, as an interpolation drives them
_DARK_BELOW_0 = 0.02  # the same of a constant, which no interpolation drives
_MIX_REACH = 2  # voxels around background in which values may be mixed with it
_HOLE = 27  # voxels
_KEPT = 64  # images whose background is kept in memory


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
        within: a second constant inside of the first, as where air was padded with another value; it is background
            as well. ``None`` where there is no such.
        air: how bright the noisy air is that lies inside of the constant, as where a whole head was padded or turned,
            or only a circle of it is shown. Such a constant tells nothing of what is dark. NaN where there is no air.
        signed: whether what is not background reaches far below 0, or is darkest there, as after a z-score: 0 is then
            not dark, and no intensity is so many times another.
        below: whether it is a whole number below 0 and what is not background lies above 0, as where a brain was padded
            with -1024: what is dark is then told from 0 on.
    """

    value: float
    lowest: float
    tolerance: float = 0.0
    mixed: float = 0.0
    among: bool = False
    within: Background | None = None
    air: float = float("nan")
    signed: bool = False
    below: bool = False

    def __str__(self) -> str:
        return f"{self.value:g}" if self.within is None else f"{self.value:g} or {self.within}"

    def __bool__(self) -> bool:
        return self.value == self.value

    def mask(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Where an image, or a part of it, is background: boolean, of the same shape."""
        found = self._equal(values)
        if not (self.among or (self.within is not None and self.within.among)) or not found.any():
            return found
        return _parts(found, _HOLE)

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
        if found.any() and not found.all():
            box = bounding_box(~found, [_MIX_REACH] * found.ndim)
            inner = found[box]
            faint = self._near(values[box], 0.2) & ~inner
            if faint.any():
                part = bounding_box(faint, [1] * faint.ndim)
                parts, count = ndimage.label((inner | faint)[part])
                inner[part] |= (np.bincount(parts[inner[part]], minlength=count + 1) > 0)[parts]
            inner |= self._near(values[box], 1.0) & _grown(inner)
        return ~found if known is None else ~found & known

    def outside(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Background of a whole image that has a connection with its border, without the holes in tissue."""
        return _parts(self.mask(values), np.inf)

    @property
    def pads(self) -> bool:
        """Whether the constant lies around noisy air."""
        return self.air == self.air

    def apart(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values, in one row, of the voxels of an image that are too far from background to be mixed with it."""
        return values[~_grown(self._equal(values))]

    def darkest(self, values: NDArray[Any]) -> NDArray[Any]:
        """An image whose background is as bright as the air that it lies around, or no brighter than the darkest voxel.

        A copy only where that changes anything.
        """
        if self.pads:
            return np.where(self.mask(values), values.dtype.type(self.air), values)
        if self.within is None and not self.below and not values.min() < self.value - self.tolerance:
            return values
        found = self.mask(values)
        if found.all() or not found.any():
            return values
        return np.where(found, values.dtype.type(0) if self.below else values[~found].min(), values)

    def _equal(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        if not self:
            return np.zeros(values.shape, bool)
        found = values == self.value if self.tolerance == 0 else self._away(values) <= self.tolerance
        return np.asarray(found if self.within is None else found | self.within._equal(values))

    def _away(self, values: NDArray[Any]) -> NDArray[np.float64]:
        away = np.subtract(values, self.value, dtype=np.float64)
        return np.abs(away, out=away)

    def _near(self, values: NDArray[Any], share: float) -> NDArray[np.bool_]:
        """Where values are this share of the way, at most, to the middle between background and tissue."""
        found = values < share * self.mixed if self.below else self._away(values) < share * self.mixed
        return np.asarray(found if self.within is None else found | self.within._near(values, share))


@cached(LRUCache(_KEPT), key=image_identity, lock=RLock())
def find_background(image: Any) -> Background:
    """Find the constant that fills the border of an image.

    It is the most frequent value of the voxels on the image's faces, to within rounding, if at least a twentieth of
    them have it, nine of ten of these beside others that have it (which tells a constant from noise), and the other
    voxels of the image have several values. A second constant that half of the voxels right inside of it have, as where
    a scan was padded, is background too. Where it is noisy air that lies right inside, the constant is known to be
    mere padding (``pads``). Of the last images, which are told by all of their voxels, it is kept in memory.

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
    rounding = 0.0 if whole else _ROUNDING * float(high - low)

    def constant(around: list[NDArray[Any]], share: float, planes: list[NDArray[Any]]) -> Background | None:
        """The most frequent value around, if so many have it and, in the planes, those lie together."""
        value, tolerance, count = _most_frequent(around, rounding)
        found = Background(value, lowest, tolerance)
        total = sum(part.size for part in around)
        is_it = count and count >= share * total and _together([found._equal(plane) for plane in planes]) >= _TOGETHER
        return found if is_it else None

    outer = constant(faces, _BORDER_SHARE, faces)
    rest = sample if outer is None else sample[~outer._equal(sample)]
    if outer is None or len(np.unique(rest)) < _FEWEST_VALUES:
        return replace(none, signed=_is_signed(sample))
    planes = _planes(values)
    inner = constant([_behind(plane, outer) for plane in planes], _INNER_SHARE, planes)
    tissue = rest if inner is None else rest[~inner._equal(rest)]
    if len(np.unique(tissue)) < _FEWEST_VALUES:
        inner, tissue = None, rest
    if inner is not None:
        inner = _among_tissue(inner, tissue, whole)
    found = _around_air(replace(_among_tissue(outer, tissue, whole), within=inner), planes)
    dark = found.air if found.pads else (outer if inner is None else inner).value
    return replace(found, signed=_is_signed(tissue, dark))


def _is_signed(values: NDArray[np.float64], dark: float = 0.0) -> bool:
    """Whether values reach far below 0, or do not but are darkest there: a whole number is padding rather than that."""
    low, high = np.percentile(values, [1, 99])
    darkest = not float(dark).is_integer() and dark < -_DARK_BELOW_0 * abs(high)
    return bool(darkest or low < -_BELOW_0 * abs(high))


def _around_air(found: Background, planes: list[NDArray[Any]]) -> Background:
    """A constant, and how bright the noisy air is that it lies around, if it does."""
    values = np.concatenate([found.apart(plane) for plane in planes])
    behind = np.concatenate([_behind(plane, found) for plane in planes])
    if not behind.size or len(np.unique(values)) < _FEWEST_VALUES:
        return found
    around = noisy_air(values, behind, (found if found.within is None else found.within).value)
    if around is None:
        return found
    mixed = max(0.0, abs(around.dark - found.value) - 4.0 * around.noise)
    return replace(found, air=around.dark, mixed=mixed, below=False)


def _most_frequent(parts: list[NDArray[Any]], rounding: float) -> tuple[float, float, int]:
    """The most frequent value to within rounding, how far rounding moves it in fact, and how many have it."""
    ordered = np.sort(np.concatenate([part.ravel() for part in parts])).astype(np.float64)
    if not ordered.size:
        return float("nan"), 0.0, 0
    counts = np.searchsorted(ordered, ordered + rounding, side="right") - np.arange(ordered.size)
    most = int(np.argmax(counts))
    count = int(counts[most])
    value = float(ordered[most + count // 2])
    return value, 0.0 if (ordered == value).sum() > 0.999 * count else rounding, count


def _planes(values: NDArray[Any]) -> list[NDArray[Any]]:
    """A few planes of a volume, evenly spread along every axis."""
    if values.ndim < 3:
        return [values]
    return [
        np.moveaxis(values, axis, 0)[index]
        for axis, size in enumerate(values.shape)
        for index in np.unique(np.linspace(0, size - 1, _PLANES + 2).round().astype(int)[1:-1])
    ]


def _behind(plane: NDArray[Any], outer: Background) -> NDArray[Any]:
    """The values of the voxels that lie behind the border of a constant, as deep as others may be mixed with it."""
    found, behind = outer._equal(plane), []
    deep = 1 + _MIX_REACH
    for axis in range(plane.ndim):
        for along, part in (
            (np.moveaxis(plane, axis, 0)[::step], np.moveaxis(found, axis, 0)[::step]) for step in (1, -1)
        ):
            behind.append(along[deep:][part[:-deep] & ~part[1 : 1 - deep] & ~part[deep:]])
    return np.concatenate(behind)


def _among_tissue(found: Background, tissue: NDArray[np.float64], whole: bool) -> Background:
    """A constant, and how it lies among the values of tissue."""
    darker, middle = float((tissue < found.value).mean()), float(np.median(tissue))
    below = found.value.is_integer() and found.value < 0 <= float(np.percentile(tissue, 1))
    mixed = 0.5 * abs(middle - (0.0 if below else found.value))
    among = (whole or found.tolerance > 0) and 0.01 < darker < 0.99
    return replace(found, mixed=mixed, among=among, below=below)


def _together(faces: list[NDArray[np.bool_]]) -> float:
    """Share of the neighbours along every axis of a face that are True of those that follow a True one."""
    both = first = 0
    for face in faces:
        for axis in range(face.ndim):
            ahead = np.moveaxis(face, axis, 0)
            both += int((ahead[:-1] & ahead[1:]).sum())
            first += int(ahead[:-1].sum())
    return both / first if first else 0.0


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and all within two voxels of it along every axis: a maximum filter, but quicker."""
    grown = mask
    for axis in range(mask.ndim):
        lines = np.moveaxis(grown, axis, 0)
        grown = lines.copy(order="K")
        for step in range(1, _MIX_REACH + 1):
            grown[step:] |= lines[:-step]
            grown[:-step] |= lines[step:]
        grown = np.moveaxis(grown, 0, axis)
    return grown


def _parts(mask: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """Those parts of a mask that touch a face of the array, or have so many voxels at least."""
    if mask.all():
        return mask
    near = bounding_box(~mask, [1] * mask.ndim)  # what lies outside is connected with a face, and so is what reaches it
    parts, count = ndimage.label(mask[near])
    belongs = np.bincount(parts.ravel()) >= least if least < np.inf else np.zeros(count + 1, bool)
    for axis in range(parts.ndim):
        for end in (0, -1):
            belongs[np.take(parts, end, axis)] = True
    belongs[0] = False
    found = np.ones(mask.shape, bool)
    found[near] = belongs[parts]
    return found
