from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.data import Region, roi_region, slice_region
from monai_consingan.errors import ConSinGANError


@st.composite
def regions_and_shapes(draw: st.DrawFn) -> tuple[Region, tuple[int, ...]]:
    """A native-resolution region with an image shape that holds it."""
    axis = draw(st.sampled_from([None, 0, 1, 2]))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=2)))
    start: Any = tuple(draw(st.integers(0, n - 1)) for n in shape)
    stop: Any = tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True))
    size: Any = tuple(b - a for a, b in zip(start, stop, strict=True))
    if axis is None:
        return Region(None, (0,), start, stop, size), shape
    depth = draw(st.integers(1, 6))
    slices = draw(st.lists(st.integers(0, depth - 1), min_size=1, max_size=depth, unique=True))
    spatial = list(shape)
    spatial.insert(axis, depth)
    return Region(axis, tuple(sorted(slices)), start, stop, size), tuple(spatial)


def inside(region: Region, spatial: tuple[int, ...]) -> np.ndarray:
    """The region's voxels, by plain indexing."""
    mask = np.zeros(spatial, dtype=bool)
    box: list[Any] = [slice(a, b) for a, b in zip(region.start, region.stop, strict=True)]
    if region.axis is not None:
        box.insert(region.axis, list(region.slices))
    mask[tuple(box)] = True
    return mask


@settings(max_examples=150, deadline=None)
@given(case=regions_and_shapes(), kind=st.sampled_from(["numpy", "tensor", "meta"]), seed=st.integers(0, 999))
def test_take_and_put_are_inverse(case: tuple[Region, tuple[int, ...]], kind: str, seed: int) -> None:
    region, spatial = case
    rng = np.random.RandomState(seed)
    array = rng.normal(size=(1, *spatial)).astype(np.float32)
    makers: dict[str, Callable[[np.ndarray], Any]] = {
        "numpy": np.array,
        "tensor": torch.tensor,
        "meta": lambda x: MetaTensor(torch.tensor(x)),
    }
    volume = makers[kind](array)
    taken = region.take(volume)
    assert type(taken) is torch.Tensor and tuple(taken.shape) == (len(region.slices), 1, *region.size)
    np.testing.assert_array_equal(np.asarray(region.put(taken, volume)), array)
    new = torch.from_numpy(rng.normal(size=tuple(taken.shape)).astype(np.float32))
    result = region.put(new, volume)
    assert type(result) is type(volume)
    np.testing.assert_array_equal(np.asarray(volume), array)
    assert torch.equal(region.take(result), new)
    outside = ~inside(region, spatial)
    np.testing.assert_array_equal(np.asarray(result)[0][outside], array[0][outside])
    assert not np.any(np.asarray(result)[0][~outside] == array[0][~outside])


def test_rows_and_columns_are_in_stored_order() -> None:
    volume = np.arange(4 * 5 * 6).reshape(1, 4, 5, 6)
    for axis, expected in ((0, volume[0, 2, 1:3, 2:5]), (1, volume[0, 1:3, 2, 2:5]), (2, volume[0, 1:3, 2:5, 2])):
        taken = Region(axis, (2,), (1, 2), (3, 5), (2, 3)).take(volume)
        np.testing.assert_array_equal(np.asarray(taken)[0, 0], expected)


def test_put_keeps_meta_and_integer_types() -> None:
    affine = torch.diag(torch.tensor([2.0, 3, 4, 1], dtype=torch.float64))
    host = MetaTensor(torch.zeros(1, 4, 4, 2, dtype=torch.uint8), affine=affine, meta={"filename_or_obj": "host"})
    slices = MetaTensor(torch.tensor([-5.0, 1.6, 300.0, 7.0]).reshape(1, 1, 2, 2), meta={"filename_or_obj": "other"})
    result: Any = Region(2, (1,), (0, 0), (2, 2), (2, 2)).put(slices, host)
    assert result.dtype == torch.uint8 and result.meta["filename_or_obj"] == "host"
    assert torch.equal(result.affine, affine)
    assert result[0, :2, :2, 1].flatten().tolist() == [0, 2, 255, 7]
    packed = Region(2, (1,), (0, 0), (2, 2), (2, 2)).put(slices, np.zeros((1, 4, 4, 2), dtype=np.uint16))
    assert packed.dtype == np.uint16 and packed[0, :2, :2, 1].ravel().tolist() == [0, 2, 300, 7]


def test_resizing_keeps_smooth_content_and_labels() -> None:
    rows, columns = np.meshgrid(np.linspace(0, 3, 60), np.linspace(0, 3, 80), indexing="ij")
    smooth = (np.sin(rows) * np.cos(columns))[None].astype(np.float32)
    region = Region(None, (0,), (5, 10), (55, 70), (30, 45))
    taken = region.take(smooth)
    assert tuple(taken.shape) == (1, 1, 30, 45) and region.resized
    back = region.put(taken, smooth)
    np.testing.assert_allclose(back, smooth, atol=0.02)
    labels = (smooth > 0.5).astype(np.int16) * 4
    assert set(np.unique(region.take(labels, mode="nearest"))) == {0, 4}
    assert region.take(labels, mode="nearest").dtype == torch.int16


@settings(max_examples=150, deadline=None)
@given(
    plane=st.tuples(st.integers(3, 300), st.integers(3, 300)),
    box=st.tuples(*[st.floats(0, 0.999)] * 4),
    margin=st.integers(0, 20),
    min_side=st.integers(1, 120),
    extra=st.integers(0, 120),
)
def test_roi_holds_the_alteration(
    plane: tuple[int, int], box: tuple[float, ...], margin: int, min_side: int, extra: int
) -> None:
    low = [int(min(box[side], box[side + 2]) * n) for side, n in enumerate(plane)]
    high = [int(max(box[side], box[side + 2]) * n) + 1 for side, n in enumerate(plane)]
    weight = np.zeros((1, *plane, 4), dtype=np.float32)
    weight[0, low[0] : high[0], low[1] : high[1], 1] = 1
    weight[0, low[0], low[1], 3] = 0.01
    max_side = min_side + extra
    region = roi_region(weight, axis=2, margin=margin, min_side=min_side, max_side=max_side)
    assert region.axis == 2 and region.slices == (1, 3)
    for side, n in enumerate(plane):
        assert 0 <= region.start[side] <= max(low[side] - margin, 0)
        assert min(high[side] + margin, n) <= region.stop[side] <= n
        wanted = min(high[side] + margin, n) - max(low[side] - margin, 0)
        assert region.box_size[side] == max(wanted, min(min_side, n))
    assert max(region.size) <= max_side
    if max(region.box_size) <= max_side:
        assert not region.resized
    else:
        shrink = max_side / max(region.box_size)
        assert all(abs(a - b * shrink) <= 0.5 or a == 1 for a, b in zip(region.size, region.box_size, strict=True))


def test_roi_in_2d_and_along_each_axis() -> None:
    weight = np.zeros((1, 20, 30, 40))
    weight[0, 10, 12:14, 20] = 1
    assert roi_region(weight, axis=0, margin=2, min_side=1) == Region(0, (10,), (10, 18), (16, 23), (6, 5))
    assert roi_region(weight, axis=1, margin=2, min_side=1) == Region(1, (12, 13), (8, 18), (13, 23), (5, 5))
    assert roi_region(weight, axis=2, margin=2, min_side=8) == Region(2, (20,), (7, 9), (15, 17), (8, 8))
    flat = roi_region(torch.from_numpy(weight[:, 10]), axis=None, margin=2, min_side=1)
    assert flat == Region(None, (0,), (10, 18), (16, 23), (6, 5))


def test_slice_region_is_the_whole_slice() -> None:
    weight = np.zeros((1, 20, 30, 5))
    weight[0, 3, 4, (1, 4)] = 1
    assert slice_region(weight, axis=2) == Region(2, (1, 4), (0, 0), (20, 30), (250, 250))
    assert slice_region(weight[..., 1], axis=None, side=64) == Region(None, (0,), (0, 0), (20, 30), (64, 64))


def test_as_dict_makes_the_same_region() -> None:
    region = Region(2, (1, 4), (0, 0), (20, 30), (250, 250))
    assert Region(**asdict(region)) == region


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: roi_region(np.zeros((1, 9, 9)), axis=None), "empty"),
        (lambda: roi_region(np.ones((1, 9, 9)), axis=1), "axis 1"),
        (lambda: roi_region(np.ones((1, 9)), axis=None), "axis None"),
        (lambda: slice_region(np.ones((1, 9, 9, 9)), axis=3), "axis 3"),
        (lambda: slice_region(np.ones((2, 9, 9, 9)), axis=0), r"\(2, 9, 9, 9\)"),
        (lambda: roi_region(np.ones((1, 9, 9)), axis=None, min_side=50, max_side=20), "largest side 20"),
        (lambda: slice_region(np.ones((1, 9, 9)), axis=None, side=0), "no pixels"),
        (lambda: Region(2, (), (0, 0), (2, 2), (2, 2)), "no pixels"),
        (lambda: Region(2, (0,), (2, 0), (2, 2), (2, 2)), "no pixels"),
        (lambda: Region(2, (5,), (0, 0), (2, 2), (2, 2)).take(np.ones((1, 3, 3, 3))), "beyond"),
        (lambda: Region(2, (0,), (0, 0), (4, 2), (2, 2)).take(np.ones((1, 3, 3, 3))), "beyond"),
        (lambda: Region(2, (0,), (0, 0), (2, 2), (2, 2)).take(np.ones((1, 3, 3))), "along axis 2"),
        (lambda: Region(2, (0,), (0, 0), (2, 2), (2, 2)).put(np.ones((1, 1, 3, 2)), np.ones((1, 3, 3, 3))), "needs"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        call()
