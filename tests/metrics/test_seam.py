from __future__ import annotations

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
from monai_consingan.metrics import seam


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
