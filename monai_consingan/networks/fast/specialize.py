"""Compiling functions with Numba for constants that are known at run time only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

from numba import njit

__all__ = ["specialize"]

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "nogil": True, "error_model": "numpy", "cache": True}


def specialize(
    module: Mapping[str, Any],
    constants: Mapping[str, int],
    functions: Sequence[str | tuple[str, str, Mapping[str, int]]],
    parallel: Sequence[str],
    *,
    suffix: str,
) -> dict[str, Any]:
    """Compile functions of a module with some of its globals replaced by constants.

    Unlike functions compiled in a closure, these are kept on the disk for the next process (where it cannot be written,
    Numba takes a folder of the user's).

    Args:
        module: the module's ``globals()``.
        constants: the new values.
        functions: names of functions, callees first; or new name, name, and further constants for this function only.
        parallel: names of functions with ``prange``.
        suffix: tells these constants from others.

    Returns:
        The compiled functions by name.
    """
    shared: dict[str, Any] = {**module, **constants}
    compiled: dict[str, Any] = {}
    for item in [*functions, *parallel]:
        name, original, own = (item, item, {}) if isinstance(item, str) else item
        source = module[original]
        clone = FunctionType(source.__code__, {**shared, **own}, name, source.__defaults__)
        clone.__qualname__ = f"{name}_{suffix}"
        clone.__module__ = source.__module__
        shared[name] = compiled[name] = njit(clone, parallel=item in parallel, **_OPTIONS)
    return compiled
