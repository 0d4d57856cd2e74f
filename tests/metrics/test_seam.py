from __future__ import annotations

import math

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, expected_seam, level_jump, seam, texture


def square(size: int = 32, start: int = 12, stop: int = 20) -> np.ndarray:
    mask = np.zeros((1, size, size), dtype=np.uint8)
    mask[0, start:stop, start:stop] = 1
    return mask


def ramp(size: int = 32) -> np.ndarray:
    return np.add.outer(np.arange(size), np.arange(size))[None] + 1000.0


def test_smooth_tissue_has_a_seam_of_one() -> None:
    assert seam(ramp(), square()) == 1.0


def test_step_is_measured_in_steps_of_the_tissue() -> None:
    image, mask = ramp(), square()
    image[mask > 0] += 3.0
    # Two sides of the square step by 1 + 3, the two others by |1 - 3|.
    assert seam(image, mask) == pytest.approx((4 + 2) / 2)


def test_agrees_with_counting_pair_by_pair() -> None:
    rng = np.random.RandomState(0)
    image = rng.uniform(50, 100, (1, 14, 15))
    mask = np.zeros((1, 14, 15))
    mask[0, 5:9, 6:9] = 1
    inside = mask[0] > 0
    places = np.argwhere(inside)

    def around(p: tuple[int, int]) -> bool:
        return not inside[p] and np.sqrt(((places - p) ** 2).sum(1).min()) <= 3.0

    border, expected = [], []
    for step in ((1, 0), (0, 1)):
        on_border, in_ring = [], []
        for row in range(14 - step[0]):
            for column in range(15 - step[1]):
                first, second = (row, column), (row + step[0], column + step[1])
                change = abs(image[0][first] - image[0][second])
                if inside[first] != inside[second]:
                    on_border.append(change)
                if around(first) and around(second):
                    in_ring.append(change)
        border += on_border
        expected += [np.mean(in_ring)] * len(on_border)
    assert seam(image, mask, spacing=8 / 3) == pytest.approx(np.sum(border) / np.sum(expected))


@given(gain=st.floats(0.01, 1000.0), spacing=st.floats(0.5, 2.0), seed=st.integers(0, 100))
def test_does_not_depend_on_the_unit_of_intensity(gain: float, spacing: float, seed: int) -> None:
    image = np.random.RandomState(seed).uniform(50, 100, (1, 32, 32))
    assert seam(image * gain, square(), spacing=spacing) == pytest.approx(seam(image, square(), spacing=spacing))


def test_what_a_lesion_brings_along_is_its_seam_there() -> None:
    """In surroundings that are as rough as the donor's it has the seam that it had; in smoother ones a harder one."""
    rng = np.random.RandomState(0)
    donor, mask = rng.normal(500, 5, (1, 64, 64)), square(64, 24, 40)
    donor[mask > 0] += 40
    source = Surroundings(donor, mask)
    for roughness in (5, 1):
        host = rng.normal(500, roughness, donor.shape)
        pasted = Surroundings(np.where(mask > 0, donor, host), mask)
        assert expected_seam(pasted, source) == pytest.approx(seam(pasted), rel=0.15)
        jumps = Surroundings(np.where(mask > 0, donor + 200, host), mask)
        assert seam(jumps) > 3 * expected_seam(jumps, source)


def test_tissue_brings_no_seam_along() -> None:
    """However rough it is: put into smooth tissue it may not show."""
    rng = np.random.RandomState(0)
    donor, host, mask = rng.normal(500, 40, (1, 64, 64)), rng.normal(500, 4, (1, 64, 64)), square(64, 24, 40)
    pasted = Surroundings(np.where(mask > 0, donor, host), mask)
    assert expected_seam(pasted, Surroundings(donor, mask)) < 2 < 6 < seam(pasted)
    nothing_around = Surroundings(donor, mask, exclude=np.ones_like(mask))
    assert expected_seam(pasted, nothing_around) == 1.0


def test_coarse_axis_is_compared_with_itself() -> None:
    image = np.arange(20.0)[None, None, None, :] * 50 + np.arange(20.0)[None, :, None, None] + np.zeros((1, 20, 20, 20))
    mask = np.zeros((1, 20, 20, 20))
    mask[0, 8:12, 8:12, 8:12] = 1
    assert seam(image + 1000, mask, spacing=(1, 1, 5)) == pytest.approx(1.0)


def test_axis_leaves_out_steps_between_slices() -> None:
    image, mask = np.repeat(ramp()[..., None], 5, axis=3), np.zeros((1, 32, 32, 5))
    mask[..., 2] = square()
    image[..., 2] += 500  # the whole slice is brighter: no seam within it
    assert seam(image, mask, axis=2) == pytest.approx(1.0)
    assert seam(image, mask, axis=-1) == seam(image, mask, axis=2)
    assert seam(image, mask) > 2


def test_air_and_excluded_voxels_do_not_count() -> None:
    image, mask = ramp(), square()
    image[:, :, 20:] = 0  # the lesion borders on air on one side
    assert seam(image, mask) == pytest.approx(1.0)
    other = np.zeros_like(mask)
    other[:, :, :12] = 1
    image = ramp()
    image[other > 0] = np.random.RandomState(0).uniform(500, 900, int(other.sum()))
    assert seam(image, mask, exclude=other) == pytest.approx(1.0)
    assert seam(image, mask, tissue=1 - other) == pytest.approx(1.0)
    assert seam(image, mask) != pytest.approx(1.0, abs=0.1)


def test_flat_surroundings() -> None:
    image, mask = np.full((1, 32, 32), 100.0), square()
    assert np.isnan(seam(image, mask))
    image[mask > 0] = 150
    assert seam(image, mask) == float("inf")


def test_no_border_or_no_surroundings_is_not_a_number() -> None:
    assert np.isnan(seam(ramp(), np.ones((1, 32, 32))))
    assert np.isnan(seam(ramp(), square(), exclude=1 - square()))
    rows = 1 - square()
    rows[0, :, ::2] = 1  # no two neighbours are left along the second axis
    assert np.isnan(seam(ramp(), square(), exclude=rows))


def test_spacing_comes_from_the_affine() -> None:
    image = np.random.RandomState(1).uniform(50, 100, (1, 32, 32, 4)).astype(np.float32)
    mask = np.zeros((1, 32, 32, 4))
    mask[..., 1:3] = square()[..., None]
    tensor = MetaTensor(torch.from_numpy(image), affine=torch.diag(torch.tensor([-2.0, 2.0, 4.0, 1.0])))
    assert seam(tensor, mask) == seam(image, mask, spacing=(2, 2, 4))
    assert seam(tensor, mask) != seam(image, mask)


def test_blurring_the_border_of_a_real_paste_lowers_the_seam() -> None:
    image = nib.nifti1.load(example().image).get_fdata()
    label = nib.nifti1.load(example().label).get_fdata()
    mask = label[..., 1] > 0
    host = image[..., 7].copy()
    naive = np.where(mask, image[..., 1] * 1.5, host)
    near = ndimage.binary_dilation(mask, iterations=3)
    soft = np.where(near, ndimage.gaussian_filter(naive, 1.5), naive)
    naive_seam, soft_seam = (seam(picture[None], mask[None], spacing=0.78) for picture in (naive, soft))
    assert soft_seam < 0.7 * naive_seam


@pytest.mark.parametrize(
    ("image", "mask", "options", "message"),
    [
        (np.ones((32, 32)), np.ones((1, 32, 32)), {}, r"image has shape \(32, 32\)"),
        (np.ones((0, 32, 32)), np.ones((1, 32, 32)), {}, r"image has shape \(0, 32, 32\)"),
        (np.ones((1, 32, 32)), np.ones((1, 32, 31)), {}, r"mask has the spatial shape \(32, 31\)"),
        (np.ones((1, 32, 32)), np.zeros((1, 32, 32)), {}, "mask is empty"),
        (np.ones((1, 32, 32)), np.ones((1, 32, 32)), {"spacing": -1}, "spacing -1"),
        (np.ones((1, 32, 32, 4)), np.ones((1, 32, 32, 4)), {"axis": 3}, "axis 3"),
    ],
)
def test_errors_name_what_is_wrong(image: np.ndarray, mask: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        seam(image, mask, **options)


def tissue(seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(100, 5, (1, 40, 40, 20))


MASK = np.zeros((1, 40, 40, 20))
MASK[0, 12:28, 12:28, 4:16] = 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_bands_are_found_along_their_axis_only(axis: int) -> None:
    image = tissue()
    bands = np.moveaxis(image, 1 + axis, -1)
    bands[..., ::2] += 5 * np.moveaxis(MASK, 1 + axis, -1)[..., ::2]
    found = [level_jump(image, MASK, along=along) for along in range(3)]
    assert found.pop(axis) > 2 * max(found)


def test_gain_offset_and_slopes_do_not_matter() -> None:
    image = tissue()
    slope = np.arange(20.0) * 7
    for along in range(3):
        found = level_jump(image, MASK, along=along)
        assert level_jump(3 * image + 500, MASK, along=along) == pytest.approx(found)
        assert level_jump(image + slope, MASK, along=along) == pytest.approx(found)


def test_what_has_no_three_slices_is_not_measurable() -> None:
    assert math.isnan(level_jump(tissue(), np.where(np.arange(20) < 6, MASK, 0), along=2))
    assert math.isnan(level_jump(tissue()[..., :2], MASK[..., 4:6], along=2))


def test_even_surroundings() -> None:
    flat = np.full((1, 40, 40, 20), 7.0)
    assert math.isnan(level_jump(flat, MASK, along=2))
    flat[..., ::2] += MASK[..., ::2]
    assert level_jump(flat, MASK, along=2) == math.inf


def large_square(start: int = 20, stop: int = 44) -> np.ndarray:
    mask = np.zeros((1, 64, 64), dtype=np.uint8)
    mask[0, start:stop, start:stop] = 1
    return mask


def checkerboard() -> np.ndarray:
    return (-1.0) ** np.add.outer(np.arange(64), np.arange(64))[None]


def test_the_same_pattern_on_both_sides_is_one() -> None:
    # Far from the border, so that both sides have the same neighbourhoods.
    mask, ring = large_square(), large_square(10, 54)
    image = 100 + checkerboard()
    assert texture(image, mask) == pytest.approx(1.0, rel=0.05)
    assert texture(image, mask, exclude=ring - mask, spacing=0.6) == pytest.approx(1.0, rel=0.05)


@given(factor=st.floats(0.0, 4.0), step=st.floats(-50.0, 200.0))
def test_energy_grows_with_the_square_and_a_step_is_no_texture(factor: float, step: float) -> None:
    rng = np.random.RandomState(0)
    image = rng.normal(0.0, 5.0, (1, 64, 64))
    mask = large_square()
    changed = np.where(mask > 0, factor * image + step, image) + 1000.0
    assert texture(changed, mask) == pytest.approx(factor**2 * texture(image + 1000.0, mask), rel=1e-6, abs=1e-9)


def test_agrees_with_means_of_the_same_side_taken_voxel_by_voxel() -> None:
    rng = np.random.RandomState(1)
    image = rng.uniform(50, 100, (1, 18, 17))
    mask = np.zeros((1, 18, 17))
    mask[0, 6:11, 7:11] = 1
    inside = mask[0] > 0
    near = (ndimage.distance_transform_edt(~inside) <= 3) & ~inside
    places = np.argwhere(np.ones_like(inside))

    def energy(side: np.ndarray, where: np.ndarray) -> float:
        found = []
        for place in np.argwhere(where):
            offset = places - place
            weight = np.exp(-0.5 * (offset**2).sum(1)) * (np.abs(offset).max(1) <= 3) * side.ravel()
            found.append((image[0][tuple(place)] - (weight * image.ravel()).sum() / weight.sum()) ** 2)
        return float(np.mean(found))

    expected = energy(inside, inside) / energy(~inside, near)
    assert texture(image, mask, spacing=8 / 3) == pytest.approx(expected)


def test_blurred_is_smoother_and_rougher_is_rougher() -> None:
    image, mask = np.random.RandomState(0).normal(100, 5, (1, 64, 64)), large_square()
    blurred = np.where(mask > 0, ndimage.gaussian_filter(image, (0, 1, 1)), image)
    assert texture(blurred, mask) < 0.1
    assert texture(np.where(mask > 0, 100 + 2 * (image - 100), image), mask) > 3.5


def test_axis_leaves_out_what_changes_between_slices() -> None:
    volume, mask = np.repeat((100 + checkerboard())[..., None], 5, axis=3), np.zeros((1, 64, 64, 5))
    volume += np.array([0.0, 30.0, 0.0, 30.0, 0.0])
    mask[..., 2] = large_square()
    flat = texture(volume[..., 2], mask[..., 2])
    assert texture(volume, mask, axis=2) == pytest.approx(flat)
    assert texture(volume, mask) != pytest.approx(flat, rel=0.01)


def test_flat_tissue_and_no_tissue() -> None:
    mask = large_square()
    rough = np.where(mask > 0, checkerboard(), 0.0) + 100.0
    assert texture(rough, mask) == np.inf
    assert np.isnan(texture(np.full((1, 64, 64), 100.0), mask))
    assert np.isnan(texture(rough, mask, exclude=1 - mask))


def test_needs_a_mask() -> None:
    with pytest.raises(ConSinGANError, match="empty"):
        texture(100 + checkerboard(), np.zeros((1, 64, 64)))
