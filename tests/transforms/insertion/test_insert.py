"""Whole insertions of a lesion: what the workflows' tests do not look at."""

from __future__ import annotations

import pytest
import torch

from monai_consingan.data import example, load_label, load_scan, number_lesions
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import InsertLesion, InsertLesiond, LesionAlteration


def test_naive_is_the_paste_without_a_blend() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)
    case = {"seed": 1, "axis": 2}
    soft = InsertLesion(paste_blend="tissue", **case)(image, image, label, donor_slice=4, host_slice=6)
    hard = InsertLesion(**case)(image, image, label, donor_slice=4, host_slice=6)
    assert torch.equal(soft.naive, hard.image) and torch.equal(hard.naive, hard.image)
    assert not torch.equal(soft.image, hard.image)
    lesion, changed = soft.mask > 0, soft.image != image
    assert bool((changed & ~lesion).any())
    weight, mask = LesionAlteration("outside", 1.0, 2.0, 2)(soft.mask, soft.image, image)
    assert torch.equal(mask > 0, changed | lesion | (weight > 0))
    assert not bool(((weight > 0) & lesion).any())


def test_one_lesion_of_several_is_taken() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)  # of two lesions
    numbers = number_lesions(label.numpy()[0])
    sizes = [int((numbers == number).sum()) for number in (1, 2)]
    assert sizes[0] > sizes[1] > 0 == (numbers > 2).sum()
    other = image * 1  # another scan, where the lesions' places are free
    for choice, number in (("largest", 1), (2, 2)):
        inserted = InsertLesion(lesion=choice)(other, image, label, label * 0, offset=(2, -3))
        assert (inserted.lesion_number, inserted.lesion_count) == (number, 2)
        assert int(inserted.mask.sum()) == sizes[number - 1]
        assert torch.equal(inserted.donor_lesion[0] > 0, torch.from_numpy(numbers == number))
    with pytest.raises(ConSinGANError, match=r"lesion is 3, but donor label .* shows only 1, 2"):
        InsertLesion(lesion=3)(image, image, label)
    data = {"host": other, "donor": image, "donor_label": label, "offset": (2, -3), "host_label": label * 0}
    for case, number in (({}, 1), ({"lesion_number": 2}, 2)):
        out = InsertLesiond()({**data, **case})
        assert (out["placement"]["lesion"], out["placement"]["lesions"]) == (number, 2)
        assert int(out["lesion"].sum()) == sizes[number - 1]


def test_a_slice_shows_the_lesions_that_it_cuts() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)
    label[..., 0][torch.from_numpy(number_lesions(label.numpy()[0]) == 1)[None, ..., 0]] = 0
    inserted = InsertLesion(seed=1)(image, image, label, donor_slice=0, host_slice=6)
    assert (inserted.lesion_number, inserted.lesion_count) == (2, 2)
