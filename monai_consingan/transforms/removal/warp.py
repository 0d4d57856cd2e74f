"""A source warped a little, so that its structures meet those of a host around a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates, spline_filter

from monai_consingan.arrays import in_all
from monai_consingan.data.contrast import robust_spread
from monai_consingan.distance import bounding_box
from monai_consingan.transforms.bands import Means
from monai_consingan.transforms.quick import along, between

_NEAR_MM = 3.0  # distance from the region at which what differs counts a third
_SMOOTH_MM = 1.0  # standard deviation of the gaussian that leaves out what is too fine to be followed
_CUT = 4.0  # robust standard deviations from the median at which intensities are cut, as vessels outshine all else
_EVERY = 4  # one of so many voxels is looked at: smoothed, its neighbours say the same
_ROUNDS = 6
_STILL = 0.02  # voxels: a round that moves nothing farther is the last
_FAR = 2.0  # voxels that a round moves at most
_SOUND = 0.99  # share of the voxels that an interpolated value is of which have to be of use


@dataclass(frozen=True)
class Warp:
    """Where the tissue for every voxel of a part of an image comes from.

    Attributes:
        places: in voxels of the source, (axes, \\*spatial).
        usable: where the source may be taken, boolean (\\*spatial).
        nearest: in voxels of the source, the usable one nearest to each, (axes, \\*spatial); None where that is itself.
    """

    places: np.ndarray
    usable: np.ndarray
    nearest: np.ndarray | None = None

    @cached_property
    def sound(self) -> np.ndarray:
        """Where what comes is of use, boolean (\\*spatial)."""
        return _sound(self.usable, self.places)

    def lost(self, usable: np.ndarray, region: np.ndarray) -> int:
        """For how many voxels of a region, boolean (\\*spatial), what comes is of no use."""
        return int((~_sound(usable, self.places[in_all((region,))])).sum())

    def values(self, source: np.ndarray, order: int) -> np.ndarray:
        """What comes where it is of use, else 0: by splines through what is usable, or, of order 0, of the nearest."""
        known, result = _continued(source, self.nearest), np.zeros(source.shape)
        known = spline_filter(known, order, mode="nearest") if order > 1 else known
        result[self.sound] = map_coordinates(known, self._sound_places, order=order, mode="nearest", prefilter=False)
        return result

    @cached_property
    def _sound_places(self) -> np.ndarray:
        """The places of sound voxels, (axes, N)."""
        return self.places[in_all((self.sound,))]


def fitted_warp(
    hosts: np.ndarray,
    sources: np.ndarray,
    told: np.ndarray,
    usable: np.ndarray,
    distance: np.ndarray,
    limits: tuple[float, float],
    mm: Sequence[float],
) -> Warp:
    """The warp after which a source differs least from a host around a region.

    It is a polynomial of the second degree, found by Gauss and Newton's method, and as small as the differences allow:
    every coefficient is expected to be 0 with a standard deviation that is given. What is near the region counts most.

    Args:
        hosts, sources: (C, \\*spatial); in every channel levels may differ.
        told: where the host tells of healthy tissue, boolean (\\*spatial), as the next two.
        usable: where the source may be taken.
        distance: mm from the region, (\\*spatial), 0 inside.
        limits: how far from the region differences count, and the standard deviation of a coefficient, in mm.
        mm: mm per spatial axis.
    """
    ring, grid = told & (distance <= limits[0]), np.indices(distance.shape, float)
    terms, sigma = _terms(grid, distance == 0, mm), [_SMOOTH_MM / size for size in mm]
    nearest, looked_at = _nearest(usable), _some(ring, distance == 0)
    weights = np.exp(-distance[looked_at] / _NEAR_MM)
    layers, near = [], bounding_box(ring | (distance == 0))
    spots = tuple(index - side.start for index, side in zip(looked_at, near, strict=True))
    of_host, of_source = Means(told, sigma, near), Means(usable, sigma)
    for host, source in zip(hosts, sources, strict=True):
        spread = robust_spread(host[ring]) if ring.any() else 0.0
        if spread > 0:
            here, there = (
                means(np.clip(image, middle - _CUT * spread, middle + _CUT * spread))
                for image, means in ((host, of_host), (_continued(source, nearest), of_source))
                for middle in (np.median(image[ring]),)
            )
            layers.append((here[spots], np.stack([there, *np.gradient(there)])))
    found = np.zeros((len(mm), len(terms)))
    start, basis = grid[in_all(looked_at)], terms[in_all(looked_at)]
    least = np.diag(np.repeat([(size / limits[1]) ** 2 for size in mm], len(terms)))
    alone = np.prod([2 * np.sqrt(np.pi) * max(width, 1.0) for width in sigma]) / _EVERY  # voxels that go together
    for _ in range(_ROUNDS if layers else 0):
        places = start + along(found, basis, 0)
        sound = _sound(usable, places)
        if not sound.any():
            break
        square, right = least.copy(), -least @ found.ravel()
        for here, there_and_slopes in layers:
            there, *slopes = between(there_and_slopes, places[:, sound])
            apart = here[sound] - there
            apart -= np.average(apart, weights=weights[sound])
            noise = alone * robust_spread(apart) ** 2 or 1.0
            pull = (np.stack(slopes)[:, None] * basis[None, :, sound]).reshape(len(right), -1)
            weighted = pull * weights[sound]
            square += along(pull, weighted, 1) / noise
            right += along(weighted, apart, 0) / noise
        step = np.clip(np.linalg.solve(square, right), -_FAR, _FAR)
        found += step.reshape(found.shape)
        if np.abs(step).max() < _STILL:
            break
    return Warp(grid + along(found, terms, 0), usable, nearest)


def _sound(usable: np.ndarray, places: np.ndarray) -> np.ndarray:
    """At which places a map's voxels are of use, boolean."""
    return np.asarray(map_coordinates(usable.astype(np.float32), places, order=1, cval=0.0) > _SOUND)


def _terms(grid: np.ndarray, region: np.ndarray, mm: Sequence[float]) -> np.ndarray:
    """The terms of a polynomial of the second degree of what is 0 in the middle of a region, 1 at its far end."""
    sizes = np.reshape(mm, (-1, *[1] * region.ndim))
    away = (grid - grid[:, region].mean(axis=1).reshape(sizes.shape)) * sizes
    away /= np.sqrt((away[:, region] ** 2).sum(axis=0)).max() + _NEAR_MM
    pairs = combinations_with_replacement(away, 2)
    return np.stack([np.ones(region.shape), *away, *(one * other for one, other in pairs)])


def _some(ring: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, ...]:
    """One of so many voxels of a ring, the same whichever way the axes run: told by the way to the region's middle."""
    sides = zip(bounding_box(region), ring.shape, strict=True)
    away = np.ix_(*(np.abs(2 * np.arange(size) - (side.start + side.stop - 1)) // 2 for side, size in sides))
    return np.nonzero(ring & (sum(away) % _EVERY == 0))


def _nearest(usable: np.ndarray) -> np.ndarray | None:
    """For every voxel the nearest usable one, (axes, \\*spatial); None where all are, or none."""
    if usable.all() or not usable.any():
        return None
    return np.asarray(distance_transform_edt(~usable, return_distances=False, return_indices=True))


def _continued(source: np.ndarray, nearest: np.ndarray | None) -> np.ndarray:
    """A source with the value of the nearest usable voxel wherever it is not usable."""
    return source if nearest is None else np.asarray(source[tuple(nearest)])
