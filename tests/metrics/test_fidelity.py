from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import (
    LesionMeasures,
    Surroundings,
    contrast,
    contrast_to_noise,
    half_maximum_size,
    kept,
    measure_lesion,
    rim_core_difference,
)
from monai_consingan.metrics.fidelity import contrast_kept


def lesion(value: float = 150.0, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    image, mask = np.full((1, size, size), 100.0), np.zeros((1, size, size), dtype=np.uint8)
    mask[0, 16:24, 14:26] = 1
    image[mask > 0] = value
    return image, mask


@given(value=st.floats(20.0, 300.0), gain=st.floats(0.01, 100.0))
def test_weber_contrast_whatever_the_gain(value: float, gain: float) -> None:
    image, mask = lesion(value)
    assert contrast(image * gain, mask) == pytest.approx((value - 100) / 100)


@given(seed=st.integers(0, 99), gain=st.floats(0.01, 100.0), level=st.floats(-1e3, 1e3), above=st.floats(-9.0, 9.0))
def test_contrast_in_units_of_noise_whatever_gain_and_level(seed: int, gain: float, level: float, above: float) -> None:
    image, mask = lesion()
    image[:] = np.random.default_rng(seed).normal(0, 1, image.shape)
    image[mask > 0] += above
    expected = contrast_to_noise(image, mask)
    assert expected == pytest.approx(above, abs=0.6 + 0.25 * abs(above))
    tissue = np.ones_like(mask)
    assert contrast_to_noise(image * gain + level, mask, tissue=tissue) == pytest.approx(
        contrast_to_noise(image, mask, tissue=tissue), abs=1e-6
    )


def test_a_vessel_in_the_ring_is_no_noise() -> None:
    image, mask = lesion()
    image += np.random.default_rng(0).normal(0, 10, image.shape)
    without = contrast_to_noise(image, mask)
    image[0, 18:22, 29:31] = 900
    assert contrast_to_noise(image, mask) == pytest.approx(without, rel=0.1)


def test_contrast_to_noise_of_a_part() -> None:
    image, mask = lesion()
    image += np.random.default_rng(0).normal(0, 10, image.shape)
    rim = (mask[0] > 0) & (np.arange(40) < 18)
    image[0][rim] = 50
    case = Surroundings(image, mask)
    assert contrast_to_noise(case, part=rim) < -4 < 4 < contrast_to_noise(case, part=(mask[0] > 0) & ~rim)
    image, mask = lesion()
    assert contrast_to_noise(image, mask) == np.inf
    assert np.isnan(contrast_to_noise(*lesion(100.0)))
    with pytest.raises(ConSinGANError, match="No tissue lies between"):
        contrast_to_noise(image, mask, exclude=1 - mask)


def test_ring_begins_and_ends_where_told() -> None:
    image, mask = lesion()
    image[0, 16:24, 26:28] = 500  # within 2 mm: partial volume, must not count
    assert contrast(image, mask) == pytest.approx(0.5)
    image[0, 16:24, 36] = 500  # 11 mm away
    assert contrast(image, mask) == pytest.approx(0.5)
    assert contrast(image, mask, spacing=0.5) < 0.5


def test_other_lesions_and_air_do_not_count() -> None:
    image, mask = lesion()
    image[0, :, 29:33], other = 900, np.zeros_like(mask)
    other[0, :, 29:33] = 2
    assert contrast(image, mask) < 0
    assert contrast(image, mask, exclude=other) == pytest.approx(0.5)
    assert contrast(image, mask, tissue=1 - other / 2) == pytest.approx(0.5)
    image[0, :, 29:] = 3  # air
    assert contrast(image, mask) == pytest.approx(0.5)


def test_axis_keeps_the_ring_in_its_slices() -> None:
    plane, plane_mask = lesion()
    image, mask = np.repeat(plane[..., None], 5, axis=3), np.zeros((1, 40, 40, 5))
    mask[..., 2] = plane_mask
    image[..., [0, 1, 3, 4]] = 400
    assert contrast(image, mask, axis=2) == pytest.approx(0.5)
    assert contrast(image, mask, axis=-1) == pytest.approx(0.5)
    assert contrast(image, mask) < 0


def test_spacing_comes_from_the_affine() -> None:
    image, mask = lesion()
    image += np.arange(40)[None, :, None]
    image[0, 5:10] += 80
    tensor = MetaTensor(torch.from_numpy(image), affine=torch.diag(torch.tensor([2.0, 2.0, 1.0, 1.0])))
    assert contrast(tensor, mask) == contrast(image, mask, spacing=2.0) != contrast(image, mask)


def test_kept_is_a_share_of_the_donor() -> None:
    (donor, mask), (result, _) = lesion(150), lesion(140)
    assert kept(contrast(result * 7, mask), contrast(donor, mask)) == pytest.approx(0.8)
    assert kept(contrast(lesion(90)[0], mask), contrast(donor, mask)) == pytest.approx(-0.2)
    assert np.isnan(kept(0.4, 0.0))


def test_nothing_to_compare_with_is_an_error() -> None:
    image, mask = lesion()
    with pytest.raises(ConSinGANError, match="No tissue lies between 2 and 8 mm"):
        contrast(image * mask, mask)
    with pytest.raises(ConSinGANError, match="mean intensity -1"):
        contrast(image / 100 - 2, mask, tissue=np.ones_like(mask))
    with pytest.raises(ConSinGANError, match="exclude has the spatial shape"):
        contrast(image, mask, exclude=mask[:, 1:])


@given(gain=st.floats(0.01, 100.0), level=st.floats(-1e3, 1e3), share=st.floats(0.2, 2.0))
def test_what_is_kept_of_a_contrast_whatever_gain_and_level(gain: float, level: float, share: float) -> None:
    donor, mask = lesion()
    donor += np.random.default_rng(0).normal(0, 5, donor.shape)
    result = donor + (share - 1) * 50 * mask
    where = {"tissue": np.ones_like(mask)}
    cases = [Surroundings(image * gain + level, mask, **where) for image in (result, donor)]
    assert contrast_kept(*cases) == pytest.approx(share, abs=0.03)


def test_what_is_kept_after_a_z_score_is_measured_in_units_of_noise() -> None:
    donor, mask = lesion()
    donor += np.random.default_rng(0).normal(0, 5, donor.shape)
    scores = (donor - donor.mean()) / donor.std()
    with pytest.raises(ConSinGANError, match="before it was normalised"):
        contrast(scores + 0.3, mask)  # tissue around is above 0 by chance
    cases = [Surroundings(image, mask, tissue=np.ones_like(mask)) for image in (scores + 0.3, scores, 1 + donor)]
    assert [contrast_kept(case, other) for case in cases for other in cases] == pytest.approx([1.0] * 9)


def enhancing_ring(rim: float = 180.0, core: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    """A square of 9 x 9 with a core of 5 x 5 in tissue of 100."""
    image, mask = np.full((1, 40, 40), 100.0), np.zeros((1, 40, 40), dtype=np.uint8)
    mask[0, 15:24, 15:24] = 1
    image[mask > 0] = rim
    image[0, 17:22, 17:22] = core
    return image, mask


def diameter(voxels: float) -> float:
    return float(2 * np.sqrt(voxels / np.pi))


@given(rim=st.floats(20.0, 300.0), core=st.floats(20.0, 300.0), gain=st.floats(0.01, 100.0))
def test_rim_against_core(rim: float, core: float, gain: float) -> None:
    image, mask = enhancing_ring(rim, core)
    assert rim_core_difference(image * gain, mask) == pytest.approx((rim - core) / 100, abs=1e-9)


def test_each_lesion_has_its_own_core() -> None:
    image, mask = enhancing_ring()
    mask[0, 30:35, 30:35] = 1  # 5 x 5: its core is 3 x 3
    image[0, 30:35, 30:35], image[0, 31:34, 31:34] = 180, 80
    assert rim_core_difference(image, mask) == pytest.approx(1.0)


def test_depth_is_measured_in_slices() -> None:
    plane, plane_mask = enhancing_ring()
    image, mask = np.repeat(plane[..., None], 3, axis=3), np.repeat(plane_mask[..., None], 3, axis=3)
    mask[..., [0, 2]] = 0
    assert rim_core_difference(image, mask, axis=2) == pytest.approx(1.0)
    assert np.isnan(rim_core_difference(image, mask))  # one slice has no depth in space


def test_lesion_of_one_voxel_has_no_core() -> None:
    image, mask = np.full((1, 30, 30), 100.0), np.zeros((1, 30, 30))
    mask[0, 15, 15], image[0, 15, 15] = 1, 200
    assert np.isnan(rim_core_difference(image, mask))
    assert half_maximum_size(image, mask) == pytest.approx(diameter(1))


def test_necrotic_core_belongs_to_the_lesion() -> None:
    image, mask = enhancing_ring(rim=200, core=60)
    assert half_maximum_size(image, mask) == pytest.approx(diameter(81))
    assert half_maximum_size(image, mask, spacing=0.5) == pytest.approx(diameter(81) / 2)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_gap_in_the_rim_does_not_decide_whether_the_core_counts(dims: int) -> None:
    side = (slice(15, 24),) * dims
    image, mask = np.full((1, *(40,) * dims), 100.0), np.zeros((1, *(40,) * dims))
    mask[0][side] = 1
    image[0][side] = 200.0
    image[0][(slice(17, 22),) * dims] = 60.0
    whole = half_maximum_size(image, mask)
    image[0][(slice(19, 21), *(slice(15, 17),) * (dims - 1))] = 60.0
    assert half_maximum_size(image, mask) == pytest.approx(whole, rel=0.03)
    image[0][(slice(17, 22), *(slice(15, 17),) * (dims - 1))] = 60.0
    image[0][(slice(17, 22), slice(15, 17))] = 60.0  # half a side is no gap
    assert half_maximum_size(image, mask) < 0.9 * whole


def test_only_what_reaches_half_of_the_maximum_counts() -> None:
    image, mask = np.full((1, 40, 40), 100.0), np.zeros((1, 40, 40))
    mask[0, 10:20, 10:20], image[0, 10:20, 10:20] = 1, 120
    image[0, 10:20, 10:17] = 200
    assert half_maximum_size(image, mask) == pytest.approx(diameter(70))


def test_dark_lesions_have_a_size_too() -> None:
    image, mask = enhancing_ring(rim=40, core=40)
    assert half_maximum_size(image, mask) == pytest.approx(diameter(81))


def test_size_reaches_over_the_margin_but_not_to_what_lies_apart() -> None:
    image, mask = enhancing_ring(rim=200, core=200)
    image[0, 24, 15:24] = 200  # the lesion is a row larger than its mask
    image[0, 15:24, 25] = 200  # a vessel beside it
    assert half_maximum_size(image, mask) == pytest.approx(diameter(90))
    assert half_maximum_size(image, mask, margin_mm=0) == pytest.approx(diameter(81))


def test_volume_gives_the_diameter_of_a_ball() -> None:
    image, mask = np.full((1, 30, 30, 30), 100.0), np.zeros((1, 30, 30, 30))
    mask[0, 12:18, 12:18, 12:18] = 1
    image[mask > 0] = 200
    expected = 2 * (3 * 216 * 2.0 / (4 * np.pi)) ** (1 / 3)
    assert half_maximum_size(image, mask, spacing=(1, 1, 2)) == pytest.approx(expected)


def test_holes_are_filled_in_each_slice() -> None:
    plane, plane_mask = enhancing_ring(rim=200, core=60)
    image, mask = np.repeat(plane[..., None], 4, axis=3), np.repeat(plane_mask[..., None], 4, axis=3)
    whole, hollow = (2 * (3 * 4 * area / (4 * np.pi)) ** (1 / 3) for area in (81, 56))
    assert half_maximum_size(image, mask, axis=2) == pytest.approx(whole)
    assert half_maximum_size(image, mask) == pytest.approx(hollow)  # a tube, open at both ends


def test_what_differs_nowhere_has_no_size() -> None:
    image, mask = enhancing_ring(rim=100, core=100)
    assert half_maximum_size(image, mask) == 0.0


def test_kept_shares() -> None:
    image, mask = enhancing_ring(rim=200, core=60)
    donor = measure_lesion(image, mask)
    assert donor.kept_from(donor) == LesionMeasures(1.0, 1.0, 1.0)
    faded = measure_lesion(100 + (image - 100) / 2, mask).kept_from(donor)
    assert (faded.contrast, faded.rim_core_difference) == (pytest.approx(0.5), pytest.approx(0.5))
    assert faded.half_maximum_size == pytest.approx(1.0)
    blurred = measure_lesion(ndimage.gaussian_filter(image, (0, 2, 2)), mask).kept_from(donor)
    assert abs(blurred.rim_core_difference) < 0.6
    assert np.isnan(donor.kept_from(LesionMeasures(0.0, 0.0, 0.0)).contrast)
