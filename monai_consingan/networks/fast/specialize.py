"""Compiling functions with Numba for constants that are known at run time only."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache

from monai_consingan.errors import ConSinGANWarning

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "nogil": True, "error_model": "numpy"}
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled ones call: compiling them takes less."""


def specialize(
    module: Mapping[str, Any],
    constants: Mapping[str, Any],
    functions: Sequence[str | tuple[str, str, Mapping[str, int]]],
    parallel: Sequence[str],
    *,
    suffix: str,
) -> dict[str, Any]:
    """Compile functions of a module with some of its globals replaced by constants.

    Unlike functions compiled in a closure, these are kept on the disk for the next process: beside the module, or where
    that cannot be written in a folder of the user's, or that of the variable ``NUMBA_CACHE_DIR``. Where nothing can be
    written, they are compiled anew in every process, and one warning says so.

    Args:
        module: the module's ``globals()``.
        constants: the new values.
        functions: names of functions that only others of these call, callees first; or new name, name, and further
            constants for this function only.
        parallel: names of functions with ``prange``, which Python calls.
        suffix: tells these constants from others.

    Returns:
        The compiled functions of ``parallel`` by name.
    """
    shared: dict[str, Any] = {**module, **constants}
    for item in [*functions, *parallel]:
        name, original, own = (item, item, {}) if isinstance(item, str) else item
        source = module[original]
        clone = FunctionType(source.__code__, {**shared, **own}, name, source.__defaults__)
        clone.__qualname__ = f"{name}_{suffix}"
        clone.__module__ = source.__module__
        shared[name] = njit(clone, **_OPTIONS, **({"parallel": True} if item in parallel else _INNER))
        shared[name]._cache = _disk_cache(clone)
    return {name: shared[name] for name in parallel}


class _DiskCache(FunctionCache):
    """Numba's files of compiled functions, of which none that is damaged or cannot be written stops the work."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is kept for a signature, or ``None``."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling something damaged raises anything
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature, if there is room."""
        try:
            super().save_overload(sig, data)
        except OSError:  # such as a full disk
            _tell_uncached()


def _disk_cache(function: FunctionType) -> FunctionCache | NullCache:
    try:
        return _DiskCache(function)
    except (RuntimeError, OSError):  # there is no folder for it
        _tell_uncached()
        return NullCache()


def _tell_uncached() -> None:
    warnings.warn(  # from this line always, so that it is shown once
        "Numba can keep compiled functions in no folder, so every process takes some seconds to compile them anew: "
        "name a folder that can be written by the variable NUMBA_CACHE_DIR.",
        ConSinGANWarning,
        stacklevel=1,
    )
