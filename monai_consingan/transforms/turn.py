"""How the axes of an image lie to those of the host that it was cut out of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, wrap_like


@dataclass(frozen=True)
class Turn:
    """An order of axes, and which of them are flipped.

    Args:
        axes: for every spatial axis of the image, the host's axis that it is.
        flips: for every spatial axis of the image, whether it runs against the host's.
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    @property
    def turns(self) -> bool:
        """Whether anything is turned."""
        return self != Turn.none(len(self.axes))

    @classmethod
    def none(cls, dims: int) -> Turn:
        """That of an image of so many spatial axes that lies as its host does."""
        return cls(tuple(range(dims)), (False,) * dims)

    def after(self, first: Turn) -> Turn:
        """This turn of an image that was turned before."""
        flips = (flip != first.flips[own] for own, flip in zip(self.axes, self.flips, strict=True))
        return Turn(tuple(first.axes[own] for own in self.axes), tuple(flips))

    def turned(self, values: np.ndarray) -> np.ndarray:
        """An array of the host's axes, which others may go before, on the image's axes."""
        lead = values.ndim - len(self.axes)
        order = [*range(lead), *(lead + axis for axis in self.axes)]
        return np.flip(np.transpose(values, order), self._flipped(lead))

    def upright(self, image: NdarrayOrTensor) -> Any:
        """An image (C, \\*spatial) on the host's axes, of its kind and with its affine changed accordingly.

        It is the very image where nothing is turned.
        """
        if not self.turns:
            return image
        order = np.argsort(self.axes)
        values = np.transpose(np.flip(as_array(image), self._flipped(1)), [0, *(1 + order)])
        result = wrap_like(values, image)
        if isinstance(result, MetaTensor):
            result.affine = result.affine @ torch.from_numpy(self._voxels(image.shape[1:])).to(result.affine)
        return result

    def _flipped(self, lead: int) -> tuple[int, ...]:
        return tuple(lead + axis for axis, flip in enumerate(self.flips) if flip)

    def _voxels(self, shape: Sequence[int]) -> np.ndarray:
        """Voxels of the upright image -> voxels of the image."""
        dims = len(self.axes)
        matrix = np.zeros((dims + 1, dims + 1))
        matrix[dims, dims] = 1
        for axis, (own, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            matrix[axis, own], matrix[axis, dims] = (-1, shape[axis] - 1) if flip else (1, 0)
        return matrix
