"""The place of a lesion in a host, and every way to fill it, worked on in the lesion's surroundings only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from monai_consingan.arrays import as_array, check_axis, in_all
from monai_consingan.distance import bounding_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.biharmonic import biharmonic
from monai_consingan.transforms.removal.flipud import flip_mirror
from monai_consingan.transforms.removal.matched_fill import MatchedFill
from monai_consingan.transforms.removal.mirror import anatomical_mirror
from monai_consingan.transforms.removal.place import OUTSIDE
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, plane_distance
from monai_consingan.transforms.whole_voxels import Box, connected_parts, within

Filled = tuple[Box, np.ndarray, np.ndarray]
"""A box of the host, where it is filled there, boolean (\\*box), and new values, (C, \\*box)."""

_NEARBY = MatchedFill(reach_mm=30.0, strange=10.0)
_MIRRORED = {"matched_mirror": MatchedFill(), "moved_mirror": MatchedFill(structure=1.0, texture=0.0)}
_MIDLINE_MM = 5.0  # from the plane of symmetry: the falx and what lies beside it
_FAR = 32  # voxels around a lesion within which there is tissue to fill it from its border


class _Source(NamedTuple):
    """What may be taken for a box: values (C, \\*box), where they are those of the image, of lesions, of the head."""

    values: np.ndarray
    valid: np.ndarray
    ill: np.ndarray
    head: np.ndarray


@dataclass(frozen=True)
class Site:
    """What is to be filled in a host, and what may be taken for it.

    Attributes:
        values: the host, (C, \\*spatial).
        fill: where it is filled, boolean (\\*spatial), as are the next two.
        ill: where there is no healthy tissue.
        head: where it shows the head.
        axis: the spatial axis perpendicular to the slices when each slice counts by itself; None works in space.
        spacing: mm per spatial axis.
        affine: voxel to world.
        plane: gives the plane of symmetry, or raises :class:`NoPlaceError`.
        flip_axis: the spatial axis that ``"flipud"`` flips.
    """

    values: np.ndarray
    fill: np.ndarray
    ill: np.ndarray
    head: np.ndarray
    axis: int | None
    spacing: tuple[float, ...]
    affine: Any
    plane: Callable[[], SymmetryPlane]
    flip_axis: int | None

    def filled_by(self, methods: Iterable[str]) -> tuple[dict[str, list[Filled]], list[tuple[str, str]], np.ndarray]:
        """New values for the voxels to fill: a lesion that one method will not do for goes on to the next.

        Args:
            methods: as of :class:`monai_consingan.transforms.RemoveLesion`, in their order.

        Returns:
            What each method fills, the methods that would not do for all and why, and what none would do for.
        """
        done: dict[str, list[Filled]] = {}
        tried: list[tuple[str, str]] = []
        site = self
        for method in methods:
            try:
                done[method] = site.filled(method)
                return done, tried, np.zeros_like(self.fill)
            except NoPlaceError as reason:
                tried.append((method, str(reason).rstrip(".")))
            parts = connected_parts(site.fill)
            if len(parts) == 1:
                continue
            left, found = np.zeros_like(self.fill), list[Filled]()
            for box, part in parts:
                alone = np.zeros_like(self.fill)
                alone[box] = part
                try:
                    found += site._only(alone).filled(method)
                except NoPlaceError:
                    left |= alone
            done |= {method: found} if found else {}
            site = site._only(left)
        return done, tried, site.fill

    def _only(self, fill: np.ndarray) -> Site:
        """The same with a part of what is to be filled; the rest shows lesions, so it is no tissue to go by."""
        return replace(self, fill=fill, head=self.head & (fill | ~self.fill))

    def filled(self, method: str) -> list[Filled]:
        """New values for the voxels to fill, by one method.

        Args:
            method: one of those of :class:`monai_consingan.transforms.RemoveLesion`.

        Raises:
            NoPlaceError: the method will not do here.
        """
        if method in _MIRRORED:
            return self._matched(_MIRRORED[method], self._mirrored)
        if method == "matched_nearby":
            return self._matched(_NEARBY, self._itself, self._midline)
        if method == "biharmonic":
            box = bounding_box(self.fill, [_FAR] * self.fill.ndim)
            fill, head = self.fill[box], self.head[box]
            host = self.values[in_all(box)]
            new = np.stack([biharmonic(part, fill, axis=self.axis, valid=head) for part in host])
            return [(box, fill & head, new)]
        box = bounding_box(self.fill, [1] * self.fill.ndim)
        fill, head = self.fill[box], self.head[box]
        source = (self._flipped if method == "flipud" else self._mirrored)(box)
        _check_place(fill, source.valid, source.ill, head & ~source.head)
        if method == "flipud":  # as published
            return [(box, fill & head, source.values)]
        source = source._replace(values=_continued(source, fill & head))
        if method == "mirror":
            return [(box, fill & head, source.values)]
        how: dict[str, Any] = {"axis": self.axis, "spacing": self.spacing, "valid": source.valid & head}
        pairs = zip(self.values[in_all(box)], source.values, strict=True)
        new = self._limited(np.stack([poisson_blend(*pair, fill, **how) for pair in pairs]), box, source)
        return [(box, fill & head, new)]

    def _matched(
        self,
        how: MatchedFill,
        source_of: Callable[[Box], _Source],
        apart: Callable[[Box], np.ndarray | None] = lambda box: None,
    ) -> list[Filled]:
        """Every connected part by itself, all channels from the place that fits them best."""
        found = []
        for box, part in connected_parts(self.fill):
            near = how.surroundings(box, self.spacing, self.axis, self.fill.shape)
            region, source = within(part, box, near), source_of(near)
            new = how(
                self.values[in_all(near)],
                source.values,
                region,
                axis=self.axis,
                spacing=self.spacing,
                head=self.head[near] & (region | ~self.fill[near]),
                ill=self.ill[near],
                usable=source.valid & ~source.ill,
                source_head=source.head,
                apart=apart(near),
            )
            found.append((near, region & self.head[near], self._limited(new, near, source)))
        return found

    def _limited(self, new: np.ndarray, box: Box, source: _Source) -> np.ndarray:
        """New values of a box kept within the range of tissue there and in the source, channel by channel.

        No texture, however strong, makes tissue as dark as air.
        """
        here, there = self.head[box] & ~self.ill[box], source.valid & ~source.ill & source.head
        if not (here.any() or there.any()):
            return new
        tissue = zip(new, self.values[in_all(box)], source.values, strict=True)
        shown = ((part, np.concatenate([host[here], other[there]])) for part, host, other in tissue)
        return np.stack([np.clip(part, values.min(), values.max()) for part, values in shown])

    def _itself(self, box: Box) -> _Source:
        return _Source(self.values[in_all(box)], np.ones_like(self.fill[box]), self.ill[box], self.head[box])

    def _midline(self, box: Box) -> np.ndarray | None:
        """What lies near the plane of symmetry, as the falx does, which has no business elsewhere; None if unknown."""
        try:
            return np.abs(plane_distance(self.affine, self.plane(), box)) <= _MIDLINE_MM
        except NoPlaceError:
            return None

    def _mirrored(self, box: Box) -> _Source:
        """The other hemisphere."""
        how: dict[str, Any] = {"symmetry": self.plane(), "axis": self.axis, "box": box}
        mirrored, valid, _ = anatomical_mirror(self.values, self.affine, **how)
        ill, head = (
            anatomical_mirror(part[None], self.affine, mode="nearest", **how).image[0] for part in (self.ill, self.head)
        )
        return _Source(mirrored, valid, ill, head)

    def _flipped(self, box: Box) -> _Source:
        """The flip of an axis as stored."""
        flipped = int(self.axis == 0) if self.flip_axis is None else self.flip_axis
        if self.axis is not None and check_axis(flipped, self.fill.ndim) == self.axis:
            raise ConSinGANError(f"flip_axis {flipped} runs across the slices; choose another axis")
        values, ill, head = (
            as_array(flip_mirror(part, axis=flipped))[in_all(box)]
            for part in (self.values, self.ill[None], self.head[None])
        )
        return _Source(values, np.ones_like(self.fill[box]), ill[0], head[0])


def _continued(source: _Source, wanted: np.ndarray) -> np.ndarray:
    """A source's values, those of the nearest tissue where the head ends sooner than it is wanted."""
    sound = source.valid & source.head
    if not (wanted & ~sound).any() or not sound.any():
        return source.values
    nearest = distance_transform_edt(~sound, return_distances=False, return_indices=True)
    return np.asarray(source.values[in_all(nearest)])


def _check_place(fill: np.ndarray, valid: np.ndarray, ill: np.ndarray, outside: np.ndarray) -> None:
    """Refuse a mirrored place that has no sound tissue to offer for the voxels to fill."""
    count = int(fill.sum())
    beyond, sick, air = (int((fill & where).sum()) for where in (~valid, ill, outside))
    if beyond:
        raise NoPlaceError(f"{beyond} of its {count} voxels mirror to places outside the image.")
    if sick:
        raise NoPlaceError(f"the mirrored place holds a lesion in {sick} of {count} voxels.")
    if air > OUTSIDE * count:
        raise NoPlaceError(f"the mirrored place lies outside the head in {air} of {count} voxels.")
