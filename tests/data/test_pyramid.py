from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.data import image_pyramid, stage_sizes
from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError

GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures" / "golden" / "pyramid_sizes.json").read_text())


def arguments(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "image_size": row["image"],
        "min_size": row["min_size"],
        "max_size": row["max_size"],
        "num_stages": row["stages"],
        "task": row["mode"],
    }


def full_size(row: dict[str, Any]) -> list[int]:
    shrink = min(row["max_size"] / max(row["image"]), 1)
    return [math.ceil(side * shrink) for side in row["image"]]


def test_golden_file_is_whole() -> None:
    refused = sum(row["min_size"] > min(full_size(row)) for row in GOLDEN)
    divided_by_zero = sum(isinstance(row["sizes"], str) for row in GOLDEN)
    assert (len(GOLDEN), divided_by_zero) == (216, 18)
    assert 0 < refused < len(GOLDEN) / 2


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: "-".join(str(row[key]) for key in list(row)[:-1]))
def test_golden(row: dict[str, Any]) -> None:
    full = full_size(row)
    if row["min_size"] > min(full):
        with pytest.raises(ConSinGANError, match=f"min size is {row['min_size']} .* at most {min(full)}"):
            stage_sizes(**arguments(row))
    elif isinstance(row["sizes"], str):  # two stages in the log rule: the limit
        ratio = row["min_size"] / min(full)
        assert stage_sizes(**arguments(row)) == [tuple(math.ceil(side * ratio) for side in full), tuple(full)]
    else:
        assert stage_sizes(**arguments(row)) == [tuple(size) for size in row["sizes"]]


@given(
    image=st.lists(st.integers(20, 400), min_size=2, max_size=3),
    fraction=st.floats(0.05, 1),
    stages=st.integers(2, 9),
    task=st.sampled_from(["harmonization", "editing"]),
)
def test_sizes_grow_from_min_size_to_the_image(image: list[int], fraction: float, stages: int, task: str) -> None:
    min_size = max(1, int(fraction * min(image)))
    sizes = stage_sizes(image, min_size=min_size, max_size=max(image), num_stages=stages, task=task)
    assert len(sizes) == stages
    assert sizes[-1] == tuple(image)
    assert min_size <= min(sizes[0]) <= min_size + 1
    for lower, upper in pairwise(sizes):
        assert all(a <= b for a, b in zip(lower, upper, strict=True))


def test_log_rule_has_more_stages_at_low_resolution() -> None:
    geometric, log = (
        stage_sizes((250, 250), min_size=25, max_size=250, num_stages=6, task=task)
        for task in ("harmonization", "generation")
    )
    assert log[0] == geometric[0] and log[-1] == geometric[-1]
    assert all(ours < theirs for ours, theirs in zip(log[1:-2], geometric[1:-2], strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_stages": 1}, "stages is 1, but a pyramid needs at least 2"),
        ({"num_stages": -3}, "stages is -3"),
        ({"min_size": 0}, "min size 0"),
        ({"max_size": 0}, "max size 0"),
        ({"image_size": (0, 30)}, r"image size \(0, 30\)"),
        ({"min_size": 31}, "min size is 31 pixels.*at most 30"),
        ({"max_size": 20}, r"min size is 20 pixels.*full size \(20, 15\) is 15"),
        ({"task": "painting"}, "task is 'painting'"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"image_size": (40, 30), "min_size": 20, "max_size": 250, "num_stages": 3}
    with pytest.raises(ConSinGANError, match=message):
        stage_sizes(**{**settings, "task": "editing", **changes})


@given(size=st.lists(st.integers(4, 24), min_size=2, max_size=3), value=st.floats(-1, 1, width=32))
def test_resize_keeps_a_constant(size: list[int], value: float) -> None:
    images = torch.full((2, 1, *[16] * len(size)), value)
    resized = resize(images, size)
    assert type(resized) is torch.Tensor
    assert resized.shape == (2, 1, *size)
    torch.testing.assert_close(resized, torch.full_like(resized, value), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(12, 10), (8, 9, 7)])
def test_resize_to_the_same_size_is_the_same_tensor(size: tuple[int, ...]) -> None:
    images = torch.rand(1, 1, *size)
    assert resize(images, size) is images


@pytest.mark.parametrize("dims", [2, 3])
def test_resize_does_not_alias(dims: int) -> None:
    grid = torch.meshgrid(*[torch.arange(24)] * dims, indexing="ij")
    checkerboard = (sum(grid, torch.zeros(())) % 2 * 2 - 1)[None, None]
    small = resize(checkerboard, [7] * dims)
    inner = small[0, 0, 1:-1, 1:-1]
    inner = inner if dims == 2 else inner[..., 1:-1]
    assert inner.abs().max() < 0.15


def test_resize_in_2d_is_the_keys_bicubic_of_a_ramp() -> None:
    ramp = torch.arange(32.0).reshape(1, 1, 1, 32).expand(1, 1, 32, 32)
    small = resize(ramp, (16, 16))
    torch.testing.assert_close(small[0, 0, 8, 3:-3], torch.arange(16.0)[3:-3] * 2 + 0.5)


def test_resize_in_3d_is_that_in_2d_along_every_axis() -> None:
    plane = torch.rand(2, 1, 18, 16, generator=torch.Generator().manual_seed(0))
    expected = resize(plane, (9, 11))
    for axis, size in ((2, (7, 9, 11)), (3, (9, 7, 11)), (4, (9, 11, 7))):
        volume = plane.unsqueeze(axis).repeat_interleave(12, dim=axis)
        resized = resize(volume, size)
        assert resized.shape == (2, 1, *size)
        torch.testing.assert_close(resized, expected.unsqueeze(axis).expand_as(resized), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_pyramid(dims: int) -> None:
    size = (24, 20, 18)[:dims]
    images = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sizes = [tuple(side // 2 for side in size), tuple(side - 4 for side in size), size]
    pyramid = image_pyramid(images, sizes)
    assert [tuple(level.shape[2:]) for level in pyramid] == sizes
    assert torch.equal(pyramid[-1], images)
    for level in pyramid:
        assert type(level) is torch.Tensor
        assert level.min() >= -1 and level.max() <= 1
    for index in range(2):  # every image on its own
        assert torch.equal(pyramid[0][index : index + 1], image_pyramid(images[index : index + 1], sizes)[0])


@pytest.mark.parametrize("dims", [2, 3])
def test_overshoot_is_clipped_and_nothing_is_rounded(dims: int) -> None:
    step = torch.ones(1, 1, *[40] * dims)
    step[..., :20] = -1
    assert resize(step, [25] * dims).max() > 1
    coarse, _ = image_pyramid(step, [[25] * dims, [40] * dims])
    assert coarse.max() == 1
    eight_bits = (coarse + 1) * 127.5
    assert (eight_bits - eight_bits.round()).abs().max() > 0.1


def test_pyramid_of_a_meta_tensor_in_3d() -> None:
    images = torch.rand(1, 1, 12, 10, 8)
    expected = image_pyramid(images, [(6, 5, 4), (12, 10, 8)])
    for ours, theirs in zip(image_pyramid(MetaTensor(images), [(6, 5, 4), (12, 10, 8)]), expected, strict=True):
        assert torch.equal(torch.as_tensor(ours).as_subclass(torch.Tensor), theirs)
