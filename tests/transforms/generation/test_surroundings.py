"""What a lesion of a new outline lies in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monai_consingan.transforms.generation.surroundings import tissue_around

SHAPE = (45, 45, 45)


def test_the_donors_lesion_is_gone_from_its_tissue(make_example: Any) -> None:
    example = make_example(radius=9.0, hollow=5.0)
    image, valid = tissue_around(example, SHAPE, 14.0, np.random.RandomState(0))
    assert image.shape == (2, *SHAPE)
    middle = tuple(slice(12, 33) for _ in range(3))
    for channel, level in zip(image, example.level, strict=True):
        assert np.abs(channel[middle] - level).max() < 40  # noise of 5; the lesion is 100 and more off
    assert valid[middle].all()


def test_what_surrounds_the_donors_lesion_stays(make_example: Any) -> None:
    """Oedema that is not made counts as no tissue, but is there."""
    example = make_example(radius=6.0, oedema=5.0, channels=1)
    image, valid = tissue_around(example, SHAPE, 12.0, np.random.RandomState(0))
    away = np.sqrt(sum((g - 22) ** 2 for g in np.mgrid[:45, :45, :45]))
    near = (away > 8) & (away < 9)
    assert image[0, near].mean() == pytest.approx(120, abs=2)
    assert not valid[near].any()
    far = valid & (away > 14)
    assert image[0, far].mean() == pytest.approx(100, abs=2)


def test_no_tissue_is_made_up_beyond_the_donors_crop(make_example: Any) -> None:
    example = make_example(radius=6.0)
    crop = example.crop
    cut = replace(example, crop=replace(crop, valid=crop.valid & (np.indices(crop.label.shape)[0] > 8)))
    _, valid = tissue_around(cut, (81, 81, 81), 12.0, np.random.RandomState(0))
    assert not valid[:18].any()
    assert not valid[-18:].any()
    assert valid[40, 40, 40]
    assert 0.5 < valid[28:53, 28:53, 28:53].mean() < 1
