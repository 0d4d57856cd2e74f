"""Whole insertions of a lesion: what the workflows' tests do not look at."""

from __future__ import annotations

import torch

from monai_consingan.data import example, load_label, load_scan
from monai_consingan.transforms import InsertLesion, LesionAlteration


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
