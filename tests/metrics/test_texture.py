from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import texture


def square(start: int = 20, stop: int = 44) -> np.ndarray:
    mask = np.zeros((1, 64, 64), dtype=np.uint8)
    mask[0, start:stop, start:stop] = 1
    return mask


def checkerboard() -> np.ndarray:
    return (-1.0) ** np.add.outer(np.arange(64), np.arange(64))[None]


def test_the_same_pattern_on_both_sides_is_one() -> None:
    # Far from the border, so that both sides have the same neighbourhoods.
    mask, ring = square(), square(10, 54)
    image = 100 + checkerboard()
    assert texture(image, mask) == pytest.approx(1.0, rel=0.05)
    assert texture(image, mask, exclude=ring - mask, spacing=0.6) == pytest.approx(1.0, rel=0.05)


@given(factor=st.floats(0.0, 4.0), step=st.floats(-50.0, 200.0))
def test_energy_grows_with_the_square_and_a_step_is_no_texture(factor: float, step: float) -> None:
    rng = np.random.RandomState(0)
    image = rng.normal(0.0, 5.0, (1, 64, 64))
    mask = square()
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
    image, mask = np.random.RandomState(0).normal(100, 5, (1, 64, 64)), square()
    blurred = np.where(mask > 0, ndimage.gaussian_filter(image, (0, 1, 1)), image)
    assert texture(blurred, mask) < 0.1
    assert texture(np.where(mask > 0, 100 + 2 * (image - 100), image), mask) > 3.5


def test_axis_leaves_out_what_changes_between_slices() -> None:
    volume, mask = np.repeat((100 + checkerboard())[..., None], 5, axis=3), np.zeros((1, 64, 64, 5))
    volume += np.array([0.0, 30.0, 0.0, 30.0, 0.0])
    mask[..., 2] = square()
    flat = texture(volume[..., 2], mask[..., 2])
    assert texture(volume, mask, axis=2) == pytest.approx(flat)
    assert texture(volume, mask) != pytest.approx(flat, rel=0.01)


def test_flat_tissue_and_no_tissue() -> None:
    mask = square()
    rough = np.where(mask > 0, checkerboard(), 0.0) + 100.0
    assert texture(rough, mask) == np.inf
    assert np.isnan(texture(np.full((1, 64, 64), 100.0), mask))
    assert np.isnan(texture(rough, mask, exclude=1 - mask))


def test_needs_a_mask() -> None:
    with pytest.raises(ConSinGANError, match="empty"):
        texture(100 + checkerboard(), np.zeros((1, 64, 64)))
