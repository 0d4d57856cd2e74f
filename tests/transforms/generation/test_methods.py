"""What all ways to make a lesion have in common, and what each promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.distance import ball_diameter
from monai_consingan.transforms.generation.examples import Example, likeness, normal_view
from monai_consingan.transforms.generation.shapes import Outline, axes_and_waves, draw_label
from monai_consingan.transforms.generation.textured import (
    paint_profile,
    patch_lesion,
    procedural_lesion,
    spectrum_texture,
)
from monai_consingan.transforms.generation.warped import random_turn, warp_lesion
from monai_consingan.transforms.insertion.donor import DonorCrop

Make = Callable[[Example, float, np.random.RandomState], DonorCrop]


def _of_outlines(method: Any) -> Make:
    return lambda example, diameter, rng: method(example, [Outline.of(example)], diameter, rng)


METHODS: dict[str, Make] = {
    "warped": warp_lesion,
    "procedural": _of_outlines(procedural_lesion),
    "patches": _of_outlines(patch_lesion),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("diameter", [8.0, 15.0])
def test_a_lesion_is_as_large_as_asked_for_within_the_donors_range(
    make_example: Any, method: str, diameter: float
) -> None:
    example = make_example(radius=6.0, hollow=3.0)
    made = METHODS[method](example, diameter, np.random.RandomState(3))
    assert ball_diameter(float((made.label > 0).sum()), 3) == pytest.approx(diameter, rel=0.08)
    assert ndimage.label(made.label > 0, np.ones((3, 3, 3)))[1] == 1
    assert set(np.unique(made.label)) == {0, 1, 4}
    assert made.image.shape == (2, *made.label.shape)
    assert made.image.dtype == np.float32
    for ours, theirs in zip(made.image, example.crop.image, strict=True):
        assert theirs.min() <= ours.min()
        assert ours.max() <= theirs.max()
    assert made.valid[made.label > 0].all()


@pytest.mark.parametrize("method", METHODS)
def test_brightness_follows_the_label_in_every_sequence(make_example: Any, method: str) -> None:
    example = make_example(radius=7.0, hollow=4.0)
    made = METHODS[method](example, 14.0, np.random.RandomState(0))
    for channel, of_donor in zip(made.image, example.crop.image, strict=True):
        for value in (1, 4):
            inner = ndimage.binary_erosion(made.label == value)
            expected = of_donor[example.crop.label == value].mean()
            assert channel[inner].mean() == pytest.approx(expected, abs=25)
        free = made.valid & (ndimage.distance_transform_edt(made.label == 0) > 2)
        assert np.median(channel[free]) == pytest.approx(np.median(of_donor[example.around]), abs=3)
        assert channel[free].std() == pytest.approx(5, abs=1.6)  # as grainy as the donor's


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_and_another_another(make_example: Any, method: str) -> None:
    example = make_example()
    first, again, other = (METHODS[method](example, 10.0, np.random.RandomState(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


@pytest.mark.parametrize("method", METHODS)
def test_around_a_lesion_there_is_the_donors_tissue(make_example: Any, method: str) -> None:
    example = make_example(radius=7.0)
    wave = 30 * np.sin(np.arange(example.crop.label.shape[0]) / 3)[:, None, None]
    image = np.where(example.core, example.crop.image, example.crop.image + wave).astype(np.float32)
    example = Example.of(replace(example.crop, image=image), (4,))
    made = Example.of(METHODS[method](example, 12.0, np.random.RandomState(1)), (4,))
    assert made.spread == pytest.approx(example.spread, rel=0.4)
    assert made.level == pytest.approx(example.level, abs=10)


@pytest.mark.parametrize("method", METHODS)
def test_oedema_lies_around_the_lesion(make_example: Any, method: str) -> None:
    example = make_example(radius=5.0, oedema=3.0, keep_oedema=True)
    made = METHODS[method](example, 10.0, np.random.RandomState(0))
    share = (made.label == 2).sum() / (made.label == 4).sum()
    assert share == pytest.approx((example.crop.label == 2).sum() / (example.crop.label == 4).sum(), rel=0.35)
    shell = ndimage.binary_dilation(made.label == 4) & (made.label != 4)
    assert (made.label[shell] == 2).mean() > 0.8


def test_thick_slices_are_turned_in_their_plane_only(make_example: Any) -> None:
    turn = random_turn((1.0, 1.0, 5.0), np.random.RandomState(0))
    assert np.abs(turn[2, :2]).max() == pytest.approx(0)
    assert np.abs(turn[:2, 2]).max() == pytest.approx(0)
    assert np.abs(np.linalg.det(random_turn((1.0, 1.0, 1.0), np.random.RandomState(0)))) == pytest.approx(1)


def test_the_outline_of_a_ball_is_round_and_smooth(make_example: Any) -> None:
    outline = Outline.of(make_example(radius=9.0))
    assert outline.axes == pytest.approx((1, 1, 1), abs=0.03)
    assert max(outline.waves) < 0.025


@pytest.mark.parametrize("diameter", [10.0, 16.0])
def test_new_outlines_are_as_rough_as_asked_for_at_any_size(make_example: Any, diameter: float) -> None:
    example, waves = make_example(radius=8.0), (0.04, 0.05, 0.05)
    found = []
    for seed in range(4):
        label = draw_label(example, Outline((0.8, 1.0, 1.25), waves), diameter, np.random.RandomState(seed))
        found.append(axes_and_waves(label > 0, example.crop.spacing)[1])
    assert np.mean(found, axis=0) == pytest.approx(waves, rel=0.25)


@pytest.mark.parametrize("axes", [(0.8, 1.0, 1.25), (0.75, 0.9, 1.0 / 0.675)])
def test_new_outlines_are_as_long_and_flat_as_asked_for_however_rough(make_example: Any, axes: Any) -> None:
    example, found = make_example(radius=8.0), []
    for seed in range(4):
        label = draw_label(example, Outline(axes, (0.05, 0.05, 0.05)), 14.0, np.random.RandomState(seed))
        found.append(axes_and_waves(label > 0, example.crop.spacing)[0])
    np.testing.assert_allclose(found, np.broadcast_to(axes, (4, 3)), rtol=0.1)


@pytest.mark.parametrize("method", ["procedural", "patches"])
def test_texture_is_as_strong_as_the_donors(make_example: Any, method: str) -> None:
    example = make_example(radius=8.0, hollow=5.0)
    grain = np.random.default_rng(0).normal(0, 1, example.crop.image.shape)
    rough = example.crop.image + np.where(example.core, 12 * ndimage.gaussian_filter(grain, (0, 2, 2, 2)) / 0.1, 0)
    example = replace(example, crop=replace(example.crop, image=rough.astype(np.float32)))
    made = METHODS[method](example, 14.0, np.random.RandomState(0))

    def spread(image: np.ndarray, label: np.ndarray) -> np.ndarray:
        return np.asarray(image[:, ndimage.binary_erosion(label == 1)].std(axis=1))

    expected = spread(example.crop.image, example.crop.label)
    np.testing.assert_allclose(spread(made.image, made.label), expected, rtol=0.3)


def test_a_label_has_the_volume_and_the_donors_shares(make_example: Any) -> None:
    example = make_example(radius=8.0, hollow=5.0)
    label = draw_label(example, Outline((0.8, 1.0, 1.25), (0.03, 0.04, 0.04)), 14.0, np.random.RandomState(0))
    wanted = np.pi / 6 * 14**3
    assert (label > 0).sum() == pytest.approx(wanted, rel=0.03)
    assert (label == 1).sum() / (label > 0).sum() == pytest.approx((5 / 8) ** 3, abs=0.04)
    depth = ndimage.distance_transform_edt(label > 0)
    assert np.median(depth[label == 1]) > np.median(depth[label == 4])


def test_a_profile_paints_its_donor(make_example: Any) -> None:
    example = make_example(radius=8.0, hollow=5.0)
    picture = paint_profile(example, example.crop.label)
    left = example.crop.image - picture
    inner = ndimage.binary_erosion(example.core) & ~ndimage.binary_dilation(example.crop.label == 1)
    assert left[:, inner].mean() == pytest.approx(0, abs=5)
    assert left[:, inner].std() == pytest.approx(5, abs=2)


def test_texture_has_the_donors_strength_and_ties_between_sequences() -> None:
    rng = np.random.RandomState(0)
    base = ndimage.gaussian_filter(rng.standard_normal((40, 40, 40)), 1.5)
    left = np.stack([10 * base / base.std(), -20 * base / base.std()])
    made = spectrum_texture(left, np.ones(base.shape, bool), (48, 44, 40), np.random.RandomState(1))
    assert made.std(axis=(1, 2, 3)) == pytest.approx([10, 20], rel=0.2)
    assert np.corrcoef(made.reshape(2, -1))[0, 1] == pytest.approx(-1, abs=1e-6)
    near = [float(np.corrcoef(part[0, 1:].ravel(), part[0, :-1].ravel())[0, 1]) for part in (left, made)]
    assert near[1] == pytest.approx(near[0], abs=0.05)


def test_likeness_knows_copies_however_they_are_turned(make_example: Any) -> None:
    example = make_example(radius=7.0)
    crop = example.crop
    flipped = replace(
        crop,
        image=crop.image[:, ::-1].transpose(0, 2, 1, 3),
        label=crop.label[::-1].transpose(1, 0, 2),
        valid=crop.valid[::-1].transpose(1, 0, 2),
    )
    view = normal_view(example)
    assert likeness(view, normal_view(Example.of(flipped, (4,)))) > 0.95
    assert likeness(view, normal_view(make_example(radius=7.0, seed=1))) < 0.9
