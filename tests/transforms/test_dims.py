"""Volumes worked on in space, or slice by slice: inserting and filling alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import FillLesion, InsertLesion, PasteLesion, RemoveLesion, biharmonic

SHAPE = (44, 48, 40)


def brain(seed: int, thickness: float = 1.0) -> MetaTensor:
    """Rough tissue, alike in both halves, in empty space."""
    rng = np.random.RandomState(seed)
    tissue = 100 + 40 * gaussian_filter(rng.normal(size=SHAPE), 2) + rng.normal(size=SHAPE)
    tissue = (tissue + tissue[::-1]) / 2
    radius = sum(((g - (n - 1) / 2) / (n / 2 - 2)) ** 2 for g, n in zip(np.ogrid[:44, :48, :40], SHAPE, strict=True))
    affine = np.diag([1.0, 1.0, thickness, 1.0])
    return MetaTensor(torch.from_numpy(np.where(radius < 1, tissue, 0)[None]).float(), affine=affine)


def with_lesion(image: MetaTensor) -> tuple[MetaTensor, MetaTensor]:
    label = MetaTensor(torch.zeros(image.shape, dtype=torch.int16), affine=image.affine)
    label[0, 10:16, 20:27, 17:23] = 1
    return image + 60 * label, label


def test_insertion() -> None:
    host, (donor, label) = brain(1), with_lesion(brain(2))
    place = {"offset": (3, 2, 1)}
    found = InsertLesion(paste_blend="tissue")(host, donor, label, **place)
    assert (found.dims, found.axis, found.placement.offset) == (3, 2, (3, 2, 1))
    pasted = PasteLesion("tissue", match="gain")(host, donor, label, (3, 2, 1))
    assert torch.equal(found.image, pasted.image) and torch.equal(found.label, pasted.label)
    beyond = (found.image != host)[0].any(0).any(0)
    assert beyond[16:18].any() and beyond[24:26].any()  # the slices above and below blend, too
    two = {"offset": (3, 2)}
    sliced = InsertLesion(paste_blend="tissue", dims=2)(host, donor, label, **two)
    assert sliced.dims == 2 and not torch.equal(sliced.image, found.image)
    changed = (sliced.image != host)[0].any(0).any(0)
    assert changed.nonzero().ravel().tolist() == list(range(17, 23))
    by_axis = InsertLesion(paste_blend="tissue", axis=2)(host, donor, label, **two)
    assert by_axis.dims == 2 and torch.equal(by_axis.image, sliced.image)
    spaced = InsertLesion(paste_blend="tissue", dims=3)(host, donor, label, **two)
    assert spaced.placement.offset == (3, 2, 0)
    assert InsertLesion()(host, donor, label, donor_slice=19, **two).dims == 2
    found = InsertLesion(seed=3)(host, donor, label)
    assert found.dims == 3 and found.placement.how == "automatic" and bool((host[found.mask > 0] > 0).all())


def test_removal() -> None:
    image, label = with_lesion(brain(3))
    filled = FillLesion("matched_mirror", "centre")(image, label)
    assert (filled.dims, filled.axis) == (3, 2)
    removed = RemoveLesion("matched_mirror")(image, (label > 0).to(torch.int16))
    assert torch.equal(filled.image, removed.image) and torch.equal(filled.mask, removed.mask)
    assert filled.mask[0, 12, 23, 16] == filled.mask[0, 12, 23, 23] == 1  # the margin in space
    sliced = FillLesion("matched_mirror", "centre", dims=2)(image, label)
    assert sliced.dims == 2 and sliced.mask[0].any(0).any(0).nonzero().ravel().tolist() == list(range(17, 23))
    assert FillLesion("matched_mirror", "centre")(image, label, slice_index=19).dims == 2
    truth = brain(3)

    def jumps(result: Any) -> float:
        """How much the error's mean in the lesion changes from slice to slice."""
        error = (result.image - truth)[0, 10:16, 20:27, 17:23].mean((0, 1))
        return float(error.diff().abs().mean())

    assert jumps(filled) < jumps(sliced)


def test_many_voxels_are_filled_in_space_too(monkeypatch: pytest.MonkeyPatch) -> None:
    image, label = with_lesion(brain(3))
    in_space = RemoveLesion("biharmonic")(image, label)
    monkeypatch.setattr("monai_consingan.transforms.removal.biharmonic._MOST_IN_SPACE", 100)
    many = RemoveLesion("biharmonic")(image, label)
    assert not torch.equal(many.image, in_space.image)  # on a coarser grid
    sliced = torch.as_tensor(biharmonic(image[0], many.mask[0], axis=2).astype(np.float32))
    fill = many.mask[0] > 0
    error, by_slices = (float((found[fill] - in_space.image[0][fill]).std()) for found in (many.image[0], sliced))
    assert error < by_slices


def test_thick_slices_are_worked_on_by_themselves() -> None:
    host, (donor, label) = brain(1, 4.0), with_lesion(brain(2, 4.0))
    assert InsertLesion()(host, donor, label, offset=(3, 2)).dims == 2
    assert FillLesion("matched_mirror", "centre")(donor, label).dims == 2
    assert FillLesion("matched_mirror", "centre", dims=3)(donor, label).dims == 3


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"dims": 4}, "dims is 4: give 2 to work slice by slice, or 3 to work in space"),
        ({"dims": 3, "axis": 2}, "dims is 3, but axis is 2, which means slices"),
    ],
)
def test_what_does_not_fit_is_refused(how: dict[str, Any], words: str) -> None:
    image, label = with_lesion(brain(3))
    with pytest.raises(ConSinGANError, match=words):
        InsertLesion(**how)(brain(1), image, label)
    with pytest.raises(ConSinGANError, match=words):
        FillLesion(**how)(image, label)
    with pytest.raises(ConSinGANError, match="dims is 3, but donor slice is 19: leave one of them out"):
        InsertLesion(dims=3)(brain(1), image, label, donor_slice=19)
    with pytest.raises(ConSinGANError, match="dims is 3, but slice is 19: leave one of them out"):
        FillLesion(dims=3)(image, label, slice_index=19)
    with pytest.raises(ConSinGANError, match="dims is 3, but the image is 2D"):
        FillLesion(dims=3)(image[..., 19], label[..., 19])
