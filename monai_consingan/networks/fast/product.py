"""The product of matrices that all convolutions come down to, written for the registers of a CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

C = 0
"""Columns of the result; a constant when compiled."""
ROWS = 4
"""Rows of the result at a time."""
_BYTES = 64
"""Size of a vector; where the CPU's are smaller, LLVM takes several."""
_VECTORS = 2
"""Vectors of a row at a time."""


def product(a, row, column, b, y, count, depth):  # type: ignore[no-untyped-def]
    """Add the product of ``a`` and ``b`` (depth, C) to ``y`` (count, C).

    Args:
        a: the element in row r and column k is ``a[r * row + k * column]``.
        row: see ``a``.
        column: see ``a``.
        b: flat.
        y: flat.
        count: rows, a multiple of 4.
        depth: columns of ``a``.
    """
    for r in range(0, count, 4):
        tile(a, r * row, row, column, b, y, r * C, depth)


tile: Any = None


@cache
def tile_of(columns: int) -> Any:
    """Function for ROWS rows of :py:func:`product`, which stay in registers while the sum is taken.

    Returns:
        ``tile(a, first, row, column, b, y, at, depth)``: as in ``product``, for the rows of ``a`` from the element
        ``first`` on and those of ``y`` from the element ``at`` on.
    """

    @intrinsic
    def tile(typing: Any, a: Any, first: Any, row: Any, column: Any, b: Any, y: Any, at: Any, depth: Any) -> Any:
        """What Numba asks for at a call of the function: its signature and what generates its code."""
        size = types.intp
        return types.void(a, size, size, size, b, y, size, size), _generate

    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """The code of a tile: that of its panels, one after the other."""
        given, first, row, column, *more = arguments
        b, y, at, depth = more
        kinds = signature.args
        pointers = [
            context.make_array(kind)(context, builder, array).data
            for kind, array in ((kinds[0], given), (kinds[4], b), (kinds[5], y))
        ]
        a_data, b_data, y_data = pointers
        item = kinds[0].dtype.bitwidth // 8
        scalar = ir.FloatType() if item == 4 else ir.DoubleType()
        a_data = builder.gep(a_data, [first])
        y_data = builder.gep(y_data, [at])
        for begin, lanes in _panels(columns, item):
            _panel(builder, scalar, item, a_data, row, column, b_data, y_data, depth, columns, begin, lanes)
        return context.get_dummy_value()

    return tile


def _panels(columns: int, item: int) -> list[tuple[int, list[int]]]:
    """First column and widths of the vectors of every part of a row that is worked on at a time."""
    widths, left = [], columns
    for lanes in (_BYTES // item, 8, 4, 1):
        widths += [lanes] * (left // lanes)
        left %= lanes
    panels, begin = [], 0
    for k in range(0, len(widths), _VECTORS):
        lanes_of = widths[k : k + _VECTORS]
        panels.append((begin, lanes_of))
        begin += sum(lanes_of)
    return panels


def _panel(
    builder: Any,
    scalar: Any,
    item: int,
    a: Any,
    row: Any,
    column: Any,
    b: Any,
    y: Any,
    depth: Any,
    columns: int,
    begin: int,
    lanes_of: list[int],
) -> None:
    """Some columns of ROWS rows: sums in registers, over all of the depth."""
    whole = depth.type

    def number(value: int) -> Any:
        """A constant of the code."""
        return ir.Constant(whole, value)

    def vector(base: Any, offset: Any, lanes: int) -> Any:
        """Where some values lie side by side."""
        return builder.bitcast(builder.gep(base, [offset]), ir.VectorType(scalar, lanes).as_pointer())

    starts = [begin + sum(lanes_of[:k]) for k in range(len(lanes_of))]
    places = [
        vector(y, number(r * columns + start), lanes)
        for r in range(ROWS)
        for start, lanes in zip(starts, lanes_of, strict=True)
    ]
    sums = []
    for place in places:
        value = builder.load(place)
        value.align = item
        sums.append(value)
    rows = [builder.gep(a, [builder.mul(row, number(r))]) for r in range(ROWS)]
    before = builder.block
    loop, end = builder.append_basic_block("tile"), builder.append_basic_block("tile.end")
    builder.cbranch(builder.icmp_signed(">", depth, number(0)), loop, end)
    builder.position_at_end(loop)
    k = builder.phi(whole)
    k.add_incoming(number(0), before)
    phis = []
    for value in sums:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    factors = []
    for start, lanes in zip(starts, lanes_of, strict=True):
        loaded = builder.load(vector(b, builder.add(builder.mul(k, number(columns)), number(start)), lanes))
        loaded.align = item
        factors.append(loaded)
    offset, results = builder.mul(k, column), []
    for r in range(ROWS):
        value = builder.load(builder.gep(rows[r], [offset]))
        for n, lanes in enumerate(lanes_of):
            kind = ir.VectorType(scalar, lanes)
            spread = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            spread = builder.shuffle_vector(spread, ir.Constant(kind, ir.Undefined), zeros)
            times = builder.fmul(spread, factors[n], flags=("contract",))
            results.append(builder.fadd(phis[r * len(lanes_of) + n], times, flags=("contract",)))
    following = builder.add(k, number(1))
    k.add_incoming(following, loop)
    for phi, result in zip(phis, results, strict=True):
        phi.add_incoming(result, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, end)
    builder.position_at_end(end)
    totals = [builder.phi(value.type) for value in sums]
    for total, value, result, place in zip(totals, sums, results, places, strict=True):
        total.add_incoming(value, before)
        total.add_incoming(result, loop)
        builder.store(total, place).align = item
