from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics.regression import MultiScaleSSIMMetric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchmetrics.regression import MeanSquaredError

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import tissue_agreement


def truth(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).uniform(100, 200, (1, *shape))


def middle(*shape: int, width: int = 8) -> np.ndarray:
    mask = np.zeros((1, *shape))
    mask[(0, *(slice(size // 2 - width // 2, size // 2 + width // 2) for size in shape))] = 1
    return mask


def test_the_truth_agrees_with_itself() -> None:
    image, mask = truth(64, 64), middle(64, 64)
    assert asdict(tissue_agreement(image, image, mask)) == {
        "mse": 0.0,
        "psnr": np.inf,
        "ssim": 1.0,
        "ms_ssim": pytest.approx(1.0),
    }


def test_errors_are_shares_of_the_range_of_the_voided_image() -> None:
    image, mask = truth(64, 64), middle(64, 64)
    low, high = np.percentile(image[mask == 0], [0.5, 99.5])
    image[mask > 0] = (low + high) / 2
    found = tissue_agreement(image + 0.1 * (high - low), image, mask)
    assert found.mse == pytest.approx(0.01)
    assert found.psnr == pytest.approx(20.0)
    # What is beyond the range is clipped: a bright lesion is as wrong as the brightest tissue.
    assert tissue_agreement(np.full_like(image, 1e6), image, mask).mse == pytest.approx(0.25)


@given(gain=st.floats(0.01, 100.0), offset=st.floats(-1000.0, 1000.0))
@settings(max_examples=10)
def test_does_not_depend_on_the_unit_nor_on_what_is_outside(gain: float, offset: float) -> None:
    image, mask = truth(40, 40), middle(40, 40)
    result = np.where(mask > 0, 150.0, image)
    elsewhere = np.where(mask > 0, 150.0, 0.0)
    first = asdict(tissue_agreement(result, image, mask))
    assert asdict(tissue_agreement(gain * elsewhere + offset, gain * image + offset, mask)) == pytest.approx(
        first, rel=1e-4
    )


def test_slices_are_averaged_by_their_voxels() -> None:
    image, mask = truth(64, 64, 4), np.zeros((1, 64, 64, 4))
    mask[..., 1], mask[..., 2] = middle(64, 64), middle(64, 64, width=16)
    result = np.where(mask > 0, 150.0, image)
    found = tissue_agreement(result, image, mask, axis=2)
    # Nearly the same percentiles for both, of which each is voided in one slice only.
    one, two = (np.where(np.arange(4) == index, mask, 0) for index in (1, 2))
    alone = [tissue_agreement(np.where(part > 0, result, image), image, part, axis=2).ssim for part in (one, two)]
    assert found.ssim == pytest.approx((64 * alone[0] + 256 * alone[1]) / 320, rel=2e-3)


@pytest.mark.parametrize(
    ("size", "scales"), [(22, 2), (43, 2), (44, 3), (98, 3), (99, 4), (175, 4), (176, 5), (200, 5)]
)
def test_ms_ssim_is_monais_with_the_scales_that_it_has_room_for(size: int, scales: int) -> None:
    image = np.random.RandomState(0).uniform(0, 1, (1, size, size))
    mask = np.ones_like(image)
    mask[0, 0], mask[0, 1:, 0] = 0, 0  # the box of the mask and its margin is the image
    result = np.where(mask > 0, np.clip(image + 0.1, 0, 1), image)
    low, high = np.percentile(image[mask == 0], [0.5, 99.5])
    scaled = [torch.from_numpy(np.clip((array - low) / (high - low), 0, 1))[None] for array in (result, image)]
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    monai = MultiScaleSSIMMetric(spatial_dims=2, weights=(weights / weights.sum()).tolist())
    assert tissue_agreement(result, image, mask).ms_ssim == pytest.approx(monai(*scaled).item())


@pytest.mark.parametrize("shape", [(30, 34), (20, 24, 22)])
def test_is_what_torchmetrics_computes_inside_the_mask(shape: tuple[int, ...]) -> None:
    image, mask = truth(*shape), middle(*shape, width=10)
    mask[:, :4, :6] = 1  # also at the border of the image
    result = np.where(mask > 0, image + np.random.RandomState(1).normal(0, 20, image.shape), image)
    low, high = np.percentile(image[mask == 0], [0.5, 99.5])
    made, real = (torch.from_numpy(np.clip((array - low) / (high - low), 0, 1))[None] for array in (result, image))
    void = torch.from_numpy(mask > 0)[None]
    found = tissue_agreement(result, image, mask)
    _, similar = StructuralSimilarityIndexMeasure(data_range=1.0, return_full_image=True)(made, real)
    assert found.ssim == pytest.approx(similar[void].mean().item(), rel=1e-6)
    assert found.psnr == pytest.approx(PeakSignalNoiseRatio(data_range=1.0)(made[void], real[void]).item(), rel=1e-6)
    assert found.mse == pytest.approx(MeanSquaredError()(made[void], real[void]).item(), rel=1e-6)


@given(shape=st.lists(st.integers(2, 50), min_size=2, max_size=3))
@settings(max_examples=25, deadline=None)
def test_no_size_is_refused(shape: list[int]) -> None:
    image, mask = truth(*shape), np.zeros((1, *shape))
    mask[(0, *(0 for _ in shape))] = 1
    found = tissue_agreement(np.where(mask > 0, 150.0, image), image, mask)
    assert 0 < found.ssim < 1
    assert np.isnan(found.ms_ssim) == (min(min(size, 17) for size in shape) < 22)


def test_refuses_what_cannot_be_compared() -> None:
    image, mask = truth(32, 32), middle(32, 32)
    with pytest.raises(ConSinGANError, match=r"\(32, 31\) and truth \(32, 32\)"):
        tissue_agreement(image[..., 1:], image, mask)
    with pytest.raises(ConSinGANError, match="constant"):
        tissue_agreement(image, np.where(mask > 0, image, 3.0), mask)
    with pytest.raises(ConSinGANError, match="constant"):
        tissue_agreement(image, image, np.ones_like(image))
    with pytest.raises(ConSinGANError, match="empty"):
        tissue_agreement(image, image, 0 * mask)
