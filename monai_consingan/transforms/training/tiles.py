"""Shuffled tiles: the training input of ConSinGAN's editing task."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.transforms import RandomizableTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from monai_consingan.arrays import check_image, check_number, int_range
from monai_consingan.transforms.random_dict import AlikeTransform


class RandShuffleTiles(RandomizableTransform):
    """Cut an image into a grid of equal tiles and swap some of them.

    This is what ConSinGAN's editing task trains on (Hinz et al., "Improved Techniques for Training Single-Image GANs",
    WACV 2021, https://arxiv.org/abs/2003.11512): the generator sees the image with its parts in foreign places and
    learns to make transitions that look right. Nothing but places changes: every voxel is kept exactly.

    Tiles have a whole number of voxels. Where a side does not divide evenly, the grid lies at a random place and the
    voxels beside it stay as they are.

    Args:
        prob: probability that anything is done.
        tiles: number of tiles along each spatial axis: a number, or a pair to draw from (both ends included) for each
            axis anew. An axis with fewer voxels is cut into single voxels.
        swaps: number of times that two tiles change places: a number, or a pair to draw from.

    Raises:
        ConSinGANError: if ``tiles`` or ``swaps`` is no number or rising pair, or below 1.

    Example:
        >>> import numpy as np
        >>> shuffle = RandShuffleTiles(tiles=2, swaps=1).set_random_state(seed=0)
        >>> image = np.arange(16).reshape(1, 4, 4)
        >>> sorted(shuffle(image).ravel()) == sorted(image.ravel())
        True
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]

    def __init__(
        self, prob: float = 1.0, tiles: int | Sequence[int] = (2, 5), swaps: int | Sequence[int] = (1, 5)
    ) -> None:
        RandomizableTransform.__init__(self, check_number(prob, "prob", 0, 1))
        self.tiles = int_range(tiles, "tiles", 1)
        self.swaps = int_range(swaps, "swaps", 1)
        self._grid: tuple[int, ...] = ()
        self._size: tuple[int, ...] = ()
        self._start: tuple[int, ...] = ()
        self._order: np.ndarray = np.arange(0)

    def randomize(self, data: Any) -> None:
        """Draw the grid and the tiles that change places.

        Args:
            data: the image, of shape ``(C, *spatial)``.
        """
        super().randomize(None)
        if not self._do_transform:
            return
        shape = tuple(int(side) for side in data.shape[1:])
        self._grid = tuple(min(int(self.R.randint(self.tiles[0], self.tiles[1] + 1)), side) for side in shape)
        self._size = tuple(side // count for side, count in zip(shape, self._grid, strict=True))
        rest = (side - size * count for side, size, count in zip(shape, self._size, self._grid, strict=True))
        self._start = tuple(int(self.R.randint(0, left + 1)) for left in rest)
        self._order = np.arange(int(np.prod(self._grid)))
        if self._order.size < 2:
            return
        for _ in range(int(self.R.randint(self.swaps[0], self.swaps[1] + 1))):
            one, other = self.R.choice(self._order.size, size=2, replace=False)
            self._order[[one, other]] = self._order[[other, one]]

    def _tiles(self) -> list[tuple[slice, ...]]:
        """The tiles' places in an image of shape ``(C, *spatial)``, row by row."""
        along = [
            [slice(start + index * size, start + (index + 1) * size) for index in range(count)]
            for start, size, count in zip(self._start, self._size, self._grid, strict=True)
        ]
        return [(slice(None), *place) for place in product(*along)]

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Shuffle the tiles of one image.

        Args:
            img: image of shape ``(C, *spatial)``, 2D or 3D, any dtype. All channels are shuffled alike.
            randomize: whether to draw anew; ``False`` repeats the last draw (for a label of the same size, say).

        Returns:
            A shuffled copy of the same shape, type and meta data.
        """
        check_image(img)
        if randomize:
            self.randomize(img)
        if not self._do_transform:
            return img
        source = convert_to_tensor(img, track_meta=False)
        result = torch.clone(source)
        places = self._tiles()
        for place, origin in enumerate(self._order):
            if place != origin:
                result[places[place]] = source[places[origin]]
        return convert_to_dst_type(result, dst=img, dtype=img.dtype)[0]


class RandShuffleTilesd(AlikeTransform):
    """Dictionary version of :class:`RandShuffleTiles`: all keys are shuffled alike.

    Args:
        keys: keys of images of equal spatial shape.
        prob, allow_missing_keys: as of other transforms of MONAI.
        kwargs: the other arguments of :class:`RandShuffleTiles`.
    """

    backend = RandShuffleTiles.backend
    array_version = RandShuffleTiles


RandShuffleTilesD = RandShuffleTilesDict = RandShuffleTilesd
