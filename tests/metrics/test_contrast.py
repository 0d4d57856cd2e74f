from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, contrast_to_noise, kept
from monai_consingan.metrics.contrast import contrast_kept


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
