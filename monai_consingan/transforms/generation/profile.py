"""How bright a lesion is by label value and depth: learnt from a donor, painted on a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.transforms.generation.examples import Example, relative_depth

_DEPTHS = np.linspace(0.05, 0.95, 7)
_POINT_MM = 0.6  # the width of what a scanner makes of a point
_FEWEST = 8


@dataclass(frozen=True)
class Profile:
    """Brightness by label value and depth.

    Attributes:
        inside: per label value, (C, 7) at depths from 0.05 to 0.95 of the greatest.
        outside: of the tissue around, (C,).
    """

    inside: dict[int, NDArray[np.float64]]
    outside: NDArray[np.float64]

    @classmethod
    def of(cls, example: Example) -> Profile:
        """The profile of a donor's lesion."""
        crop = example.crop
        image = crop.image.astype(np.float64)
        depth = relative_depth(crop.label > 0, crop.spacing)
        inside = {}
        for value in np.unique(crop.label[crop.label > 0]):
            here = crop.label == value
            inside[int(value)] = _binned(image[:, here], depth[here], _DEPTHS, image[:, here].mean(axis=1))
        return cls(inside, example.level)

    def painted(self, label: np.ndarray, spacing: tuple[float, ...]) -> NDArray[np.float64]:
        """The picture of a label, without texture, (C, \\*spatial)."""
        depth = relative_depth(label > 0, spacing)
        picture = np.empty((len(self.outside), *label.shape))
        picture[:] = self.outside[:, None, None, None]
        for value, rows in self.inside.items():
            here = label == value
            picture[:, here] = [np.interp(depth[here], _DEPTHS, row) for row in rows]
        return ndimage.gaussian_filter(picture, [0, *(_POINT_MM / mm for mm in spacing)])


def _binned(
    values: NDArray[np.float64], at: NDArray[np.float64], centres: NDArray[np.float64], usual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means of (C, n) values around centres, (C, centres); between and beyond those with few values, interpolated."""
    nearest = np.abs(at[:, None] - centres).argmin(axis=1) if at.size else np.zeros(0, int)
    filled = [number for number in range(len(centres)) if (nearest == number).sum() >= _FEWEST]
    if not filled:
        return np.repeat(usual[:, None], len(centres), axis=1)
    means = np.stack([values[:, nearest == number].mean(axis=1) for number in filled], axis=1)
    return np.stack([np.interp(centres, centres[filled], row) for row in means])
