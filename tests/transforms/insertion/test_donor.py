"""What becomes of a donor that is scaled, or brought to another spacing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.data import to_host_grid
from monai_consingan.transforms.insertion.donor import DonorCrop, turn_donor


def _striped() -> DonorCrop:
    """A lesion with stripes of one voxel."""
    label = np.zeros((36, 36, 36), np.int16)
    label[10:26, 10:26, 10:26] = 1
    image = 100.0 + 40 * (np.indices(label.shape).sum(axis=0) % 2 - 0.5)
    return DonorCrop(image[None].astype(np.float32), label, np.ones(label.shape, bool), (1.0, 1.0, 1.0), 100.0)


@pytest.mark.parametrize(("scale", "spacing"), [(1 / 3, (1.0, 1.0, 1.0)), (1.0, (1.0, 1.0, 5.0))])
@pytest.mark.parametrize("hole", [False, True])
def test_detail_that_is_too_fine_for_the_result_is_lost(
    scale: float, spacing: tuple[float, float, float], hole: bool
) -> None:
    crop = _striped()
    crop.valid[18:20, 18, 18] = not hole
    made = turn_donor(crop, spacing, flips=[False] * 3, degrees=7.0, scale=scale, axis=None)
    assert made.image[0][made.label > 0].std() < 3
    assert made.image[0][made.label > 0].mean() == pytest.approx(100, abs=1)


def test_a_donor_of_nearly_the_same_size_is_not_smoothed() -> None:
    crop = _striped()
    made = turn_donor(crop, (1.0, 1.0, 1.0), flips=[False] * 3, degrees=0.0, scale=0.8, axis=None)
    spots = (np.indices(made.label.shape) - (np.array(made.label.shape) - 1)[:, None, None, None] / 2) / 0.8 + 17.5
    inner = np.all([(s > 1) & (s < 34) for s in spots], axis=0)
    low = np.floor(spots).astype(int)[:, inner]
    part = spots[:, inner] - low
    expected = sum(
        crop.image[0][tuple(low + np.array(corner)[:, None])]
        * np.prod([p if c else 1 - p for c, p in zip(corner, part, strict=True)], axis=0)
        for corner in np.ndindex(2, 2, 2)
    )
    np.testing.assert_allclose(made.image[0][inner], expected, atol=1e-2)


@pytest.mark.parametrize(("scale", "mm"), [(1.0, 1.0), (0.5, 1.0), (1.3, 1.0), (1.0, 2.0)])
def test_a_lesion_at_the_surface_has_no_air_in_it(scale: float, mm: float) -> None:
    where = np.linalg.norm(np.indices((40, 40, 40)) - 19.6, axis=0)
    brain = where < 15
    label = (brain & (np.indices(brain.shape)[0] > 26)).astype(np.int16)
    crop = DonorCrop(np.where(brain, 200, 0)[None].astype(np.float32), label, brain, (1.0, 1.0, 1.0), 200.0)
    made = turn_donor(crop, (mm,) * 3, flips=[False] * 3, degrees=20.0, scale=scale, axis=None)
    marks = made.label > 0
    assert marks.sum() > 20
    np.testing.assert_allclose(made.image[0][marks], 200, rtol=1e-3)
    assert made.valid[marks].all()


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 5.0), (0.7, 1.5, 3.0)])
def test_it_is_averaged_as_a_donor_that_is_brought_to_a_host(spacing: tuple[float, float, float]) -> None:
    values = np.random.RandomState(0).uniform(100, 200, (30, 30, 30)).astype(np.float32)
    label = np.zeros(values.shape, np.int16)
    label[10:20, 10:20, 10:20] = 1
    crop = DonorCrop(values[None], label, np.ones(label.shape, bool), (1.0, 1.0, 1.0), 150.0)
    made = turn_donor(crop, spacing, flips=[False] * 3, degrees=0.0, scale=1.0, axis=None)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [14.5 - mm * (count - 1) / 2 for mm, count in zip(spacing, made.label.shape, strict=True)]
    host = MetaTensor(torch.zeros(1, *made.label.shape), affine=torch.from_numpy(affine))
    donor = MetaTensor(torch.from_numpy(values[None]), affine=torch.eye(4, dtype=torch.float64))
    np.testing.assert_allclose(
        made.image[0][made.valid], np.asarray(to_host_grid(donor, host))[0][made.valid], rtol=1e-3
    )
