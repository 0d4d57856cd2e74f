"""Arrays that take long to make, kept in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from monai_consingan.whole_file import whole_file


def kept(folder: Path, method: object, arrays: tuple[np.ndarray, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
    """What a method makes of arrays, from the folder if it is there.

    Args:
        folder: where it is kept.
        method: what tells it, by its ``repr``, from other methods.
        arrays: what it is made of.
        make: makes it.
    """
    key = hashlib.sha256(repr(method).encode())
    for array in arrays:
        key.update(np.ascontiguousarray(array).tobytes())
    path = folder / f"{key.hexdigest()[:24]}.npy"
    if path.exists():
        return np.asarray(np.load(path))
    made = make()
    with whole_file(path) as temporary:
        np.save(temporary, made)
    return made
