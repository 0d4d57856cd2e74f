"""What is known of a host, worked out once and handed on: its head, and its background, air and levels by channel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, as_mask, check_host, image_identity, in_all, spacing_of
from monai_consingan.background import Background, find_background
from monai_consingan.distance import bounding_box
from monai_consingan.transforms.head import TissueLevel, air_level, head_mask, tissue_level
from monai_consingan.transforms.room import CoarseGrid, Room, blocks_within, coarse_grid, coarse_unlikeness
from monai_consingan.transforms.whole_voxels import Turn, overlap

_LARGE = 2**17  # voxels of a head from which on a coarse grid saves time
_PROBES = 2048
_MOVED_MM = 0.01  # by which rounding may move a voxel of a crop
KEPT = 4
"""How many hosts are kept in memory."""


@dataclass(frozen=True)
class ChannelKnowledge:
    """What is known of a channel.

    Attributes:
        background: the constant that fills the channel's border, or that there is none.
        air: intensity above which there is tissue (:func:`monai_consingan.transforms.head.air_level`).
        tissue: what tells tissue from air where faint tissue counts, too.
        level: median and spread of the head's intensities.
        coarse: mean unlikeness of the blocks of the coarse grid to each of
            :data:`~monai_consingan.transforms.room.LEVELS`, (3, \\*blocks), or None.
    """

    background: Background
    air: float
    tissue: TissueLevel
    level: tuple[float, float]
    coarse: np.ndarray | None = None


@dataclass(frozen=True)
class HostKnowledge:
    """What is known of a host, which serves any number of lesions, and crops of the host too.

    It is kept for the box around the head only, and takes a tenth to a third of the memory of a host of one channel.

    Attributes:
        shape: the host's spatial shape.
        spacing: mm per spatial axis.
        affine: voxels to mm, or None where that is not known.
        name: what errors call the room for lesions.
        edges: distances in mm from its edge to try, largest first.
        start: first voxel of the box.
        mask: the head or brain in the box, without what is background in any channel, boolean.
        depth: depth in mm below its surface in the box, float16; 0 where no place is looked for.
        channels: what is known of each channel.
        coarse: the coarse grid, or None where the head is small.
        probes: some voxels of the head (N, ndim), and their values (C, N), to tell the host and its crops by.
        turn: how the axes lie to those of the host that all this was worked out of.
        facts: what transforms that come after a crop have asked about the whole host
            (:class:`monai_consingan.transforms.PrepareHostd`).
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    affine: np.ndarray | None
    name: str
    edges: tuple[float, ...]
    start: tuple[int, ...]
    mask: np.ndarray
    depth: np.ndarray
    channels: tuple[ChannelKnowledge, ...]
    coarse: CoarseGrid | None
    probes: tuple[np.ndarray, np.ndarray]
    turn: Turn
    facts: Mapping[Hashable, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        image: NdarrayOrTensor,
        region: NdarrayOrTensor | None = None,
        spacing: Sequence[float] | float | None = None,
        lead: int = 0,
    ) -> HostKnowledge:
        """Work out what is known of a host.

        Args:
            image: host of shape (C, \\*spatial), 2D or 3D.
            region: mask that lesions have to lie in, such as a brain mask, (1, \\*spatial); None finds the head.
            spacing: mm per spatial axis; None takes it from a MetaTensor's affine, and 1 mm for other arrays.
            lead: the channel that the head is found in.

        Raises:
            ConSinGANError: the image or a channel of it is constant or holds NaN, or the region is of another shape.

        Example:
            >>> brain = np.zeros((1, 40, 40))
            >>> brain[0, 8:32, 8:32] = np.arange(576).reshape(24, 24) + 100
            >>> HostKnowledge.of(brain).mask.shape
            (24, 24)
        """
        check_host(image, region=region)
        values, mm = as_array(image), spacing_of(image, spacing)
        backgrounds = [find_background(channel) for channel in values]
        airs = [air_level(channel, known) for channel, known in zip(values, backgrounds, strict=True)]
        brain = None if region is None else as_mask(region, name="region")[0]
        main, background = values[lead], backgrounds[lead]
        hidden = None
        if len(values) > 1 and any(backgrounds):
            pairs = zip(values, backgrounds, strict=True)
            hidden = np.any([known.outside(part) for part, known in pairs if known], axis=0)
        room = Room.of(main, mm, brain, background, airs[lead], hidden=hidden)
        room = room.narrowed(main, mm, background)
        levels = [tissue_level(channel, room.mask, room.distance) for channel in values]
        box = bounding_box(room.mask) if room.mask.any() else tuple(slice(0, n) for n in room.mask.shape)
        depth = room.distance[box]
        coarse = coarse_grid(depth, tuple(b.start for b in box), mm) if depth.size > _LARGE else None
        channels = [
            ChannelKnowledge(
                background=known,
                air=air,
                tissue=TissueLevel.of(whole, known),
                level=level,
                coarse=None if coarse is None else coarse_unlikeness(whole[box], level, coarse),
            )
            for whole, known, air, level in zip(values, backgrounds, airs, levels, strict=True)
        ]
        spots = np.flatnonzero(room.mask[box])
        spots = np.stack(np.unravel_index(spots[:: max(1, spots.size // _PROBES)], depth.shape), axis=1)
        spots = (spots + [b.start for b in box]).astype(np.int32)
        return cls(
            shape=values.shape[1:],
            spacing=mm,
            affine=as_array(image.affine).astype(np.float64) if isinstance(image, MetaTensor) else None,
            name=room.name,
            edges=room.edges,
            start=tuple(b.start for b in box),
            mask=room.mask[box].copy(),
            depth=depth.astype(np.float16),
            channels=tuple(channels),
            coarse=coarse,
            probes=(spots, values[in_all(spots.T)].astype(np.float32)),
            turn=Turn.none(values.ndim - 1),
        )

    def __deepcopy__(self, memo: Any) -> HostKnowledge:
        """Itself, as nothing changes it: a cached data set copies its items."""
        return self

    @property
    def box(self) -> tuple[slice, ...]:
        """The box around the head, an index for the host."""
        return tuple(slice(low, low + size) for low, size in zip(self.start, self.mask.shape, strict=True))

    @cached_property
    def head(self) -> np.ndarray:
        """The head or brain, boolean, of the host's shape."""
        whole = np.zeros(self.shape, bool)
        whole[self.box] = self.mask
        return whole

    def head_in_all(self, image: NdarrayOrTensor) -> np.ndarray:
        """What lies in the head in all channels of the host, boolean (\\*spatial)."""
        heads = [
            head_mask(channel, spacing=self.spacing, background=about.background, air=about.air)
            for channel, about in zip(as_array(image), self.channels, strict=True)
            if len(self.channels) > 1
        ]
        return np.logical_and.reduce([self.head, *heads])

    def __getstate__(self) -> dict[str, Any]:
        """What goes to other processes: all but what is quick to work out."""
        return {name: value for name, value in self.__dict__.items() if name != "head"}

    def of_image(self, image: NdarrayOrTensor) -> HostKnowledge | None:
        """What is known of an image that is this host or a part of it, also if it was flipped or its axes were swapped.

        Args:
            image: array of shape (C, \\*spatial); only as a MetaTensor it can be more or less than the whole host.

        Returns:
            The knowledge on the image's grid; None where the image is no part of the host, was resampled, or has other
            intensities.
        """
        known: HostKnowledge | None = self
        if len(image) != len(self.channels) or image.ndim != 1 + len(self.shape):
            return None
        if isinstance(image, MetaTensor) and self.affine is not None:
            known = self._on_grid(as_array(image.affine).astype(np.float64), tuple(image.shape[1:]))
        elif tuple(image.shape[1:]) != self.shape:
            return None
        if known is None:
            return None
        spots, values = known.probes
        now = as_array(image)[in_all(spots.T)]
        alike = now.astype(np.float32) == values
        return known if len(spots) and (alike.mean(axis=1) > 0.5).all() else None

    def _on_grid(self, affine: np.ndarray, shape: tuple[int, ...]) -> HostKnowledge | None:
        """What is known on the grid of a crop."""
        ndim = len(self.shape)
        if shape == self.shape and np.allclose(affine, np.asarray(self.affine), atol=_MOVED_MM):
            return self
        # voxels of the crop -> voxels of the host
        matrix = np.linalg.solve(np.asarray(self.affine), affine)
        rotation, start = matrix[:ndim, :ndim], matrix[:ndim, -1]
        steps, first = np.rint(rotation).astype(int), np.rint(start).astype(int)
        corners = np.abs(rotation - steps) @ np.asarray(shape) + np.abs(start - first)
        if (corners * self.spacing > _MOVED_MM * max(self.spacing)).any() or (np.abs(steps).sum(axis=0) != 1).any():
            return None
        axes = [int(np.argmax(np.abs(steps[:, axis]))) for axis in range(ndim)]
        if sorted(axes) != list(range(ndim)):
            return None
        turn = Turn(tuple(axes), tuple(bool(steps[own, axis] < 0) for axis, own in enumerate(axes)))
        turned = turn.turned

        def begin(low: Sequence[int], size: Sequence[int]) -> list[int]:
            """Where a box of the host begins on the crop's grid."""
            found = []
            for axis, own in enumerate(axes):
                at = low[own] - first[own]
                found.append(int(-at - size[own] + 1 if turn.flips[axis] else at))
            return found

        spots, values = self.probes
        places = ((spots - first) @ steps).astype(np.int32)
        inside = ((places >= 0) & (places < shape)).all(axis=1)
        low = begin(self.start, self.mask.shape)
        there, part = overlap(low, turned(self.mask).shape, shape)
        channels, coarse = self.channels, self.coarse
        if coarse is not None:
            size = tuple(coarse.size[own] for own in axes)
            at = begin(coarse.start, [n * step for n, step in zip(coarse.depth.shape, coarse.size, strict=True)])
            depth = turned(coarse.depth)
            blocks, at = blocks_within(at, size, depth.shape, shape)
            coarse = CoarseGrid(tuple(at), size, depth[blocks]) if depth[blocks].size else None
            channels = tuple(
                replace(known, coarse=None if coarse is None else turned(known.coarse)[in_all(blocks)])
                for known in channels
                if known.coarse is not None
            )
        return replace(
            self,
            shape=shape,
            spacing=tuple(self.spacing[own] for own in axes),
            affine=affine,
            start=tuple(side.start for side in there),
            mask=turned(self.mask)[part],
            depth=turned(self.depth)[part],
            channels=channels,
            coarse=coarse,
            probes=(places[inside], values[:, inside]),
            turn=turn.after(self.turn),
        )


def _told(
    image: NdarrayOrTensor, region: NdarrayOrTensor | None, spacing: Sequence[float] | float | None, lead: int
) -> tuple[Any, ...]:
    """What tells a host, and what is asked of it, from others."""
    affine = as_array(image.affine).tobytes() if isinstance(image, MetaTensor) else b""
    return *(image_identity(part) for part in (image, region)), spacing_of(image, spacing), affine, lead


@cached(LRUCache(KEPT), key=_told, lock=RLock())
def known_host(
    image: NdarrayOrTensor, region: NdarrayOrTensor | None, spacing: Sequence[float] | float | None, lead: int
) -> HostKnowledge:
    """What is known of a host, kept in memory for the last four, which are told by all of their voxels.

    Args and errors are those of :meth:`HostKnowledge.of`.
    """
    return HostKnowledge.of(image, region, spacing, lead)
