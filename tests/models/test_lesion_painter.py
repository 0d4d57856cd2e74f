from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from monai_consingan.models.bank import ModelBank
from monai_consingan.models.lesion_painter import LesionPainter
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.shapes import Outline
from monai_consingan.transforms.generation.textured import draw_guide, in_tissue
from monai_consingan.transforms.generation.warped import tissue_around
from monai_consingan.transforms.insertion.donor import DonorCrop

pytestmark = pytest.mark.usefixtures("tiny_painter")


def _example(seed: int, radius: float = 5.0, hollow: float = 3.0) -> Example:
    rng = np.random.RandomState(seed)
    away = np.sqrt(sum((g - 18) ** 2 for g in np.mgrid[:36, :36, :36]))
    image = np.stack([scale * (100 + 5 * rng.standard_normal(away.shape)) for scale in (1, 3)])
    image[:, away < radius] += 100
    image[:, away < hollow] -= 110
    label = np.where(away < hollow, 1, np.where(away < radius, 4, 0))
    crop = DonorCrop(image.astype(np.float32), label, np.ones(label.shape, bool), (1.0, 1.0, 1.0), 100.0)
    return Example.of(crop, (1, 4))


def _painter(examples: Sequence[Example], bank: Path | None = None) -> LesionPainter:
    return LesionPainter(examples, (8, 12), bank=None if bank is None else ModelBank(bank))


def test_a_pair_is_a_lesion_and_its_painting_with_label_and_surroundings_alike() -> None:
    painter = _painter([_example(0), _example(1)])
    real, painting = painter._pair(1)
    assert real.shape == painting.shape == (4, 24, 24, 24)  # two sequences, two label values
    assert max(real.abs().max(), painting.abs().max()) <= 1
    assert set(real[2:].unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(real[2:], painting[2:])
    ill = (real[2:] > 0).any(dim=0).numpy()
    far = torch.from_numpy(ndimage.distance_transform_edt(~ill) > 4)
    torch.testing.assert_close(real[:2, far], painting[:2, far])
    core = torch.from_numpy(ndimage.binary_erosion(real[3].numpy() > 0))
    assert painting[0, core].std() < 0.7 * real[0, core].std()
    assert painting[0, core].mean() == pytest.approx(float(real[0, core].mean()), abs=0.1)


def test_where_a_lesion_is_is_known_and_nothing_but_it_is_redrawn() -> None:
    example = _example(0)
    outlines = [Outline.of(example)]
    made = _painter([example])(example, outlines, 10.0, np.random.RandomState(3))
    rng = np.random.RandomState(3)
    label, guide = draw_guide(example, outlines, 10.0, rng)
    tissue, valid = tissue_around(example, label.shape, 10.0, rng)
    picture, _ = in_tissue(example, label, guide, tissue)
    np.testing.assert_array_equal(made.label, label)
    np.testing.assert_array_equal(made.valid, valid | (label > 0))
    away = ndimage.distance_transform_edt(label == 0)
    known = example.crop.image
    low, high = (np.reshape(f(known, axis=(1, 2, 3)), (2, 1, 1, 1)) for f in (np.min, np.max))
    expected = np.clip(picture, low, high).astype(np.float32)
    np.testing.assert_array_equal(made.image[:, away > 4], expected[:, away > 4])
    assert (made.image[:, label > 0] != expected[:, label > 0]).any()


def test_a_painter_is_trained_once_and_the_same_seed_paints_the_same(tmp_path: Path) -> None:
    example = _example(0)
    first, second = (_painter([example], tmp_path / "bank") for _ in range(2))
    made = [
        painter(example, [Outline.of(example)], 9.0, np.random.RandomState(seed)).image
        for painter, seed in ((first, 0), (second, 0), (first, 1))
    ]
    assert len(ModelBank(tmp_path / "bank")) == 1
    np.testing.assert_array_equal(made[0], made[1])
    assert made[0].shape != made[2].shape or (made[0] != made[2]).any()
    assert first.model.in_channels == 4


def test_lesions_larger_than_the_network_sees_are_trained_on_in_parts() -> None:
    painter = LesionPainter([_example(0)], (28, 28))
    real, _ = painter._pair(0)
    assert real.shape == (4, 24, 24, 24)
    assert (real[2:] > 0).any()
