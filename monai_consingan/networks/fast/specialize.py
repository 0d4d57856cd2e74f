"""Compiling functions with Numba for constants that are known at run time only, and calling them in parallel.

What Python calls is compiled as a C function of one form, so that one function alone, which calls any of them by its
address, has to be compiled for several threads: that takes Numba seconds for each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, prange, types
from numba.core.caching import FunctionCache, NullCache
from numba.core.ccallback import CFunc
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from monai_consingan.errors import ConSinGANWarning

_OPTIONS = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "nogil": True, "error_model": "numpy"}
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled ones call: compiling them takes less."""
_SIGNATURE = (types.intp, types.intp, types.CPointer(types.intp)), types.void

Kernel = Callable[..., None]


def specialize(
    module: Mapping[str, Any],
    constants: Mapping[str, Any],
    functions: Sequence[str | tuple[str, str, Mapping[str, int]]],
    kernels: Sequence[str],
    *,
    dtype: torch.dtype,
    suffix: str = "",
) -> dict[str, Kernel]:
    """Compile functions of a module with some of its globals replaced by constants.

    Unlike functions compiled in a closure, these are kept on the disk for the next process: beside the module, or where
    that cannot be written in a folder of the user's, or that of the variable ``NUMBA_CACHE_DIR``. Where nothing can be
    written, they are compiled anew in every process, and one warning says so.

    Args:
        module: the module's ``globals()``.
        constants: the new values.
        functions: names of functions that only others of these call, callees first; or new name, name, and further
            constants for this function only.
        kernels: names of functions that Python calls, of a part's number, how many parts there are, and a table of what
            they work on: ``floats(table, k)`` is its array ``k``, of the type ``dtype``, ``doubles(table, k)`` one of
            doubles, ``wholes(table, k)`` one of whole numbers, and ``number(table, place)`` a number of the type
            ``dtype`` at a place of the table; other entries are whole numbers.
        dtype: of the arrays, float32 or float64.
        suffix: tells these constants from others.

    Returns:
        The compiled functions of ``kernels`` by name. Their arguments are ``parts``, a number of calls, which are made
        in parallel, and what goes into the table: contiguous tensors and arrays first, each of which takes two places,
        and numbers, those of :py:func:`bits` among them.
    """
    double = dtype == torch.float64
    item_types = {"floats": types.float64 if double else types.float32, "doubles": types.float64, "wholes": types.intp}
    readers = {name: _array_of(item) for name, item in item_types.items()}
    shared: dict[str, Any] = {**module, **readers, "number": _number_of(double), **constants}
    compiled: dict[str, Kernel] = {}
    for item in [*functions, *kernels]:
        name, original, own = (item, item, {}) if isinstance(item, str) else item
        source = module[original]
        clone = _clone(source, {**shared, **own}, name, suffix, double)
        if item in kernels:
            compiled[name] = _kernel(clone)
        else:
            shared[name] = njit(clone, **_OPTIONS, **_INNER)
            shared[name]._cache = _disk_cache(clone)
    return compiled


def is_kept(source: Any, *, dtype: torch.dtype, suffix: str = "") -> bool:
    """Whether a compiled function of :func:`specialize` is on the disk; also true where none can be kept there."""
    kept = _disk_cache(_clone(source, {}, source.__name__, suffix, dtype == torch.float64))
    try:
        return isinstance(kept, NullCache) or bool(kept._cache_file._load_index())
    except Exception:  # as in _DiskCache
        return False


def _clone(source: FunctionType, names: dict[str, Any], name: str, suffix: str, double: bool) -> FunctionType:
    """A function that sees other names, under a name that tells these from others."""
    clone = FunctionType(source.__code__, names, name, source.__defaults__)
    clone.__qualname__ = f"{name}_{suffix}{'double' if double else 'single'}"
    clone.__module__ = source.__module__
    return clone


def own(values, part, parts):  # type: ignore[no-untyped-def]
    """What of an array belongs to a part; one of the functions that others can call."""
    size = values.size // parts
    return values[part * size : (part + 1) * size]


def _kernel(function: FunctionType) -> Kernel:
    """A function of a part, the parts and a table as one of the parts and what goes into the table."""
    compiled: Any = CFunc(function, _SIGNATURE, {}, {"nopython": True, **_OPTIONS})
    compiled._cache = _disk_cache(function)
    compiled.compile()
    address, run = compiled.address, _runner()

    def kernel(parts: int, *given: Any) -> None:
        """Make the table and call the function for every part."""
        table: list[int] = []
        for value in given:
            if isinstance(value, torch.Tensor):
                table += (value.data_ptr(), value.numel())
            elif isinstance(value, np.ndarray):
                table += (value.ctypes.data, value.size)
            else:
                table.append(value)
        run(address, parts, np.array(table, np.intp))

    return kernel


def bits(value: float) -> int:
    """A number as an entry of a kernel's table."""
    return int(np.float64(value).view(np.int64))


@cache
def _runner() -> Any:
    """The one function with threads: calls that of an address for every part."""
    run: Any = njit(_run, parallel=True, nogil=True)
    run._cache = _disk_cache(run.py_func)
    return run


def _run(address, parts, table):  # type: ignore[no-untyped-def]
    for part in prange(parts):
        _call(address, part, parts, table)


@intrinsic
def _call(typing: Any, address: Any, part: Any, parts: Any, table: Any) -> Any:
    """Call the function at an address for a part."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """The code of the call."""
        address, part, parts, given = arguments
        data = context.make_array(signature.args[3])(context, builder, given).data
        whole = part.type
        kind = ir.FunctionType(ir.VoidType(), [whole, whole, data.type])
        builder.call(builder.inttoptr(address, kind.as_pointer()), [part, parts, data])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, table), generate


@cache
def _array_of(item: Any) -> Any:
    """Function for an array in a table, of items of a type."""
    kind = types.Array(item, 1, "C")

    @intrinsic
    def array(typing: Any, table: Any, order: Any) -> Any:
        """What Numba asks for at a call: the signature and what generates the code."""
        return kind(table, types.intp), _generate

    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """The code that makes an array of its address and size."""
        table, order = arguments
        one, two = (ir.Constant(order.type, value) for value in (1, 2))
        place = builder.mul(order, two)
        address, size = (builder.load(builder.gep(table, [at])) for at in (place, builder.add(place, one)))
        made = context.make_array(kind)(context, builder)
        width = ir.Constant(order.type, item.bitwidth // 8)
        data = builder.inttoptr(address, made.data.type)
        populate_array(made, data=data, shape=[size], strides=[width], itemsize=width, meminfo=None)
        return made._getvalue()

    return array


@cache
def _number_of(double: bool) -> Any:
    """Function for a number in a table, of :py:func:`bits`."""

    @intrinsic
    def number(typing: Any, table: Any, place: Any) -> Any:
        """What Numba asks for at a call: the signature and what generates the code."""
        return (types.float64 if double else types.float32)(table, types.intp), _generate

    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """The code that reads a double, and rounds it where the type is single."""
        table, place = arguments
        value = builder.bitcast(builder.load(builder.gep(table, [place])), ir.DoubleType())
        return value if double else builder.fptrunc(value, ir.FloatType())

    return number


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
