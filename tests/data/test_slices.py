from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.data import check_slice, keep_slice, slice_axis, slices_of, thick_slices, work_dims
from monai_consingan.errors import ConSinGANError


def volume(spacing: tuple[float, ...], order: tuple[int, ...] = (0, 1, 2)) -> MetaTensor:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing)[:, order]
    return MetaTensor(torch.zeros(1, 4, 5, 6), affine=torch.as_tensor(affine))


@pytest.mark.parametrize(
    ("spacing", "order", "axis"),
    [
        ((1.0, 1.0, 5.0), (0, 1, 2), 2),
        ((1.0, 1.0, 5.0), (2, 0, 1), 0),
        ((5.0, 1.0, 1.0), (0, 1, 2), 0),
        ((1.0, 1.0, 1.0), (0, 1, 2), 2),
        ((1.0, 1.0, 1.0), (0, 2, 1), 1),
        ((1.0, 1.2, 1.3), (2, 1, 0), 0),
    ],
)
def test_axis_of_thick_slices_or_the_axial_one(spacing: Any, order: Any, axis: int) -> None:
    assert slice_axis(volume(spacing, order), None) == axis


@pytest.mark.parametrize(("thickness", "dims"), [(0.4, 3), (1.0, 3), (2.5, 3), (2.6, 2), (0.39, 2)])
def test_thin_slices_are_worked_on_in_space(thickness: float, dims: int) -> None:
    image = volume((1.0, 1.0, thickness))
    assert (work_dims(image), work_dims(image, 2), work_dims(image, None, 5 - dims)) == (dims, 2, 5 - dims)
    assert bool(thick_slices(image)) == (dims == 2)
    assert work_dims(torch.zeros(1, 4, 5, 6)) == 3 and work_dims(image[..., 0]) == 2


@pytest.mark.parametrize("single", [0, 1, 2])
def test_one_slice_is_worked_on_by_itself(single: int) -> None:
    shape = [5, 6, 7]
    shape[single] = 1
    for image in (
        torch.zeros(2, *shape),
        MetaTensor(torch.zeros(2, *shape), affine=torch.diag(torch.tensor([1.0] * 4))),
    ):
        assert (slice_axis(image), work_dims(image), bool(thick_slices(image))) == (single, 2, True)
        assert slice_axis(image, 2) == 2
        with pytest.raises(ConSinGANError, match="dims is 3, but the image has one slice"):
            work_dims(image, None, 3)


def test_given_axis_is_checked() -> None:
    assert slice_axis(volume((1.0, 1.0, 5.0)), 1) == 1
    for wrong in (-1, 3):
        with pytest.raises(ConSinGANError, match=f"axis is {wrong}, .* 0, 1 and 2"):
            slice_axis(volume((1.0, 1.0, 5.0)), wrong)


def test_pictures_have_no_axis() -> None:
    picture = MetaTensor(torch.zeros(1, 4, 5))
    assert slice_axis(picture, None) is None
    with pytest.raises(ConSinGANError, match="axis is 2, but the image is 2D"):
        slice_axis(picture, 2)
    check_slice(picture, None, 0, "slice")
    with pytest.raises(ConSinGANError, match=r"slice is 1, .* 0 to 0"):
        check_slice(picture, None, 1, "slice")
    assert slices_of(picture, None) == []
    assert slices_of(picture + 1, None) == [0]


def test_slices_are_found_kept_and_checked() -> None:
    label = volume((1.0, 1.0, 5.0))
    label[0, 1, 2, 3] = 4
    label[0, 1, 2, 5] = 2
    assert slices_of(label, 2) == [3, 5]
    assert slices_of(label, 0) == [1]
    kept = keep_slice(label, 2, 5, "donor slice")
    assert isinstance(kept, MetaTensor)
    assert kept.sum() == kept[0, 1, 2, 5] == 2
    assert label.sum() == 6
    with pytest.raises(ConSinGANError, match=r"donor slice is 4, .* give one of 3, 5"):
        keep_slice(label, 2, 4, "donor slice")
    for wrong in (-1, 6):
        with pytest.raises(ConSinGANError, match=f"host slice is {wrong}, .* 0 to 5 along axis 2"):
            check_slice(label, 2, wrong, "host slice")
