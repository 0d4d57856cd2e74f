from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import plane_axes, slice_view
from monai_consingan.figures.view import widest_slice

ORIENTATIONS = [
    "".join(codes) for order in itertools.permutations(["LR", "AP", "SI"]) for codes in itertools.product(*order)
]
VALUES = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
SPACING = (1.0, 2.0, 3.0)


def volume(codes: str) -> MetaTensor:
    """The same head, stored in some orientation."""
    ras = nib.Nifti1Image(VALUES, np.diag([*SPACING, 1.0]))
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    stored = ras.as_reoriented(turn)
    assert nib.orientations.aff2axcodes(stored.affine) == tuple(codes)
    values = np.ascontiguousarray(stored.get_fdata(dtype=np.float32))
    return MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(stored.affine))


def slice_along(codes: str, pair: str, index_in_ras: int, length: int) -> tuple[int, int]:
    """Axis of the volume that runs along a pair of directions, and the number of a slice on it."""
    axis = next(number for number, code in enumerate(codes) if code in pair)
    return axis, index_in_ras if codes[axis] in "RAS" else length - 1 - index_in_ras


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_is_shown_alike(codes: str) -> None:
    head = volume(codes)
    axis, index = slice_along(codes, "SI", 4, 6)
    axial = slice_view(head, axis=axis, index=index)
    assert np.array_equal(axial.values, VALUES[::-1, ::-1, 4].T)
    assert (axial.left, axial.top, axial.pixel_mm) == ("R", "A", (2.0, 1.0))

    axis, index = slice_along(codes, "AP", 1, 5)
    coronal = slice_view(head, axis=axis - 3, index=index)
    assert np.array_equal(coronal.values, VALUES[::-1, 1, ::-1].T)
    assert (coronal.left, coronal.top, coronal.pixel_mm) == ("R", "S", (3.0, 1.0))

    axis, index = slice_along(codes, "LR", 2, 4)
    sagittal = slice_view(head, axis=axis, index=index)
    assert np.array_equal(sagittal.values, VALUES[2, ::-1, ::-1].T)
    assert (sagittal.left, sagittal.top, sagittal.pixel_mm) == ("A", "S", (3.0, 2.0))


def test_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    picture = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    view = slice_view(LoadImage(image_only=True, ensure_channel_first=True)(tmp_path / "picture.png"))
    assert np.array_equal(view.values, picture)
    assert (view.left, view.size_mm) == ("", (20.0, 30.0))


def test_flat_scan_is_turned_like_a_volume() -> None:
    flat = MetaTensor(torch.arange(12.0).reshape(1, 3, 4), affine=torch.diag(torch.tensor([-2.0, -1.0, 1.0, 1.0])))
    view = slice_view(flat)
    assert np.array_equal(view.values, np.arange(12.0).reshape(3, 4).T)
    assert (view.left, view.top, view.pixel_mm) == ("R", "A", (1.0, 2.0))


def test_plain_arrays_are_shown_as_stored() -> None:
    assert np.array_equal(slice_view(VALUES[None], axis=1, index=2).values, VALUES[:, 2])
    assert np.array_equal(slice_view(VALUES[:1]).values, VALUES[0])


@pytest.mark.parametrize("options", [{}, {"axis": 2}, {"axis": 3, "index": 0}, {"axis": 2, "index": 6}])
def test_slice_must_exist(options: dict) -> None:
    with pytest.raises(ConSinGANError, match=r"the shape \(4, 5, 6\)"):
        slice_view(VALUES[None], **options)


def test_shape_must_be_channel_first() -> None:
    with pytest.raises(ConSinGANError, match=r"shape \(4, 5, 6\)"):
        slice_view(VALUES)


def test_planes_of_a_volume() -> None:
    assert plane_axes(np.zeros((1, 4, 5, 6))) == {"axial": 2, "coronal": 1, "sagittal": 0}
    affine = torch.tensor([[0.0, 0, 2, 0], [3, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    image = MetaTensor(torch.zeros(1, 4, 5, 6), affine=affine)
    assert list(plane_axes(image).items()) == [("axial", 1), ("coronal", 0), ("sagittal", 2)]


def test_the_widest_slice() -> None:
    mask = np.zeros((1, 5, 6, 7), np.uint8)
    mask[0, 1:3, 2, 3], mask[0, 1:4, 4, 5], mask[0, 4, 4, 1] = 1, 2, 1
    assert [widest_slice(mask, axis) for axis in range(3)] == [1, 4, 5]
