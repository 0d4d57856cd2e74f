from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.metrics import Where, measure_change, seam

from .conftest import LESION, banded, box, tissue


def test_a_lesion_in_air_does_not_pass() -> None:
    at_edge = box((0, 8), (20, 28), (1, 5))
    found = measure_change(tissue(), tissue(), at_edge, Where(2))
    assert found["in_tissue"] == pytest.approx(0.5)


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
