from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from monai_consingan import background
from monai_consingan.background import _grown, find_background
from monai_consingan.data import IntensityScale
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import contrast
from monai_consingan.metrics.surroundings import TissueLevel
from monai_consingan.transforms import PasteLesion, find_placement, head_mask
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions, turn_donor
from monai_consingan.transforms.insertion.placement import check_in_tissue


def brain(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A stripped brain, and where it is."""
    rng = np.random.RandomState(seed)
    grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    inside = sum(axis**2 for axis in grid) < 0.7
    tissue = 600 + 60 * ndimage.gaussian_filter(rng.randn(*shape), 1) + 15 * rng.randn(*shape)
    return np.where(inside, tissue, 0), inside


SHAPES = [(64, 56), (40, 44, 24), (48, 44, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@given(gain=st.floats(0.01, 100.0), constant=st.floats(-1.0, 1.0), whole=st.booleans())
@settings(max_examples=15, deadline=None)
def test_background_is_found_wherever_it_lies_among_the_values(
    shape: tuple[int, ...], gain: float, constant: float, whole: bool
) -> None:
    values, inside = brain(shape)
    scores = (values - values[inside].mean()) / values[inside].std()
    image = np.where(inside, scores, 6 * constant)
    image = np.rint(200 * image) if whole else gain * image
    found = find_background(image[None])
    assert found
    assert (found.mask(image) != ~inside).mean() < (0.002 if whole else 1e-9)
    assert (found.outside(image) == ~inside).mean() > 0.998
    assert found.darkest(image)[~inside].max() <= image[inside].min()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_noise_and_tissue_are_no_background(dtype: type) -> None:
    values, inside = brain((48, 48, 24))
    rng = np.random.RandomState(1)
    for sigma in (1.5, 3.0, 20.0):  # of air, which is clipped at 0, as scanners do
        noisy = np.clip(np.where(inside, values, sigma * rng.randn(*values.shape)), 0, None).astype(dtype)
        found = find_background(noisy)
        assert not found and not found.mask(noisy).any()
    crop = values[14:34, 14:34, 8:16].astype(dtype)
    assert not find_background(crop)
    assert not find_background(np.full((20, 20), 5, dtype))
    assert not find_background(np.where(inside, 150, 100).astype(dtype))  # a drawing


def test_a_crop_with_a_corner_of_background() -> None:
    values, inside = brain((48, 48, 24))
    crop = (slice(12, 48), slice(10, 38), slice(6, 18))
    found = find_background(values[crop])
    assert found
    np.testing.assert_array_equal(found.mask(values[crop]), ~inside[crop])


def test_rounding_and_undershoot_do_not_hide_it() -> None:
    values, inside = brain((48, 48, 24))
    image = np.where(inside, values, 7.3).astype(np.float32)
    image[~inside] += np.float32(1e-6) * np.random.RandomState(0).choice([-1, 0, 1], (~inside).sum()).astype(np.float32)
    image[0, 0, 0] = -1
    found = find_background(image)
    assert found.value == pytest.approx(7.3, abs=1e-4)
    assert int((found.mask(image) != ~inside).sum()) == 1
    assert not found.tissue(image)[~inside].any()


def test_what_was_interpolated_from_it_is_no_tissue() -> None:
    values, inside = brain((48, 48, 24))
    image = ndimage.zoom(values, 2, order=1)
    share = ndimage.zoom(inside.astype(float), 2, order=1)
    tissue = find_background(image).tissue(image)
    assert not tissue[share < 0.3].any()
    assert tissue[share > 0.8].mean() > 0.999
    spline = ndimage.zoom(values, 2, order=3)
    assert not find_background(spline).tissue(spline)[share == 0].mean() > 0.01


def test_chance_is_told_from_background() -> None:
    values, inside = brain((48, 48, 24))
    image = np.where(inside, np.rint(values) - 600, 0)
    image[20:24, 20:24, 10:14] = 0  # a hole
    found = find_background(image)
    chance = (image == 0) & inside
    chance[20:24, 20:24, 10:14] = False
    assert chance.sum() > 50
    assert found.mask(image)[chance].mean() < 0.3
    assert found.mask(image)[20:24, 20:24, 10:14].all() and not found.outside(image)[20:24, 20:24, 10:14].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_head_and_the_intensities_are_those_of_the_brain(shape: tuple[int, ...]) -> None:
    values, inside = brain(shape)
    scores = np.where(inside, (values - 600) / 60, 0)
    assert (head_mask(scores) != inside).sum() < 0.05 * inside.sum()
    scale, plain = IntensityScale.fit(scores), IntensityScale.fit(values)
    assert 600 + 60 * scale.lower == pytest.approx(plain.lower, rel=0.01)
    undershot = values.copy()
    undershot.flat[0] = -1
    assert IntensityScale.fit(undershot) == plain


def test_contrast_leaves_background_out_wherever_it_is() -> None:
    values, inside = brain((64, 56))
    image = np.where(inside, values, 650)
    lesion = np.zeros_like(inside)
    lesion[8:16, 22:32] = True  # at the brain's edge
    image = np.where(lesion & inside, 900, image)
    expected = contrast(np.where(inside, image, 0)[None], lesion[None] & inside)
    assert contrast(image[None], lesion[None] & inside) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("constant", [0.0, 600.0])
@pytest.mark.parametrize("blend", ["hard", "feather", "poisson", "crossfade", "tissue"])
def test_no_blend_paints_background_and_no_lesion_lies_in_it(constant: float, blend: str) -> None:
    values, inside = brain((64, 56))
    host = np.where(inside, values, constant)
    host[0, 0] = constant - 1
    donor, _ = brain((64, 56), seed=1)
    label = np.zeros(host.shape, np.uint8)
    label[30:36, 8:14] = 1
    donor = np.where(label > 0, 1000, donor)
    assert inside[label > 0].all()
    paste = PasteLesion(blend=blend, match="gain", axis=None)
    result = paste(host[None], donor[None], label[None]).image[0]
    assert (result != host)[label > 0].any()
    np.testing.assert_array_equal(result[~inside], host[~inside])
    with pytest.raises(ConSinGANError, match=r"36 of the lesion's 36 voxels lie in the background of the host"):
        paste(host[None], donor[None], label[None], offset=(-28, 0))


def test_a_label_in_the_donors_background_is_refused() -> None:
    values, _ = brain((64, 56))
    label = np.zeros(values.shape, np.uint8)
    label[:4, :5] = 1
    with pytest.raises(ConSinGANError, match="20 of the lesion's 20 voxels lie in the background of the donor"):
        PasteLesion()(values[None], values[None], label[None], offset=(30, 25))


def test_every_channel_counts() -> None:
    values, inside = brain((40, 44, 24))
    other = values.copy()
    other[:20] = 0
    mask = np.zeros(inside.shape, bool)
    mask[14:17, 20:24, 10:14] = True
    check_in_tissue(values[None], mask)
    with pytest.raises(ConSinGANError, match="48 of the lesion's 48 voxels lie in the background"):
        check_in_tissue(np.stack([values, other]), mask)


def test_automatic_places_lie_in_tissue_of_a_normalised_scan() -> None:
    values, inside = brain((64, 64, 20))
    scores = np.where(inside, (values - 600) / 60, 0)
    label = np.zeros(inside.shape)
    label[30:35, 30:35, 9:12] = 1
    for region in (None, np.ones(inside.shape)):
        place = find_placement(
            scores, scores, label, spacing=1.0, rng=np.random.RandomState(0), axis=2, brain_mask=region
        )
        moved = np.roll(label, place.offset, (0, 1, 2)) > 0
        assert inside[moved].all()


def test_a_turned_donor_brings_no_air_along() -> None:
    values, inside = brain((64, 56))
    label = np.zeros(inside.shape, np.uint8)
    rows = np.flatnonzero(inside[:, 28])
    label[rows[0] : rows[0] + 8, 24:32] = 1
    label &= inside
    (crop,) = crop_lesions(Donor(values[None], label[None]), values[None])
    turned = turn_donor(crop, (1.0, 1.0), flips=(False, False), degrees=25.0, scale=0.9, axis=None)
    assert turned.valid.any() and not turned.valid.all()
    assert turned.image[0][turned.valid].min() > 0.9 * values[inside].min()


PADDING = [(-1024, 0), (-1, 0), (0, 50), (0, -3), (600, 0), (3000, 0), (0.25, -7.5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("outer", "inner"), PADDING)
def test_a_second_constant_inside_the_first_is_background_too(
    shape: tuple[int, ...], outer: float, inner: float
) -> None:
    values, inside = brain(shape)
    wide = [(9, 5), (7, 9), (0, 0)][: len(shape)]
    image = np.pad(np.where(inside, values, inner), wide, constant_values=outer)
    tissue = np.pad(inside, wide)
    found = find_background(image)
    assert (found.value, found.within and found.within.value) == (outer, inner)
    np.testing.assert_array_equal(found.mask(image), ~tissue)
    assert (head_mask(image) & ~tissue).sum() < 0.05 * tissue.sum()
    assert (head_mask(image) & tissue).sum() > 0.95 * tissue.sum()
    scale, plain = IntensityScale.fit(image), IntensityScale.fit(values)
    assert scale.lower == pytest.approx(plain.lower, rel=0.02)
    mask = np.zeros(image.shape, bool)
    mask[10:13, 8:11] = True  # in the inner constant
    with pytest.raises(ConSinGANError, match=rf"in the background of the host, which is {outer:g} or {inner:g} every"):
        check_in_tissue(image[None], mask)


@pytest.mark.parametrize(("outer", "inner"), PADDING)
def test_no_lesion_is_placed_in_the_air_of_a_padded_scan(outer: float, inner: float) -> None:
    values, inside = brain((40, 40, 20))
    wide = [(8, 8), (8, 8), (0, 0)]
    image = np.pad(np.where(inside, values, inner), wide, constant_values=outer)
    label = np.zeros(image.shape)
    label[26:30, 26:30, 9:12] = 1
    for seed in range(5):
        place = find_placement(image, image, label, spacing=1.0, rng=np.random.RandomState(seed), axis=2)
        assert np.pad(inside, wide)[np.roll(label, place.offset, (0, 1, 2)) > 0].all()


@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_tissue_behind_the_border_is_no_second_constant(shape: tuple[int, ...]) -> None:
    values, inside = brain(shape)
    coarse = np.where(inside, 100 * np.rint(values / 100), 0)
    for image in (values, coarse, np.clip(values, 0, 590)):
        found = find_background(image)
        assert found.within is None


def whole_head(shape: tuple[int, ...], noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A head with dark bone and bright scalp in noisy air, as magnitudes are noisy, and where it is."""
    grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in grid[:2]))
    head = (radius < 0.75) & np.all([np.abs(axis) < 0.8 for axis in grid[2:]], axis=0)
    values, rng = np.where(head, 600.0, 0.0), np.random.RandomState(seed)
    values += np.where(head, 60 * ndimage.gaussian_filter(rng.randn(*shape), 1), 0)
    values[head & (np.abs(radius - 0.6) < 0.04)] = 60.0
    values[head & (radius > 0.68)] = 900.0
    parts = [part + noise * rng.randn(*shape) for part in (values, np.zeros(shape))]
    return np.hypot(*parts).astype(np.float32), head


def padded(values: np.ndarray, how: str, constant: float) -> np.ndarray:
    """A scan whose border is a constant."""
    axes = values.ndim
    if how == "around":
        return np.pad(values, 6, constant_values=constant)
    if how == "one side":
        return np.pad(values, [(0, 14), *[(0, 0)] * (axes - 1)], constant_values=constant)
    if how == "circle":
        grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in values.shape], indexing="ij")
        return np.where(np.hypot(*grid[:2]) < 1.0, values, np.float32(constant))
    assert how == "turned"
    turned = ndimage.rotate(values, 25, axes=(0, 1), order=1, cval=constant)
    return turned if axes < 3 else ndimage.rotate(turned, 10, axes=(0, 2), order=1, cval=constant)


WHOLE = [(80, 72), (48, 46, 30)]
HOWS = ["around", "one side", "circle", "turned"]


@pytest.mark.parametrize("shape", WHOLE)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("constant", [-1024.0, 0.0, 5000.0])
@pytest.mark.parametrize("scores", [False, True])
def test_padding_around_noisy_air_changes_nothing(
    shape: tuple[int, ...], how: str, constant: float, scores: bool
) -> None:
    values, _ = whole_head(shape, 50.0)
    image = padded(values, how, constant)
    mean, gain = (image.mean(), image.std()) if scores else (0.0, 1.0)
    image = (image - mean) / gain
    expected = padded(head_mask(values).astype(np.float32), how, 0.0) > 0.5
    assert (head_mask(image) != expected).sum() < (0.12 if how == "turned" else 0.05) * expected.sum()  # edges
    scale, plain = IntensityScale.fit(image), IntensityScale.fit(values)
    assert scale.lower * gain + mean == pytest.approx(plain.lower, abs=60)
    assert scale.upper * gain + mean == pytest.approx(plain.upper, rel=0.15)
    if how != "turned" and not scores:  # turning makes air less noisy
        shown = padded(TissueLevel.of(values).mask(values).astype(np.float32), how, 0.0) > 0.5
        assert (TissueLevel.of(image).mask(image) != shown).sum() < 0.05 * shown.sum()


@pytest.mark.parametrize("constant", [-1024.0, 0.0, 5000.0])
@pytest.mark.parametrize("how", HOWS)
def test_no_lesion_is_placed_in_noisy_air_that_was_padded(how: str, constant: float) -> None:
    values, head = whole_head((52, 48, 20), 30.0)
    image, shown = padded(values, how, constant), padded(head.astype(np.float32), how, 0.0) > 0.5
    label = np.zeros(image.shape)
    middle = tuple(int(part.mean()) for part in np.nonzero(shown))
    label[tuple(slice(at - 2, at + 3) for at in middle)] = 1
    for seed in range(4):
        place = find_placement(image, image, label, spacing=2.0, rng=np.random.RandomState(seed))
        assert shown[np.roll(label, place.offset, range(3)) > 0].all()


def test_a_stripped_brain_with_a_dark_edge_is_not_padded_air() -> None:
    values, inside = brain((64, 60, 40))
    depth = ndimage.distance_transform_edt(inside)
    fluid = 0.5 + 0.2 * ndimage.gaussian_filter(np.random.RandomState(1).randn(*inside.shape), 1.5) / 0.11
    for deep in (3, 5):  # as in FLAIR
        image = np.where(inside, values * np.where(depth < deep, fluid.clip(0.05, 1), 1), 0)
        assert find_background(image) and not find_background(image).pads


@pytest.mark.parametrize("constant", [-1024.0, -200.0])
def test_a_brain_in_a_constant_far_below_0_is_as_one_in_0(constant: float) -> None:
    """Its dark surface is no tissue to compare with, which a tenth of the way from -1024 let all of it be."""
    values, inside = brain((64, 60, 40))
    depth = ndimage.distance_transform_edt(inside)
    values = np.where(depth < 2, 0.2 * values, values) + 0.25 * np.random.RandomState(1).rand(*inside.shape)
    plain, padded = (np.where(inside, values, outside).astype(np.float32) for outside in (0, constant))
    known, found = find_background(plain), find_background(padded)
    surface = inside & (depth < 2)
    assert found.value == constant and surface.sum() > 1000 and not found.tissue(padded)[surface].any()
    np.testing.assert_array_equal(found.tissue(padded), known.tissue(plain))
    np.testing.assert_array_equal(TissueLevel.of(padded).mask(padded), TissueLevel.of(plain).mask(plain))
    assert head_mask(padded).sum() == pytest.approx(head_mask(plain).sum(), rel=1e-3)
    shifted = np.where(inside, values - 300.5, -300.5).astype(np.float32)  # no padding: 0 lies among the tissue
    np.testing.assert_array_equal(find_background(shifted).tissue(shifted), known.tissue(plain))
    scores = ((plain - plain.mean()) / plain.std()).astype(np.float32)  # which leaves the most of the tissue above 0
    np.testing.assert_array_equal(find_background(scores).tissue(scores), known.tissue(plain))


def test_a_stripped_brain_with_bright_lesions_is_not_padded_air() -> None:
    values, inside = brain((64, 60, 40))
    image = np.where(inside, values, 0)
    image[20:36, 20:36, 12:24] = 4000
    assert find_background(image) and not find_background(image).pads


@pytest.mark.parametrize("shape", SHAPES)
def test_after_a_z_score_zero_is_not_dark(shape: tuple[int, ...]) -> None:
    values, inside = brain(shape)
    scores = (values - values[inside].mean()) / values[inside].std()
    noisy = values + 4 * np.random.RandomState(2).randn(*shape)
    stripped = np.where(inside, values, 0)
    for image, signed in (
        (values, False),
        (np.where(inside, values, -1000), False),  # padded
        (noisy, False),  # an interpolation drives air below 0
        (np.where(inside, scores, 0), True),
        ((noisy - noisy.mean()) / noisy.std(), True),  # of all voxels
        (stripped, False),
        ((stripped - stripped.mean()) / stripped.std(), True),  # of all voxels, which leaves tissue above 0
        (np.where(inside, scores, scores[inside].min()), True),
        (values - 1024, True),
    ):
        assert find_background(image.astype(np.float32)).signed is signed


@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.floats(0.3, 1.0), st.integers(0, 2**32 - 1))
def test_parts_are_those_of_the_whole_array(shape: list[int], share: float, seed: int) -> None:
    mask = np.pad(np.random.default_rng(seed).random(shape) < share, 2, constant_values=True)
    parts, count = ndimage.label(mask)
    faces = [np.unique(np.take(parts, end, axis)) for axis in range(mask.ndim) for end in (0, -1)]
    for least in (3, np.inf):
        kept = [n for n in range(1, count + 1) if n in np.concatenate(faces) or (parts == n).sum() >= least]
        np.testing.assert_array_equal(background._parts(mask, least), np.isin(parts, kept))
        np.testing.assert_array_equal(background._parts(mask[2:-2], np.inf), _touching(mask[2:-2]))


def _touching(mask: np.ndarray) -> np.ndarray:
    """What is connected with a face through a mask."""
    frame = np.pad(mask, 1, constant_values=True)
    parts, _ = ndimage.label(frame)
    return np.asarray(parts == parts.flat[0])[(slice(1, -1),) * mask.ndim]


@given(st.lists(st.integers(1, 7), min_size=2, max_size=3), st.integers(0, 100))
def test_grown_is_a_maximum_filter(shape: list[int], seed: int) -> None:
    mask = np.random.RandomState(seed).rand(*shape) < 0.1
    assert (_grown(mask) == ndimage.maximum_filter(mask, 5)).all()
