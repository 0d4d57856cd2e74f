from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.restoration import inpaint_biharmonic

from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.removal.biharmonic import biharmonic
from monai_consingan.transforms.removal.remove import RemoveLesion


def test_agrees_with_scikit_image():
    image = gaussian_filter(np.random.RandomState(0).rand(24, 20), 3)
    mask = np.zeros((24, 20), bool)
    mask[8:13, 9:13] = mask[15, 3:6] = True
    np.testing.assert_allclose(biharmonic(image, mask), inpaint_biharmonic(image, mask), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e4), shift=st.floats(-1e4, 1e4), slope=st.floats(-1, 1))
def test_planes_are_restored_in_any_units(scale, shift, slope):
    rows, cols = np.mgrid[:20, :18]
    image = scale * (rows + slope * cols) + shift
    mask = np.zeros(image.shape)
    mask[7:12, 6:11] = 1
    result = biharmonic(np.where(mask, 1e9, image), mask)
    np.testing.assert_allclose(result, image, atol=1e-5 * scale + 1e-9 * abs(shift))


def test_known_values_are_kept_exactly_and_masked_ones_do_not_matter():
    image = np.random.RandomState(1).normal(size=(16, 16)).astype(np.float32)
    mask = np.zeros((16, 16), int)
    mask[5:9, 5:9] = 1
    result = biharmonic(image, mask)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result[mask == 0], image[mask == 0].astype(float))
    np.testing.assert_array_equal(result, biharmonic(np.where(mask, np.nan, image), torch.from_numpy(mask)))
    assert result.min() >= image.min() and result.max() <= image.max()


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_slices_do_not_reach_each_other(axis):
    image = np.random.RandomState(2).rand(12, 12, 12)
    mask = np.zeros(image.shape, bool)
    mask[4:8, 4:8, 4:8] = True
    result = np.moveaxis(biharmonic(image, mask, axis=axis), axis, 0)
    planes, masks = np.moveaxis(image, axis, 0), np.moveaxis(mask, axis, 0)
    for plane, plane_mask, filled in zip(planes, masks, result, strict=True):
        np.testing.assert_array_equal(filled, biharmonic(plane, plane_mask))


def test_in_space():
    grid = np.sum(np.mgrid[:10, :9, :8], axis=0).astype(float)
    mask = np.zeros(grid.shape)
    mask[4:6, 4:6, 3:5] = 1
    np.testing.assert_allclose(biharmonic(np.where(mask, 0, grid), mask), grid, atol=1e-6)


def test_empty_mask_and_constant_surroundings():
    image = np.full((9, 9), 7.0)
    np.testing.assert_array_equal(biharmonic(image, np.zeros((9, 9))), image)
    mask = np.zeros((9, 9))
    mask[3:5, 3:5] = 1
    np.testing.assert_array_equal(biharmonic(np.where(mask, 0, image), mask), image)


def test_everything_masked():
    for axis in (2, None):
        with pytest.raises(NoPlaceError, match="nothing to fill it from"):
            biharmonic(np.ones((6, 6, 3)), np.ones((6, 6, 3)), axis=axis)


def test_bad_input():
    with pytest.raises(ConSinGANError, match=r"\(4, 5\).*\(5, 4\)"):
        biharmonic(np.ones((5, 4)), np.ones((4, 5)))
    with pytest.raises(ConSinGANError, match="axis 3"):
        biharmonic(np.ones((5, 4)), np.ones((5, 4)), axis=3)
    image, mask = np.ones((8, 8)), np.zeros((8, 8))
    image[2, 2], mask[3, 3] = np.nan, 1
    with pytest.raises(ConSinGANError, match="NaN"):
        biharmonic(image, mask)


@pytest.mark.parametrize("axis", [0, None])
def test_air_beside_the_mask_has_no_say(axis: int | None) -> None:
    image = np.full((3, 20, 20), 100.0) + np.arange(20.0)
    image[:, :6] = 0  # air
    mask = np.zeros(image.shape)
    mask[:, 6:12, 5:12] = 1
    filled = biharmonic(image, mask, axis=axis, valid=image > 0)
    assert filled[mask > 0].min() > 95
    np.testing.assert_array_equal(filled[mask == 0], image[mask == 0])
    assert biharmonic(image, mask, axis=axis)[mask > 0].min() < 60  # as it would be without


def test_lesion_at_the_surface_is_not_filled_with_air() -> None:
    image = np.zeros((1, 60, 60), np.float32)
    rows, columns = np.mgrid[:60, :60] - 30.0
    brain = np.hypot(rows, columns) < 25
    image[0, brain] = 100 + np.random.default_rng(0).normal(0, 3, int(brain.sum()))
    label = (brain & (np.hypot(rows + 20, columns) < 7))[None].astype(np.uint8)
    removed = RemoveLesion(("biharmonic",))(image, label)
    assert removed.image[0][brain].min() > 70


def test_a_slice_of_nothing_but_the_mask_is_filled_from_its_neighbours() -> None:
    image = np.full((3, 12, 12), 50.0)
    mask = np.zeros(image.shape)
    mask[0], mask[1, 4:8, 4:8] = 1, 1
    image[mask > 0] = 200
    np.testing.assert_allclose(biharmonic(image, mask, axis=0), 50, atol=1e-6)


def test_a_large_mask_in_space_is_filled_alike_in_all_directions() -> None:
    rows, columns, slices = np.mgrid[:40, :40, :40] - 20.0
    image = 100 + 2 * rows - columns + 0.5 * slices
    mask = np.sqrt(rows**2 + columns**2 + slices**2) < 13  # more voxels than are solved at once
    filled = biharmonic(np.where(mask, 300, image), mask)
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    assert np.abs(filled - image)[mask].max() < 2  # a slope goes on
    jumps = [np.abs(np.diff(filled - image, axis=axis)).max() for axis in range(3)]
    assert max(jumps) < 1


def test_a_large_mask_is_filled_within_the_range_of_what_is_around() -> None:
    """Only voxels right beside the mask are bright, and all on one side of it."""
    mask = np.zeros((40, 40, 40), bool)
    mask[10:30, 10:30, 10:30] = True  # more voxels than are solved at once
    image = np.zeros(mask.shape)
    image[9:31, 9:31, 9:31] = image[31:] = 1
    filled = biharmonic(np.where(mask, -5, image), mask)
    assert filled[mask].min() >= 0 and filled[mask].max() <= 1


@pytest.mark.parametrize("axis", [None, 2])
def test_a_smeared_lesion_does_not_come_back(axis):
    """What a lesion's edge smears beyond the mask is a slope that must not go on to a hill as high as the lesion."""
    noise = np.random.RandomState(0).normal(100, 3, (48, 48, 3))
    x, y = np.ogrid[:48, :48]
    away = np.hypot(x - 23.5, y - 23.5)[..., None]
    image = noise + 100 / (1 + np.exp((away - 12) / 1.0))
    mask = np.broadcast_to(away < 15, image.shape)
    for part, where, along in ((image, mask, axis), (image[..., 1], mask[..., 1], None)):
        filled = biharmonic(part, where, axis=along)
        assert filled[where].max() < 112 and filled[where].mean() == pytest.approx(100, abs=6)
