"""What a new lesion does to the tissue around it: mass effect pushes it aside, and oedema stays within it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.arrays import as_array, cast_values, check_number, in_all, wrap_like
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.distance import depth_within, reach_box, signed_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import MOST_MASS_EFFECT
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.smooth import jacobian

_REACH_RADII, _REACH_MM = 2.0, 20.0
_LEAST_JACOBIAN = 0.1
_SMOOTH_MM = 0.6
_LEAST_STEP = 1e-3  # of a voxel: tissue that moves by less stays
_UNLIKE = 3.0  # robust standard deviations from the head's median that fluid, vessels and air are beyond
_OEDEMA_SMOOTH_MM = 0.7  # so that noise makes no holes


def check_mass_effect(share: float) -> float:
    """A share of a lesion's volume that may be pushed aside, from 0 to 0.8.

    Raises:
        ConSinGANError: it is none.
    """
    return check_number(share, "mass_effect", 0.0, MOST_MASS_EFFECT)


@dataclass(frozen=True)
class Push:
    """How the tissue of a host makes room for a lesion.

    Tissue moves away from the lesion's middle as if a share of the lesion's volume were added there and nothing else
    could be compressed (:math:`r^3 = r_0^3 + share \\cdot R^3` for a ball, in the plane with squares), ever less, and
    not at all two radii away from the lesion's border, nor at the surface of the head or brain. What lies where the
    lesion comes to is pressed together.

    Attributes:
        box: the part of the host that anything moves in, an index for its spatial axes.
        moved: how far the tissue that comes to a voxel has moved, in mm, (ndim, \\*box). The map from voxels to where
            their tissue comes from folds nothing (its Jacobian is 0.1 or more) and is the identity at the box's faces.
        spacing: mm per spatial axis.
    """

    box: tuple[slice, ...]
    moved: NDArray[np.float64]
    spacing: tuple[float, ...]

    @classmethod
    def of(cls, lesion: NDArray[np.bool_], share: float, known: HostKnowledge, axis: int | None = None) -> Push:
        """The push of a lesion.

        Args:
            lesion: where it comes to, boolean (\\*spatial), 2D or 3D.
            share: how much of its volume is pushed aside; the rest takes the place of tissue.
            known: what is known of the host: its head, how far from its surface lesions stay, and its spacing.
            axis: the spatial axis perpendicular to the slices to move tissue within the slices only.

        Raises:
            ConSinGANError: the share is out of range, or there is no lesion.

        Example:
            >>> lesion = np.zeros((40, 40), bool)
            >>> lesion[16:24, 16:24] = True
            >>> known = HostKnowledge.of(np.random.RandomState(0).normal(100, 5, (1, 40, 40)))
            >>> push = Push.of(lesion, 0.5, known)
            >>> bool(push.jacobian.min() > 0)
            True
        """
        check_mass_effect(share)
        if not lesion.any():
            raise ConSinGANError("The lesion is empty, and pushes nothing aside: give a mask with values above 0.")
        mm, ndim = known.spacing, lesion.ndim
        free = [along for along in range(ndim) if along != axis]
        extent = lesion.sum(axis=tuple(free)).max() * math.prod(mm[along] for along in free)
        power = len(free)
        radius = float(extent / np.pi) ** 0.5 if power == 2 else float(3 * extent / (4 * np.pi)) ** (1 / 3)
        reach = min(_REACH_RADII * radius, _REACH_MM)
        box = reach_box(lesion, mm, reach)
        away = signed_distance(lesion[box], mm)
        centre = np.argwhere(lesion[box]).mean(axis=0)
        spots = [(grid - at) * step for grid, at, step in zip(np.indices(away.shape), centre, mm, strict=True)]
        outward = np.stack([part if along in free else np.zeros_like(part) for along, part in enumerate(spots)])
        from_middle = np.sqrt((outward**2).sum(axis=0))
        at = np.maximum(radius + away, radius)
        outer = at - (at**power - share * radius**power) ** (1 / power)
        size = np.minimum(outer, from_middle * (1 - (1 - share) ** (1 / power)))
        moved = outward * (size / np.maximum(from_middle, 1e-9))
        moved = ndimage.gaussian_filter(moved, [0, *(_SMOOTH_MM / step for step in mm)], mode="nearest")
        moved *= (0.5 + 0.5 * np.cos(np.pi * np.clip(away / reach, 0, 1))) * _loose(known, box)
        while jacobian(-moved, mm).min() < _LEAST_JACOBIAN:
            moved *= 0.8
        return cls(box, moved, mm)

    @property
    def jacobian(self) -> NDArray[np.float64]:
        """Volume that a voxel's tissue had before, as a share of the voxel's, (\\*box)."""
        return jacobian(-self.moved, self.spacing)

    def image(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """An image with its tissue moved: a copy, whose other voxels keep their bits.

        Args:
            image: host of shape (C, \\*spatial). What is between voxels is interpolated by cubic splines, which keeps
                noise and detail, within the range of the values there.
        """
        result, source = image.copy(), self._source
        moves = self._moves
        for old, new in zip(image[in_all(self.box)], result[in_all(self.box)], strict=True):
            values = old.astype(np.float64)
            found = ndimage.map_coordinates(values, source[:, moves], order=3, mode="nearest")
            new[moves] = cast_values(np.clip(found, values.min(), values.max()), new.dtype)
        return result

    def label(self, label: NDArray[np.generic]) -> NDArray[np.generic]:
        """Label values with their tissue moved, each from the nearest voxel: a copy.

        Args:
            label: of shape (\\*spatial).
        """
        result = label.copy()
        part = ndimage.map_coordinates(label[self.box], self._source, order=0, mode="nearest")
        result[self.box] = np.where(self._moves, part, label[self.box])
        return result

    def host(self, image: Any, label: Any | None) -> tuple[Any, Any | None]:
        """A host (C, \\*spatial) and its label (1, \\*spatial), or None, with their tissue moved, of their kinds."""
        moved = None if label is None else wrap_like(self.label(as_array(label)[0])[None], label)
        return wrap_like(self.image(as_array(image)), image), moved

    @property
    def _moves(self) -> NDArray[np.bool_]:
        """Where tissue moves by more than rounding."""
        steps = np.abs(self.moved) / np.reshape(self.spacing, (-1, *[1] * (self.moved.ndim - 1)))
        return np.asarray((steps > _LEAST_STEP).any(axis=0))

    @property
    def _source(self) -> NDArray[np.float64]:
        """Where the tissue of each voxel comes from, in voxels of the box, (ndim, \\*box)."""
        mm = np.reshape(self.spacing, (-1, *[1] * (self.moved.ndim - 1)))
        return np.asarray(np.indices(self.moved.shape[1:]) - self.moved / mm)


def _loose(known: HostKnowledge, box: tuple[slice, ...]) -> NDArray[np.float64]:
    """How freely tissue moves: 0 at the surface of the head or brain, 1 from half as deep again as lesions stay."""
    keep = max(known.edges)
    head = known.head[box]
    depth = np.full(head.shape, np.inf) if head.all() else depth_within(head, known.spacing)
    ramp = np.clip((depth - 0.5 * keep) / keep, 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * ramp))


def bounded_oedema(
    label: NDArray[Any],
    lesion_labels: Iterable[int],
    image: NDArray[Any],
    known: HostKnowledge,
    box: tuple[slice, ...],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A new lesion's label without the oedema that would lie in fluid, off the head, or beyond either.

    What is tissue is told by intensities: in every sequence within three robust standard deviations of the head's
    median, which the fluid of ventricles and sulci is not. Oedema that no tissue links to the lesion goes, too.

    Args:
        label: the new lesion's label in a box of the host, (\\*box).
        lesion_labels: label values that are the lesion itself, and stay wherever they are; what else there is, is
            oedema.
        image: the host in the box, (C, \\*box).
        known: what is known of the host.
        box: the box, an index for the host's spatial axes.

    Returns:
        The label, and where the host shows tissue that oedema may lie in, boolean (\\*box).
    """
    core = lesion_voxels(label, lesion_labels)
    tissue = known.head[box].copy()
    for channel, about in zip(image, known.channels, strict=True):
        smooth = ndimage.gaussian_filter(channel.astype(np.float64), [_OEDEMA_SMOOTH_MM / mm for mm in known.spacing])
        level, spread = about.level
        tissue &= np.abs(smooth - level) <= _UNLIKE * spread
    parts, _ = ndimage.label(core | ((label > 0) & tissue))
    kept = np.isin(parts, np.unique(parts[core])) & (parts > 0)
    return np.where(kept, label, np.zeros((), label.dtype)), tissue
