from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.shapes import axes_and_waves
from monai_consingan.transforms.generation.warped import tissue_around, warp_lesion

SHAPE = (45, 45, 45)


def _striped(example: Example) -> Example:
    """The same donor with stripes of one voxel through the lesion and all around it."""
    stripes = np.indices(example.crop.label.shape).sum(axis=0) % 2
    image = 100.0 + 100 * (example.crop.label > 0) + 40 * (stripes - 0.5)
    return replace(example, crop=replace(example.crop, image=image[None].astype(np.float32)))


def test_detail_that_is_too_fine_for_a_small_lesion_is_lost_in_it_and_kept_around_it(make_example: Any) -> None:
    example = _striped(make_example(radius=15.0, side=60, channels=1))
    made = warp_lesion(example, 10.0, np.random.RandomState(0))
    away = ndimage.distance_transform_edt(made.label == 0)
    inner = ndimage.distance_transform_edt(made.label > 0) > 2
    assert made.image[0, inner].std() < 2
    far = made.valid & (away > 9) & (away < 12)
    assert made.image[0, far].std() > 4


def test_a_lesion_that_is_not_made_smaller_keeps_its_detail(make_example: Any) -> None:
    example = _striped(make_example(radius=8.0, channels=1))
    made = warp_lesion(example, 16.5, np.random.RandomState(0))
    inner = ndimage.distance_transform_edt(made.label > 0) > 2
    assert made.image[0, inner].std() > 5


def test_the_border_of_a_lesion_that_is_made_small_is_as_smooth_as_a_small_ball(make_example: Any) -> None:
    example = make_example(radius=18.0, side=70, channels=1)
    rough = np.random.RandomState(1).uniform(size=example.core.shape) < 0.3
    shell = ndimage.binary_dilation(example.core) & ~example.core & rough
    example = replace(example, crop=replace(example.crop, label=np.where(shell, 4, example.crop.label)))
    made = warp_lesion(example, 12.0, np.random.RandomState(0), strength=0.0).label > 0
    faces = sum(int((made != np.roll(made, 1, axis)).sum()) for axis in range(3))
    assert faces < 1.53 * np.pi * 12**2  # 1.5 is a ball's on a grid of voxels


def test_an_outline_stays_what_it_is_when_it_is_made_smaller(make_example: Any) -> None:
    example = make_example(radius=14.0, side=90, channels=1)
    middle = np.argwhere(example.core).mean(axis=0)
    x, y, z = (grid - at for grid, at in zip(np.indices(example.core.shape), middle, strict=True))
    horn = (x >= 0) & (x < 22) & (y**2 + z**2 < 4**2)
    crop = replace(example.crop, label=np.where(horn, 4, example.crop.label))
    made = warp_lesion(Example.of(crop), 14.0, np.random.RandomState(0), strength=0.0)
    (_, donors), (_, made_smaller) = (axes_and_waves(one.label > 0, one.spacing) for one in (crop, made))
    assert made_smaller == pytest.approx(donors, rel=0.2)


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
