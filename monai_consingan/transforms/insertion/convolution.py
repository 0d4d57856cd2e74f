"""Convolution by Fourier transforms, as far as two arrays overlap wholly."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn


def valid_convolution(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve an array with a smaller one where that lies inside of it.

    What :func:`scipy.signal.fftconvolve` gives with the mode ``"valid"``, bit for bit: to import SciPy's signals, and
    the statistics that they import, takes two thirds of a second.

    Args:
        values: array of floating point numbers.
        kernel: likewise, of as many axes, and no longer along any of them.

    Returns:
        Array of the shape of ``values`` less that of ``kernel``, and one more along every axis.
    """
    axes = [axis for axis, size in enumerate(kernel.shape) if size > 1]
    if not axes:
        return np.asarray(values * kernel)
    whole = [values.shape[axis] + kernel.shape[axis] - 1 for axis in axes]
    size = [next_fast_len(n, True) for n in whole]
    product = rfftn(values, size, axes=axes) * rfftn(kernel, size, axes=axes)
    inside = tuple(slice(n - 1, m) for n, m in zip(kernel.shape, values.shape, strict=True))
    return np.asarray(irfftn(product, size, axes=axes)[inside]).copy()
