"""The published mirror: the flip of one axis as stored."""

from __future__ import annotations

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array, check_axis, wrap_like


def flip_mirror(image: NdarrayOrTensor, *, axis: int = 0) -> NdarrayOrTensor:
    """Flip a spatial axis as stored, whatever it means anatomically.

    For axis 0 this is ``numpy.flipud`` of a slice, the mirror of the published removal method. MONAI reads a PNG as
    (C, W, H), so the first axis of that image in numpy's and PIL's sense is spatial axis 1 here.

    Args:
        image: image of shape (C, \\*spatial).
        axis: spatial axis to flip.

    Returns:
        The flipped image, of the same kind and dtype; a MetaTensor keeps its affine, as the result lies in the same
        place.

    Raises:
        ConSinGANError: when the axis does not exist.

    Example:
        >>> import numpy as np
        >>> flip_mirror(np.array([[[1, 2], [3, 4]]])).tolist()
        [[[3, 4], [1, 2]]]
    """
    values = as_array(image)
    spatial = check_axis(axis, values.ndim - 1) or 0
    return wrap_like(np.flip(values, spatial + 1).copy(), image)
