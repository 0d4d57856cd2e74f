"""Whether a lesion is still the donor's lesion: contrast, rim against core, and size at half maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.data.contrast import cnr, robust_spread
from monai_consingan.distance import ball_diameter, bounding_box, depth_inside, outside_distance
from monai_consingan.metrics.surroundings import Surroundings

_GAP = 2  # voxels
_LEAST_HEIGHT = 2.0  # standard deviations of the tissue around: half of it is one


def contrast(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    part: NDArray[np.bool_] | None = None,
    **where: Any,
) -> float:
    """Weber contrast of a lesion: (mean of the lesion - mean of the ring around it) / mean of the ring.

    It does not change when the image is multiplied by a constant, so that scans with different gains compare.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; tissue has intensities above 0.
        part: the part of the lesion that is looked at, boolean (\\*spatial), or (\\*box) of surroundings;
            None for all.

    Returns:
        The contrast, which is 0.5 for a lesion half as bright again as its surroundings, below 0 for a darker one.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, no tissue around, or intensities that have no ratios, as
            after a z-score.
    """
    case = Surroundings.of(image, mask, **where)
    around = case.unit()
    return (float(case.image[case.part(part)].mean(dtype=np.float64)) - around) / around


def contrast_to_noise(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    part: NDArray[np.bool_] | None = None,
    **where: Any,
) -> float:
    """Contrast-to-noise ratio of a lesion: how many standard deviations of the tissue around it it stands out by.

    It is (mean of the lesion - median of the ring around it) / standard deviation of the ring, which is taken from the
    median absolute deviation, so that a vessel or some fluid in the ring counts little. It does not change when the
    image is multiplied by a constant or when one is added, so that normalised images will do.

    Args:
        image, mask, where: see :meth:`Surroundings.of`.
        part: the part of the lesion that is looked at, such as its enhancing rim, boolean (\\*spatial); None for all.
            The ring is around the whole lesion.

    Returns:
        The ratio, below 0 for a lesion that is darker; infinite in a perfectly flat ring, NaN if the lesion is as flat.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or no tissue around.

    Example:

        >>> image, mask = np.zeros((1, 32, 32)), np.zeros((1, 32, 32))
        >>> image[0, ::2] = 2
        >>> mask[0, 12:20, 12:20] = 1
        >>> image[mask > 0] = 7
        >>> round(contrast_to_noise(image, mask), 2)
        4.05
    """
    case = Surroundings.of(image, mask, **where)
    return cnr(case.image[case.part(part)], case.values())


def noise(case: Surroundings) -> float:
    """Standard deviation of the ring around a lesion relative to its mean: what a :func:`contrast` has to exceed.

    Raises:
        ConSinGANError: as :func:`contrast`.
    """
    return robust_spread(case.values().astype(np.float64)) / case.unit()


def kept(result: float, donor: float, noise: float = 0.0) -> float:
    """A measure of the result as a share of the donor's; 1 is all of it.

    Args:
        result: the measure in the result.
        donor: the same measure in the donor.
        noise: how much it varies in tissue (``noise``).

    Returns:
        result / donor; NaN, which is not measurable, when the donor's is below half of the noise, or 0.
    """
    return result / donor if abs(donor) > 0.5 * noise else float("nan")


def contrast_kept(result: Surroundings, donor: Surroundings) -> float:
    """A lesion's contrast as a share of that in its donor, or of that before; 1 is all of it.

    It is that of :func:`contrast`, and of :func:`contrast_to_noise` where one of the images has no ratios of
    intensities, as after a z-score.

    Args:
        result: surroundings of the lesion in the result.
        donor: those in its donor.

    Returns:
        The share (:func:`kept`).

    Raises:
        ConSinGANError: no tissue around the lesion.
    """
    if result.has_ratios and donor.has_ratios:
        return kept(contrast(result), contrast(donor), noise(donor))
    return kept(contrast_to_noise(result), contrast_to_noise(donor), 1.0)


def _structure(ndim: int, axis: int | None, corners: bool = False) -> NDArray[np.bool_]:
    """Neighbours that share a face, or also a corner, without those across slices if there is a slice axis."""
    structure = ndimage.generate_binary_structure(ndim, ndim if corners else 1).copy()
    if axis is not None:
        for side in (0, -1):
            structure[(slice(None),) * axis + (side,)] = False
    return np.asarray(structure)


def rim_core_difference(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    **where: Any,
) -> float:
    """How much brighter the rim of a lesion is than its core, relative to the tissue around the lesion.

    The core is what lies deeper than half of the greatest depth of its connected component (of the component's cross
    section, if `axis` is given); the rim is the rest. A ring-enhancing lesion has a value above 0, a solid one about 0.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; tissue has intensities above 0.

    Returns:
        (mean of the rim - mean of the core) / mean of the ring; NaN for a lesion too small to have both.

    Raises:
        ConSinGANError: as :func:`contrast`.
    """
    case = Surroundings.of(image, mask, **where)
    array, inside, sizes, axis = case.image, case.inside, case.spacing, case.axis
    around = case.unit()
    depth = depth_inside(inside, sizes, axis)
    components, count = ndimage.label(inside, _structure(array.ndim, axis))
    greatest = np.zeros(count + 1)
    np.maximum.at(greatest, components[inside], depth[inside])
    core = inside & (depth > greatest[components] / 2)
    # Where nothing is deeper than the border itself, rim and core are the same voxels.
    core &= depth > min(size for number, size in enumerate(sizes) if number != axis)
    rim = inside & ~core
    if not core.any() or not rim.any():
        return float("nan")
    return (float(array[rim].mean(dtype=np.float64)) - float(array[core].mean(dtype=np.float64))) / around


def half_maximum_size(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    margin_mm: float = 2.0,
    **where: Any,
) -> float:
    """Size at which a lesion appears: the equivalent diameter of what differs from its surroundings by half or more.

    The lesion's maximum is the mean of its brighter half (of its darker half, for a lesion whose dark half differs more
    from the ring's mean), so that a few bright voxels do not decide. Counted are the voxels on the lesion's side of the
    middle between the ring's mean and this maximum, up to `margin_mm` outside the mask and connected with it, holes
    filled, so that a necrotic core belongs to its bright rim. A rim may have gaps of two voxels: without that, one
    voxel of a thin rim would decide whether its core counts.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; tissue has intensities above 0.
        margin_mm: how far outside the mask the lesion may reach, in mm.

    Returns:
        Diameter in mm of the circle (2D) or ball (3D) of the same area or volume; 0 if nothing differs.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or no tissue around.
    """
    case = Surroundings.of(image, mask, **where)
    inside, sizes, axis = case.inside, case.spacing, case.axis
    deviation, peak = case.image.astype(np.float64) - case.mean(), _maximum(case)
    if peak == 0:
        return 0.0
    near = inside | (outside_distance(inside, sizes, axis, reach_mm=margin_mm) <= margin_mm)
    box = bounding_box(near, [1] * case.ndim)
    beyond = near[box] & (deviation[box] * np.sign(peak) >= abs(peak) / 2)
    structure = _structure(case.ndim, axis)
    components, _ = ndimage.label(beyond, structure)
    touching = np.unique(components[beyond & inside[box]])
    seen = np.isin(components, touching) & beyond
    closed = ndimage.binary_closing(np.pad(seen, _GAP), _structure(case.ndim, axis, corners=True))
    core = ndimage.binary_fill_holes(closed, structure)[(slice(_GAP, -_GAP),) * case.ndim] & inside[box]
    seen = ndimage.binary_fill_holes(seen, structure) | core
    return ball_diameter(float(np.count_nonzero(seen)) * float(np.prod(sizes)), case.ndim)


def _maximum(case: Surroundings) -> float:
    """How far the brighter half of a lesion lies from the ring's mean, or the darker one, if that lies farther."""
    ordered = np.sort(case.image[case.inside].astype(np.float64)) - case.mean()
    dark, bright = float(ordered[: (ordered.size + 1) // 2].mean()), float(ordered[ordered.size // 2 :].mean())
    return bright if abs(bright) >= abs(dark) else dark


def _height(case: Surroundings) -> float:
    """:func:`_maximum` in standard deviations of the ring."""
    spread = robust_spread(case.values().astype(np.float64))
    return abs(_maximum(case)) / spread if spread else float("inf")


@dataclass(frozen=True)
class LesionMeasures:
    """What makes a lesion look as it does.

    Attributes:
        contrast: Weber contrast to the ring around it; NaN, as the next and the noise, where intensities have no
            ratios, as after a z-score.
        rim_core_difference: how much brighter the rim is than the core, relative to the ring around the lesion.
        half_maximum_size: equivalent diameter at half maximum, in mm.
        noise: standard deviation of the ring relative to its mean.
        height: how far the lesion's maximum lies from the ring's mean, in standard deviations of the ring.
    """

    contrast: float
    rim_core_difference: float
    half_maximum_size: float
    noise: float = 0.0
    height: float = float("inf")

    def kept_from(self, donor: LesionMeasures) -> LesionMeasures:
        """Each measure as a share of that in the donor; 1 is all of it, NaN where the donor has next to none.

        A lesion whose half maximum is within the noise of the tissue around has no size that could be kept.
        """
        sized = donor.height > _LEAST_HEIGHT
        return LesionMeasures(
            contrast=kept(self.contrast, donor.contrast, donor.noise),
            rim_core_difference=kept(self.rim_core_difference, donor.rim_core_difference, donor.noise),
            half_maximum_size=kept(self.half_maximum_size, donor.half_maximum_size) if sized else float("nan"),
        )


def measure_lesion(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    **where: Any,
) -> LesionMeasures:
    """Contrast, rim-to-core difference and size at half maximum of one lesion.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; tissue has intensities above 0.

    Returns:
        The three measures.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or no tissue around.

    Example:

        >>> kept = measure_lesion(result, mask).kept_from(measure_lesion(donor, donor_mask))  # doctest: +SKIP
    """
    case = Surroundings.of(image, mask, **where)
    unknown = float("nan")
    return LesionMeasures(
        contrast=contrast(case) if case.has_ratios else unknown,
        rim_core_difference=rim_core_difference(case) if case.has_ratios else unknown,
        half_maximum_size=half_maximum_size(case),
        noise=noise(case) if case.has_ratios else unknown,
        height=_height(case),
    )
