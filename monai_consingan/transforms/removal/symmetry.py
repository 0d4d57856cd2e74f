"""The plane of symmetry of a head, from the image's affine or from the image itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from monai.config.type_definitions import NdarrayOrTensor
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation
from skimage.measure import block_reduce

from monai_consingan.arrays import as_array, check_number
from monai_consingan.distance import bounding_box, marked_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.ranks import median, percentiles
from monai_consingan.transforms.quick import between

NO_SYMMETRY = "the image does not mirror to itself"
"""How the reason begins why the plane of symmetry is not known."""
_MAX_ANGLE = 15.0  # degrees between the plane's normal and left-right
_WORTH = 0.95  # a tilted plane has to bring the mismatch down to this fraction
_OVERLAP = 0.4  # fraction of the image that has to be seen in its mirror
_TRUSTED, _TRUSTED_OVERLAP = 0.8, 0.5  # correlation and overlap that a head's plane has


@dataclass(frozen=True)
class SymmetryPlane:
    """The plane of all world points (RAS+, mm) whose product with ``normal`` is ``offset``.

    Args:
        normal: unit vector perpendicular to the plane; (1, 0, 0) is exactly left-right.
        offset: mm from the world's origin along ``normal``.
    """

    normal: tuple[float, float, float] = (1.0, 0.0, 0.0)
    offset: float = 0.0


def _world(affine: Any, dims: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Columns of shape (3, dims) and the origin of an affine; 2D world coordinates are completed with 0."""
    matrix = as_array(affine).astype(float)
    if matrix.shape not in ((3, 3), (4, 4)):
        raise ConSinGANError(f"affine has shape {matrix.shape}; give a 4x4 matrix, or a 3x3 one for a 2D image.")
    rank = matrix.shape[0] - 1
    dims = rank if dims is None else dims
    if dims not in (2, 3) or dims > rank:
        raise ConSinGANError(f"affine has shape {matrix.shape}, which does not fit an image with {dims} spatial axes.")
    columns, origin = np.zeros((3, dims)), np.zeros(3)
    columns[:rank], origin[:rank] = matrix[:rank, :dims], matrix[:rank, -1]
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(columns) < dims:
        raise ConSinGANError("affine cannot be inverted or is not finite; correct the image's header.")
    return columns, origin


def reflection(affine: Any, dims: int, plane: SymmetryPlane, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The mirror as a map of voxels.

    Args:
        affine: voxel to world (RAS+, mm).
        dims: number of spatial axes.
        plane: the plane of symmetry.
        axis: the spatial axis perpendicular to the slices that voxels must not leave: they then move within their
            slice to the other side of the plane; None moves them perpendicularly to the plane.

    Returns:
        ``matrix`` of shape (dims, dims) and ``shift`` of shape (dims,): voxel ``i`` and ``matrix @ i + shift`` mirror
        each other.

    Raises:
        ConSinGANError: when the slices are nearly parallel to the plane.
    """
    return _reflected(*_world(affine, dims), plane, axis)


def _reflected(
    columns: np.ndarray, origin: np.ndarray, plane: SymmetryPlane, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`reflection` gives, of an affine's columns and origin."""
    normal, dims = np.array(plane.normal), columns.shape[1]
    free = [i for i in range(dims) if i != axis]
    step = np.zeros(dims)
    step[free] = np.linalg.lstsq(columns[:, free], normal, rcond=None)[0]
    gradient = columns.T @ normal
    rate = float(gradient @ step)
    if rate < 0.25:
        which = "the image is a sagittal slice" if axis is None else f"axis {axis} runs from left to right"
        raise NoPlaceError(f"{which}, so its slices have no other hemisphere; choose other slices.")
    matrix = np.eye(dims) - 2 * np.outer(step, gradient) / rate
    return matrix, -2 * step * float(normal @ origin - plane.offset) / rate


def plane_distance(affine: Any, plane: SymmetryPlane, box: Sequence[slice]) -> np.ndarray:
    """How far from the plane the voxels of a box of an image are.

    Args:
        affine: voxel to world (RAS+, mm).
        plane: the plane of symmetry.
        box: the box, with a start and a stop along every spatial axis.

    Returns:
        mm, (\\*box), above 0 on the side of the normal.
    """
    columns, origin = _world(affine, len(box))
    steps = np.ix_(
        *(rate * np.arange(side.start, side.stop) for rate, side in zip(plane.normal @ columns, box, strict=True))
    )
    return np.asarray(np.array(plane.normal) @ origin - plane.offset + sum(steps))


def find_symmetry(
    image: NdarrayOrTensor, affine: Any, symmetry: str | float | SymmetryPlane, axis: int | None = None
) -> SymmetryPlane:
    """The plane that the argument ``symmetry`` of :func:`anatomical_mirror` asks for."""
    check_symmetry(symmetry)
    if isinstance(symmetry, SymmetryPlane):
        return symmetry
    if symmetry == "estimate":
        return estimate_symmetry(image, affine, axis=axis)
    if symmetry == "centre":
        columns, origin = _world(affine, image.ndim - 1)
        symmetry = float((origin + columns @ ((np.array(image.shape[1:]) - 1) / 2))[0])
    return SymmetryPlane(offset=check_number(symmetry, "symmetry", -np.inf))


def check_symmetry(symmetry: Any) -> None:
    """Refuse what the argument ``symmetry`` of :func:`anatomical_mirror` cannot be."""
    if not (isinstance(symmetry, SymmetryPlane) or symmetry in ("centre", "estimate")):
        if isinstance(symmetry, str):
            raise ConSinGANError(f'symmetry "{symmetry}" is unknown; choose "centre", "estimate" or a position in mm.')
        check_number(symmetry, "symmetry", -np.inf)


def head_symmetry(
    image: NdarrayOrTensor,
    affine: Any,
    symmetry: str | float | SymmetryPlane,
    axis: int | None = None,
    ill: np.ndarray | None = None,
) -> SymmetryPlane:
    """The head's plane of symmetry, as :func:`find_symmetry` gives it, if the image does mirror to itself there.

    The centre of a crop is seldom that of the head. Where the image does not mirror to itself at its centre, the plane
    is estimated instead. A plane or a position that the user gives is taken as it is.

    Args:
        image, affine, symmetry, axis: see :func:`anatomical_mirror`.
        ill: booleans of shape (\\*spatial), true in lesions, which need not mirror to themselves.

    Raises:
        ConSinGANError: neither will do, as in a crop that shows one hemisphere only.
    """
    if symmetry not in ("centre", "estimate"):
        return find_symmetry(image, affine, symmetry, axis)
    values = _clipped(image)
    ill = np.zeros(values.shape, bool) if ill is None or ill.all() else ill
    lesions = values[ill]
    values[ill] = median(values, ill)  # for now, as a copy is as large as the image
    grid = _shrunk(values, *_world(affine, values.ndim), side=96)
    values[ill] = lesions
    for where in dict.fromkeys((symmetry, "estimate")):
        estimated = where == "estimate"
        plane = _estimated(values, affine, axis) if estimated else find_symmetry(image, affine, where, axis)
        found = _match(grid, plane, axis, _TRUSTED_OVERLAP)
        if found >= _TRUSTED:
            return plane
    seen = "it does not show enough of both hemispheres" if found < 0 else f"a correlation of {found:.2f} at best"
    raise NoPlaceError(
        f"{NO_SYMMETRY} ({seen}), so the other hemisphere is not known: give the plane's "
        "left-right position in mm (symmetry), a larger crop, or a filling that needs no mirror."
    )


def _clipped(image: NdarrayOrTensor) -> np.ndarray:
    """Intensities of the first channel from 0 to 1, cut at the 1st and the 99th percentile.

    Raises:
        ConSinGANError: when the image is constant.
    """
    values = as_array(image)[0].astype(np.float64)
    low, high = percentiles(values, (1, 99))
    if not high > low:
        raise NoPlaceError("the image is constant, so no plane of symmetry can be estimated; give its position in mm.")
    values -= low
    values /= high - low
    return np.clip(values, 0, 1, out=values)


def estimate_symmetry(image: NdarrayOrTensor, affine: Any, *, axis: int | None = None) -> SymmetryPlane:
    """Find the plane at which a head mirrors to itself best.

    The match of an image and its mirror is the correlation coefficient of their intensities where both are seen, cut
    at the 99th percentile so that bright lesions count little. It is searched over the middle 60 % of the image's width
    on a coarse grid and refined, with the plane's angles of up to 15 degrees, on a finer one. Most of the head's
    outline should be in view.

    Args:
        image: image of shape (C, \\*spatial), 2D or 3D, with dark air; the first channel counts.
        affine: voxel to world (RAS+, mm), 4x4, or 3x3 for 2D images.
        axis: the spatial axis perpendicular to the slices when the mirror may not cross slices; the plane then turns
            in the slices' plane only. Without it a volume's plane also rolls from slice to slice.

    Returns:
        The plane; exactly perpendicular to left-right if an angle does not improve the match noticeably.

    Raises:
        ConSinGANError: when the image is constant, or its slices have no other hemisphere.
    """
    return _estimated(_clipped(image), affine, axis)


def _estimated(values: np.ndarray, affine: Any, axis: int | None) -> SymmetryPlane:
    """What :func:`estimate_symmetry` finds in intensities from 0 to 1, (\\*spatial)."""
    columns, origin = _world(affine, values.ndim)
    turns = _turns(columns, axis)

    pivot = origin + columns @ ((np.array(values.shape) - 1) / 2)
    reach = 0.5 * float(np.abs(columns[0]) @ np.array(values.shape))

    def plane_of(parameters: np.ndarray) -> SymmetryPlane:
        """The plane of a position in mm and of angles in degrees about the turns' axes."""
        turn = np.deg2rad(parameters[1:]) @ turns[: parameters.size - 1]
        x, y, z = (float(n) for n in Rotation.from_rotvec(turn).apply((1.0, 0.0, 0.0)))
        return SymmetryPlane((x, y, z), float(np.dot((x, y, z), (parameters[0], pivot[1], pivot[2]))))

    def mismatch(parameters: np.ndarray, grid: _Shrunk) -> float:
        """How badly an image mirrors at a plane, from 0 to 2."""
        if np.abs(parameters[1:]).max(initial=0) > _MAX_ANGLE:
            return 2.0
        return 1 - _match(grid, plane_of(parameters), axis)

    coarse, fine = (_shrunk(values, columns, origin, side=side) for side in (48, 96))
    step = 0.025 * reach
    first = [np.array([pivot[0] + k * step]) for k in range(-24, 25)]
    straight = _descend(mismatch, fine, min(first, key=lambda start: mismatch(start, coarse)), step)
    angles = np.linspace(-0.8, 0.8, 7) * _MAX_ANGLE
    second = [
        np.array([straight[0] + k * step, angle, *[0.0] * (len(turns) - 1)]) for k in range(-4, 5) for angle in angles
    ]
    turned = _descend(mismatch, fine, min(second, key=lambda start: mismatch(start, coarse)), step)
    return plane_of(turned if mismatch(turned, fine) < _WORTH * mismatch(straight, fine) else straight)


def _turns(columns: np.ndarray, axis: int | None) -> np.ndarray:
    """The world axes, one a row, that the plane may turn about: the slices' normal, or head-foot and front-back."""
    in_plane = [i for i in range(columns.shape[1]) if i != axis]
    if len(in_plane) == 3:
        return np.array([(0.0, 0.0, 1.0), (0.0, 1.0, 0.0)])
    normal = np.cross(columns[:, in_plane[0]], columns[:, in_plane[1]])
    return (normal / np.linalg.norm(normal))[None]


class _Shrunk(NamedTuple):
    """An image in which planes are looked for.

    Attributes:
        values: float32 (\\*spatial).
        columns, origin: of its affine, voxels to mm.
        box: where they are not 0.
        exact: the same as float64 (1, \\*spatial), which is interpolated.
    """

    values: np.ndarray
    columns: np.ndarray
    origin: np.ndarray
    box: tuple[slice, ...]
    exact: np.ndarray


def _shrunk(values: np.ndarray, columns: np.ndarray, origin: np.ndarray, side: int) -> _Shrunk:
    """Block means with about ``side`` voxels along an axis, slightly blurred.

    A volume gets a quarter of that from head to foot: many slices say little more about the plane than some.
    """
    sides = np.full(values.ndim, side)
    if values.ndim == 3:
        sides[np.abs(columns[2] / np.linalg.norm(columns, axis=0)).argmax()] = side // 4
    factors = np.ceil(np.array(values.shape) / sides).astype(int)
    origin = origin + columns @ ((factors - 1) / 2)
    blocks = np.zeros(-(-np.array(values.shape) // factors))
    shown = values != 0
    if shown.any():  # only of blocks that are not all 0, as air is
        part = [(box.start // n, -(-box.stop // n), n) for box, n in zip(bounding_box(shown), factors, strict=True)]
        inner = values[tuple(slice(low * n, high * n) for low, high, n in part)]
        blocks[tuple(slice(low, high) for low, high, _ in part)] = block_reduce(inner, tuple(factors), np.mean)
    blurred = gaussian_filter(blocks.astype(np.float32), 1.0, mode="constant")
    return _Shrunk(blurred, columns * factors, origin, marked_box(blurred != 0), blurred[None].astype(np.float64))


def _match(grid: _Shrunk, plane: SymmetryPlane, axis: int | None, overlap: float = _OVERLAP) -> float:
    """Correlation coefficient of an image and its mirror where both are seen; 1 for perfect symmetry."""
    values, columns, origin, box, exact = grid
    matrix, shift = _reflected(columns, origin, plane, axis)
    indices = np.ogrid[tuple(map(slice, values.shape))]
    seen, bright, places = np.ones(values.shape, bool), np.ones(values.shape, bool), []
    for rates, place, n, part in zip(matrix, shift, values.shape, box, strict=True):
        for rate, index in zip(rates, indices, strict=True):
            place = place + rate * index
        places.append(place)
        seen &= (place >= 0) & (place <= n - 1)
        bright &= (place > part.start - 1) & (place < part.stop)
    if np.count_nonzero(seen) < overlap * seen.size:
        return -1.0
    bright &= seen  # where the mirror is not 0, as air is
    mirrored, spots = np.zeros_like(values), np.flatnonzero(bright)
    mirrored.reshape(-1)[spots] = between(exact, [place.reshape(-1)[spots] for place in places])[0]
    one, other = values[seen], mirrored[seen]
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-12))


def _descend(
    mismatch: Callable[[np.ndarray, _Shrunk], float],
    grid: _Shrunk,
    start: np.ndarray,
    step: float,
) -> np.ndarray:
    """Nelder-Mead from ``start``, with a first step of ``step`` mm and of 2 degrees."""
    from scipy.optimize import minimize  # which few commands need

    simplex = np.vstack([start, start + np.diag([step, *[2.0] * (start.size - 1)])])
    options = {"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-6, "maxfev": 40 * start.size}
    return np.asarray(minimize(mismatch, start, (grid,), method="Nelder-Mead", options=options).x)
