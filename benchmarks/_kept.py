"""What takes long to make, kept in a folder: arrays, and reports of numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan.whole_file import whole_file


def kept(folder: Path, method: object, arrays: Sequence[np.ndarray], make: Callable[[], np.ndarray]) -> np.ndarray:
    """What a method makes of arrays, from the folder if it is there.

    Args:
        folder: where it is kept; made if it is not there.
        method: what tells it, by its ``repr``, from other methods.
        arrays: what it is made of.
        make: makes it.
    """
    path = _path(folder, method, arrays, ".npy")
    if path.exists():
        return np.asarray(np.load(path))
    made = make()
    with whole_file(path) as temporary:
        np.save(temporary, made)
    return made


def kept_report(
    folder: Path, method: object, arrays: Sequence[np.ndarray], make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """As :func:`kept`, for what JSON can hold."""
    path = _path(folder, method, arrays, ".json")
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    made = make()
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(made), encoding="utf-8")
    return made


def _path(folder: Path, method: object, arrays: Sequence[np.ndarray], ending: str) -> Path:
    """Where something is kept; its folder is there afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(repr(method).encode())
    for array in arrays:
        key.update(np.ascontiguousarray(array).tobytes())
    return folder / f"{key.hexdigest()[:24]}{ending}"
