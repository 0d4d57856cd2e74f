"""Moving an array by whole voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array, wrap_like


def move(array: NdarrayOrTensor, offset: Sequence[int], fill: float = 0, shape: Sequence[int] | None = None) -> Any:
    """Shift an array by whole voxels; what leaves is lost, what comes in is ``fill``, and nothing is interpolated.

    Args:
        array: array, tensor or MetaTensor whose last ``len(offset)`` axes are shifted.
        offset: voxels per axis; positive moves towards higher indices.
        fill: value of the voxels that come in.
        shape: size of the result along the shifted axes; None keeps the array's.

    Returns:
        The shifted copy, of the same dtype and kind.

    Example:
        >>> import numpy as np
        >>> move(np.array([[1, 2, 3]]), (0, 1)).tolist()
        [[0, 1, 2]]
    """
    values = as_array(array)
    lead, count = values.ndim - len(offset), len(offset)
    size = tuple(values.shape[lead:]) if shape is None else tuple(shape)
    source, target = [slice(None)] * lead, [slice(None)] * lead
    for step, old, new in zip(offset, values.shape[lead:], size, strict=True):
        low, high = max(0, step), max(0, min(new, old + step))
        target.append(slice(low, max(low, high)))
        source.append(slice(low - step, max(low, high) - step))
    out = np.full((*values.shape[: values.ndim - count], *size), fill, dtype=values.dtype)
    out[tuple(target)] = values[tuple(source)]
    return wrap_like(out, array)
