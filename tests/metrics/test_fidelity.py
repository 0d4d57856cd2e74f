from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from monai_consingan.metrics import LesionMeasures, half_maximum_size, measure_lesion, rim_core_difference


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
