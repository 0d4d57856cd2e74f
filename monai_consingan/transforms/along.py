"""Products of a matrix with all lines of an image along an axis."""

from __future__ import annotations

import math

import numpy as np
import torch


def along(matrix: np.ndarray, image: np.ndarray, axis: int) -> np.ndarray:
    """Multiply every line of an image along an axis by a matrix.

    By PyTorch, which takes as many threads as the program has set, and one in the workers of a data loader. NumPy's
    library takes all processors for it, and where these are busy, waits for them a hundred times as long as it works.

    Args:
        matrix: (M, N).
        image: with N voxels along the axis, of the matrix's type.
        axis: which one.

    Returns:
        The image with M voxels along the axis.

    Example:
        >>> along(np.full((1, 2), 0.5), np.array([[1.0, 3.0], [5.0, 7.0]]), axis=1).tolist()
        [[2.0], [6.0]]
    """
    before, after = image.shape[:axis], image.shape[axis + 1 :]
    lines = torch.from_numpy(np.ascontiguousarray(image).reshape(math.prod(before), image.shape[axis], -1))
    by = torch.from_numpy(matrix)
    product = by @ lines if lines.shape[2] > 1 else (lines[..., 0] @ by.T)[..., None]
    return np.asarray(product.numpy().reshape(*before, len(matrix), *after))
