from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Where, changed_outside, measure_change, measure_new_lesion, seam, tissue_levels
from monai_consingan.metrics.surroundings import reach_in_voxels

from .conftest import LESION, banded, box, tissue


def test_a_lesion_in_air_does_not_pass() -> None:
    at_edge = box((0, 8), (20, 28), (1, 5))
    found = measure_change(tissue(), tissue(), at_edge, Where(2))
    assert found["in_tissue"] == pytest.approx(0.5)


def test_a_void_that_was_filled_lies_in_tissue() -> None:
    voided = np.where(LESION > 0, 0, tissue())
    voided[:, :22, 24, 3] = 0  # a way in from outside
    assert measure_change(tissue(), voided, LESION, Where(2), lesion=LESION)["in_tissue"] == 1
    at_edge = box((0, 8), (20, 28), (1, 5))
    assert measure_change(tissue(), tissue(), at_edge, Where(2), lesion=at_edge)["in_tissue"] == pytest.approx(0.5)


def test_seam_across_slices_is_that_of_the_faces() -> None:
    image = tissue()
    stepped = np.where(np.indices(image.shape)[3] > 2, image + 30, image)
    lower = box((20, 28), (20, 28), (0, 3))
    assert seam(stepped, lower, axis=2) == pytest.approx(seam(image, lower, axis=2))
    assert seam(stepped, lower, along=2) == pytest.approx(
        np.abs(np.diff(stepped[0, 20:28, 20:28, 2:4], axis=-1)).mean() / _steps_around(stepped, lower), rel=1e-9
    )
    assert math.isnan(measure_change(image, image, box((20, 28), (20, 28), (2, 3)), Where(2))["seam_through"])


def _steps_around(image: np.ndarray, mask: np.ndarray) -> float:
    """Mean step across the slices between voxels of the ring of 8 mm, pair by pair."""
    places = np.argwhere(mask[0] > 0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mask.shape[1:]), indexing="ij"), -1)
    near = np.sqrt(((grid[..., None, :] - places) ** 2).sum(-1).min(-1)) <= 8
    ring = near & (mask[0] == 0) & (image[0] > 50)
    both = ring[..., 1:] & ring[..., :-1]
    return float(np.abs(np.diff(image[0], axis=-1))[both].mean())


def test_levels_of_thick_slices_are_not_compared() -> None:
    thick = MetaTensor(torch.from_numpy(banded(tissue())), affine=torch.diag(torch.tensor([1.0, 1.0, 6.0, 1.0])))
    found = measure_change(thick, thick, LESION)
    assert math.isnan(found["level_jump"]) and math.isnan(found["level_jump_through"])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_new_lesion_is_measured_in_its_surroundings_alone(dims: int) -> None:
    rng = np.random.default_rng(0)
    host = np.zeros((1, 60, 60, 60), np.float32)
    host[:, 4:56, 4:56, 4:56] = 100 + rng.normal(0, 5, (1, 52, 52, 52))
    lesion = np.zeros(host.shape, bool)
    lesion[:, 24:31, 22:30, 26:32] = True
    result = np.where(lesion, host + 40, host)
    result[0, 21:24, 22:30, 26:32] = 0  # black beside it
    others = np.zeros(host.shape, bool)
    others[:, 33:36, 22:30, 26:32] = True
    levels, head = tissue_levels(host), host[0] > 0
    reach = reach_in_voxels((1.0, 1.0, 1.0))
    near = tuple(
        slice(low - more, high + more) for low, high, more in zip((21, 22, 26), (31, 30, 32), reach, strict=True)
    )

    def measured(part: tuple[slice, ...]) -> dict[str, float]:
        """The measures in a part."""
        channel = (slice(None), *part)
        where = Where(2, dims, 0, others[channel], levels)
        given = (result[channel], host[channel], lesion[channel], where)
        return measure_new_lesion(*given, part=lesion[channel][0], donor_cnr=8.0, head=head[part])

    assert measured(near) == measured((slice(None),) * 3)
    assert measured(near)["black_gained"] > 0


@given(
    changed=st.sets(st.integers(0, 63), max_size=20),
    allowed=st.sets(st.integers(0, 63), max_size=40),
)
def test_counts_changes_where_the_weight_is_zero(changed: set[int], allowed: set[int]) -> None:
    before = np.arange(64, dtype=np.int16).reshape(1, 4, 4, 4)
    after, weight = before.copy(), np.zeros((1, 4, 4, 4), dtype=np.float32)
    after.ravel()[list(changed)] += 1
    weight.ravel()[list(allowed)] = 1e-6
    assert changed_outside(before, after, weight) == len(changed - allowed)
    tensors = (torch.from_numpy(before), MetaTensor(torch.from_numpy(after)), torch.from_numpy(weight))
    assert changed_outside(*tensors) == len(changed - allowed)


def test_smallest_change_counts_and_nan_equals_nan() -> None:
    before = np.array([[1.0, np.nan, np.nan, 4.0]])
    after = np.array([[np.nextafter(1.0, 2.0), np.nan, 3.0, 4.0]])
    assert changed_outside(before, after, np.zeros((1, 4))) == 2


def test_shapes_must_agree() -> None:
    with pytest.raises(ConSinGANError, match=r"\(1, 3\)"):
        changed_outside(np.zeros((1, 4)), np.zeros((1, 4)), np.zeros((1, 3)))
