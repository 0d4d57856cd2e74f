"""Labels as data sets have them."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from nibabel import orientations
from PIL import Image

from monai_consingan.data import load_label
from monai_consingan.errors import ConSinGANError

AFFINE = np.array([[-0.9, 0.2, 0.1, 30.0], [0.3, 1.1, -0.2, -40.0], [0.1, 0.3, 3.0, 5.0], [0, 0, 0, 1]])
SHAPE = (5, 6, 7)


def values() -> np.ndarray:
    label = np.zeros(SHAPE, np.uint8)
    label[1:3, 2, 1:5] = 1
    label[4, 5, 6] = 3
    return label


def image(affine: np.ndarray = AFFINE, shape: tuple[int, ...] = SHAPE) -> MetaTensor:
    return MetaTensor(torch.rand(1, *shape), affine=torch.from_numpy(affine))


def scaled(path: Path, stored: np.ndarray, slope: float) -> None:
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(slope, 0)
    nib.save(image, path)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_another_orientation_on_the_same_grid(tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]) -> None:
    turn = np.stack([axes, flips], axis=1)
    stored = orientations.apply_orientation(values(), turn)
    nib.save(nib.Nifti1Image(stored, AFFINE @ orientations.inv_ornt_aff(turn, SHAPE)), tmp_path / "l.nii")
    label = load_label(tmp_path / "l.nii", image=image())
    np.testing.assert_array_equal(label[0], values())
    np.testing.assert_allclose(label.affine, AFFINE, atol=1e-4)


def test_another_orientation_on_another_grid(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[:3, 0] *= -1
    nib.save(nib.Nifti1Image(values(), moved), tmp_path / "l.nii")
    with pytest.raises(ConSinGANError, match=r"l\.nii lies elsewhere than"):
        load_label(tmp_path / "l.nii", image=image())


@given(largest=st.integers(3, 200), steps=st.integers(2000, 2**15 - 1))
def test_scaled_integers(tmp_path_factory: pytest.TempPathFactory, largest: int, steps: int) -> None:
    """Float labels that were stored as 16-bit integers: whole numbers but for half a step."""
    path = tmp_path_factory.mktemp("label") / "l.nii"
    wanted = values().astype(int)
    wanted[0, 0, 0] = largest
    slope = float(np.float32(largest * 1.003 / steps))
    scaled(path, np.rint(wanted / slope).astype(np.int16), slope)
    assert np.asarray(nib.load(path).dataobj).max() == pytest.approx(largest, abs=slope)
    np.testing.assert_array_equal(load_label(path, image=image())[0], wanted)


def test_a_coarse_slope_makes_no_label_whole(tmp_path: Path) -> None:
    scaled(tmp_path / "l.nii", values(), 0.5)
    with pytest.raises(ConSinGANError, match=r"not whole numbers, such as 0\.5"):
        load_label(tmp_path / "l.nii", image=image())


def test_the_index_into_a_palette_is_the_label(tmp_path: Path) -> None:
    label = np.array([[0, 1, 2], [2, 0, 0]], np.uint8)
    picture = Image.fromarray(label, mode="P")
    picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
    picture.save(tmp_path / "l.png")
    read = load_label(tmp_path / "l.png", image=image(np.eye(4), (3, 2)))
    np.testing.assert_array_equal(read[0], label.T)


def test_a_value_that_one_scan_does_not_have(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(values(), AFFINE), tmp_path / "l.nii")
    label = load_label(tmp_path / "l.nii", image=image(), lesion_labels=[1, 4])
    assert label.unique().tolist() == [0, 1]
    with pytest.raises(ConSinGANError, match=r"has the values \[1, 3\], so the lesion labels \[2, 4\]"):
        load_label(tmp_path / "l.nii", image=image(), lesion_labels=[2, 4])
