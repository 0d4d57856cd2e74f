"""Whether images lie on one voxel grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError

_TOLERANCE = 0.05  # of the smallest voxel side


def same_grid(affine: np.ndarray | torch.Tensor, other: np.ndarray | torch.Tensor, shape: tuple[int, ...]) -> bool:
    """Tell whether two affines put a voxel grid of the given shape at the same place.

    Headers store rotations in single precision, so corners may differ by 5 % of the smallest voxel side.

    Args:
        affine: 4 x 4 matrix, voxels to mm.
        other: 4 x 4 matrix, voxels to mm.
        shape: spatial shape, 2D or 3D.
    """
    first, second = (np.asarray(a, dtype=np.float64) for a in (affine, other))
    ends = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), axis=-1).reshape(-1, len(shape))
    corners = np.zeros((len(ends), 4))
    corners[:, : len(shape)], corners[:, 3] = ends, 1
    distance = np.linalg.norm((corners @ (first - second).T)[:, :3], axis=1).max()
    column_change = np.linalg.norm(first[:3, : len(shape)] - second[:3, : len(shape)], axis=0).max()
    side = np.linalg.norm(first[:3, : len(shape)], axis=0).min()
    return bool(max(distance, column_change) <= _TOLERANCE * side)


def check_place(image: Any, other: Any, *, name: str, other_name: str, moved: bool = False) -> None:
    """Refuse an image of the same shape that lies elsewhere than another, if both tell where they lie.

    Args:
        image: (C, \\*spatial).
        other: likewise.
        name, other_name: what they are to the user.
        moved: whether their first voxels may lie elsewhere, if only their axes and spacing agree.

    Raises:
        ConSinGANError: it does.
    """
    if not (isinstance(image, MetaTensor) and isinstance(other, MetaTensor)):
        return
    own, wanted = (np.array(part.affine, dtype=np.float64) for part in (image, other))
    if moved:
        own[:3, 3] = wanted[:3, 3]
    if not same_grid(own, wanted, tuple(other.shape[1:])):
        raise ConSinGANError(
            f"{name} lies elsewhere than {other_name}: their affines are {short(image.affine)} and "
            f"{short(other.affine)}; flip, crop and resample both alike."
        )


def short(affine: np.ndarray | torch.Tensor) -> list[list[float]]:
    """An affine for one line of an error."""
    rows: list[list[float]] = np.round(np.asarray(affine, dtype=np.float64)[:3], 3).tolist()
    return rows
