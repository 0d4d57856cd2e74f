from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import seam, texture
from monai_consingan.transforms import MatchedFill, RemoveLesion, poisson_blend

NEAR = 5.0
"""A quarter of the structure's standard deviation."""


def tissue(shape=(64, 60), seed=0, scale=3.0) -> np.ndarray:
    """Smooth structure of a standard deviation of 20 around 100."""
    smooth = gaussian_filter(np.random.RandomState(seed).normal(size=shape), scale, mode="wrap")
    return 100 + 20 * smooth / smooth.std()


def rough(shape=(64, 60), seed=0, strength=5.0) -> np.ndarray:
    return np.random.RandomState(seed).normal(scale=strength, size=shape)


def box(shape=(64, 60), rows=(28, 40), columns=(24, 36)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


@settings(max_examples=15, deadline=None)
@given(down=st.integers(-6, 6), right=st.integers(-3, 3), seed=st.integers(0, 99))
def test_finds_where_the_source_fits(down, right, seed):
    """A source moved within reach gives the truth back, however bright and whatever the host shows inside, but for what
    the finest part at the border leaves in it."""
    truth, mask = tissue(seed=seed), box()
    source = np.roll(truth + 30, (down, right), axis=(0, 1))
    if np.hypot(down, right) > 6:
        return
    filled = MatchedFill(texture=0)(np.where(mask, 500, truth), source, mask)
    np.testing.assert_allclose(filled, truth, atol=NEAR)


def test_spacing_and_reach_are_in_mm():
    truth, mask = tissue(), box()
    source = np.roll(truth, 5, axis=0)
    for spacing, reach, found in (((1.0, 1.0), 5.0, True), ((2.0, 1.0), 10.0, True), ((2.0, 1.0), 9.0, False)):
        filled = MatchedFill(reach, texture=0)(np.where(mask, 0, truth), source, mask, spacing=spacing)
        assert (np.abs(filled - truth).max() < NEAR) == found


def test_an_unrelated_source_leaves_structure_to_the_border():
    truth, mask = tissue(), box()
    source = 300 - 2 * tissue(seed=5)
    plain = MatchedFill(0, structure=0, texture=0)
    shares = plain(truth, 200 - truth, mask)  # the opposite of the truth: nothing of it
    np.testing.assert_allclose(shares, poisson_blend(truth, np.zeros_like(truth), mask), atol=NEAR)
    error = [
        np.abs(fill - truth)[mask].mean() for fill in (plain(truth, source, mask), poisson_blend(truth, source, mask))
    ]
    assert error[0] < 0.7 * error[1]


@pytest.mark.parametrize("least", [0.0, 0.4, 0.7])
def test_takes_at_least_a_share_of_the_finer_structure(least):
    """Of a source that is the opposite of the host, nothing fits: what is taken is what is asked for."""
    host, mask = tissue(scale=2), box()
    nothing, part, whole = (
        MatchedFill(0, structure=share, texture=0)(host, 200 - host, mask) for share in (0, least, 1)
    )
    assert np.abs(whole - nothing)[mask].mean() > 2
    np.testing.assert_allclose(part - nothing, least * (whole - nothing), atol=1e-6)


@pytest.mark.parametrize("wanted", [0.85, 1.0])
@pytest.mark.parametrize("strength", [3.5, 8.0])
def test_is_as_rough_as_asked_for(wanted, strength):
    host, mask = tissue(scale=6) + rough(), box()
    source = tissue(scale=6) + rough(seed=1, strength=strength)
    filled = MatchedFill(texture=wanted)(np.where(mask, 500, host), source, mask)
    assert texture(filled[None], mask[None]) == pytest.approx(wanted, rel=0.05)
    assert seam(filled[None], mask[None]) < 1.3
    as_it_is = MatchedFill(texture=0)(np.where(mask, 500, host), source, mask)
    assert texture(as_it_is[None], mask[None]) == pytest.approx((strength / 5) ** 2, rel=0.5)


def test_strength_is_limited():
    host, mask = rough(strength=50) + 100, box()
    found = [
        texture(MatchedFill(0, texture=0.85, most=most)(host, 100 + rough(seed=1, strength=1), mask)[None], mask[None])
        for most in (2, 1000)
    ]
    assert found == [pytest.approx(0, abs=0.03), pytest.approx(0.85, rel=0.05)]


def test_takes_nothing_that_is_not_usable_and_fills_nothing_outside_the_head():
    truth, mask = tissue() + rough(), box()
    source, usable = np.roll(truth, 4, axis=0), np.ones(truth.shape, bool)
    source[10:31], usable[10:31] = 5000, False  # reaches into where the best place would be
    head = np.ones(truth.shape, bool)
    head[:, 34:] = False
    host = np.where(mask, 700, np.where(head, truth, 0))
    filled = MatchedFill()(host, source, mask, usable=usable, head=head)
    assert filled[mask & head].max() < 300
    np.testing.assert_array_equal(filled[~(mask & head)], host[~(mask & head)])
    with pytest.raises(ConSinGANError, match=r"within 6 mm there is no place .* 144 voxels"):
        MatchedFill()(host, source, mask, usable=np.zeros(truth.shape))
    with pytest.raises(ConSinGANError, match="no place"):
        MatchedFill()(host, source, mask, source_head=np.zeros(truth.shape))


def test_a_share_of_what_is_taken_may_be_unusable():
    """Such voxels are filled all the same, without what is there; more than the share are refused."""
    truth, mask = tissue(scale=6) + rough(), box()
    usable = np.ones(truth.shape, bool)
    usable[:32] = False  # a third of the box, and all above it
    source = np.where(usable, truth, 5000)
    filled = MatchedFill(0, unusable=0.4)(np.where(mask, 0, truth), source, mask, usable=usable)
    assert abs(filled[mask].mean() - truth[mask].mean()) < 10 and filled[mask].max() < 200
    with pytest.raises(ConSinGANError, match="no place"):
        MatchedFill(0, unusable=0.3)(np.where(mask, 0, truth), source, mask, usable=usable)


def test_levels_fit_to_ill_tissue_that_is_not_measured():
    truth, mask = tissue() + rough(), box()
    ill = np.zeros(mask.shape, bool)
    ill[20:28, 20:44] = True  # above the box, much brighter and without texture
    host = np.where(ill, 400.0, np.where(mask, 0, truth))
    filled = MatchedFill()(host, truth, mask, ill=ill)
    assert filled[28, 28:32].mean() > 300 > 200 > filled[39, 28:32].mean()
    plain = MatchedFill()(np.where(mask, 0, truth), truth, mask, ill=ill)
    fine = [np.std((image - gaussian_filter(image, 1))[34:40, 26:34]) for image in (filled, plain)]
    assert 0.4 * fine[1] < fine[0] < 1.2 * fine[1]


def test_levels_fit_to_what_is_unusual_also_where_most_of_the_surroundings_are_ill():
    """A vessel beside the mask has no say in structure and texture, but levels meet it, wherever illness is."""
    truth, mask = tissue() + rough(), box()
    vessel = np.zeros(mask.shape, bool)
    vessel[26:28, 20:44] = True
    host = np.where(vessel, 400.0, np.where(mask, 0, truth))
    for ill in (np.zeros(mask.shape), np.ones(mask.shape)):
        filled = MatchedFill()(host, truth, mask, ill=ill)
        assert filled[28, 28:32].mean() > 250 > 200 > filled[39, 28:32].mean()


@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_a_channel_that_is_mostly_flat_has_no_more_say_than_others(unit):
    """More than half of its surroundings have one value, as in a map of perfusion: its unit decides nothing."""
    truth, mask = tissue(), box()
    spots = np.where(np.random.RandomState(3).random(truth.shape) < 0.1, unit, 0.0)  # noise that no move explains
    source = np.stack([np.roll(truth, 4, axis=0), spots[::-1]])
    filled = MatchedFill(texture=0)(np.where(mask, 500, np.stack([truth, spots])), source, mask)
    np.testing.assert_allclose(filled[0], truth, atol=NEAR)


def test_a_channel_that_is_flat_around_has_no_say():
    truth, mask = tissue(), box()
    source = np.stack([np.roll(truth, 4, axis=0), rough(strength=1e3)])
    filled = MatchedFill(texture=0)(np.where(mask, 500, np.stack([truth, np.zeros_like(truth)])), source, mask)
    np.testing.assert_allclose(filled[0], truth, atol=NEAR)


def test_where_nothing_around_tells_a_place_the_same_one_is_taken():
    sources, mask = np.stack([tissue(), tissue(seed=1)]), box()
    filled = MatchedFill(texture=0, structure=1)(np.zeros_like(sources), sources, mask)
    for channel, source in zip(filled, sources, strict=True):
        fine = [(image - gaussian_filter(image, 4))[mask] for image in (channel, source)]
        assert np.corrcoef(*fine)[0, 1] > 0.8


def test_parts_are_moved_by_themselves_and_slices_do_not_mix():
    truth = np.stack([tissue((90, 60), k) for k in range(3)], axis=-1)
    mask = np.zeros(truth.shape, bool)
    mask[10:20, 10:20, :2] = mask[70:80, 40:50, 1:] = True
    source = np.roll(truth, 3, axis=0)
    source[45:] = np.roll(truth, -2, axis=1)[45:]
    filled = MatchedFill(texture=0)(np.where(mask, 0, truth), source, mask, axis=2, spacing=(1, 1, 5))
    np.testing.assert_allclose(filled, truth, atol=NEAR)
    truth = tissue(truth.shape, scale=4)
    space = MatchedFill(texture=0)(np.where(mask, 0, truth), np.roll(truth, 2, axis=1), mask, spacing=(1, 1, 5))
    np.testing.assert_allclose(space, truth, atol=NEAR)


@pytest.mark.parametrize("method", ["matched_mirror", "matched_nearby", "moved_mirror"])
def test_removal_is_as_rough_as_tissue_and_leaves_the_rest(method):
    grid = np.mgrid[-1:1:64j, -1:1:60j]
    clean = np.where((grid**2).sum(0) < 0.8**2, tissue(scale=6) + rough(), 0.0)[None]
    image, label = clean.copy(), np.zeros(clean.shape, np.int16)
    label[0, 14:22, 26:36] = 1
    image[label > 0] = 400
    removed = RemoveLesion(method)(image, label)
    assert removed.method == method
    assert np.array_equal(removed.image[removed.mask == 0], image[removed.mask == 0])
    assert removed.image.max() < 250
    assert 0.7 < texture(removed.image, removed.mask) < 1.05
    both = label | label[:, ::-1]
    far = RemoveLesion(("matched_mirror", "matched_nearby"))(np.where(both, 400, clean), both)
    assert far.image.max() < 250


def test_removal_works_in_the_surroundings_of_every_part_only():
    """What is far away has no say: the parts of a removal are those of a filling of the whole image."""
    image = np.stack([tissue((96, 80), seed) + rough((96, 80), seed) for seed in (0, 1)])
    label = np.zeros((1, 96, 80), np.int16)
    label[0, 20:28, 20:30] = label[0, 30:36, 55:62] = 1
    label[0, 22:26, 48:52] = 2  # stays
    ill, fill = label[0] > 0, label[0] == 1
    removed = RemoveLesion("matched_mirror", 47.5, margin_mm=0)(image, label, [1])
    where = {"ill": ill, "usable": ~ill[::-1], "head": np.ones_like(ill)}
    whole = MatchedFill()(image, image[:, ::-1], fill, **where)
    limits = [(part.min(), part.max()) for part in image]
    whole = np.stack([np.clip(part, *limit) for part, limit in zip(whole, limits, strict=True)])
    assert np.array_equal(removed.mask[0] > 0, fill)
    np.testing.assert_allclose(removed.image, whole, rtol=1e-9)


def test_numbers_out_of_range():
    for name in ("reach_mm", "ring_mm", "coarse_mm", "texture", "most"):
        with pytest.raises(ConSinGANError, match=f"{name} is -1"):
            MatchedFill(**{name: -1})
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ConSinGANError, match=f"structure is {share}; give a number.* from 0 to 1"):
            MatchedFill(structure=share)
    with pytest.raises(ConSinGANError, match="source has shape"):
        MatchedFill()(np.zeros((4, 4)), np.zeros((4, 5)), np.zeros((4, 4)))
    with pytest.raises(ConSinGANError, match="usable has shape"):
        MatchedFill()(np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 4)), usable=np.zeros((4, 5)))
    untouched = MatchedFill()(np.eye(4), np.zeros((4, 4)), np.zeros((4, 4)))
    assert np.array_equal(untouched, np.eye(4))


@pytest.mark.parametrize("strange", [1.0, 10.0])
def test_a_hole_is_taken_only_where_places_count_by_their_surroundings_alone(strange: float) -> None:
    random = np.random.default_rng(0)
    host = 100 + random.normal(size=(40, 90))
    mask = np.zeros(host.shape)
    mask[15:25, 15:25] = 1
    host[7:33, 57:83] = host[7:33, 7:33] + 0.7 * random.normal(size=(26, 26))  # the surroundings are most like
    host[17:23, 67:73] = 20  # and there is a hole
    usable = mask == 0
    filled = MatchedFill(reach_mm=50.0, structure=1.0, strange=strange)(host, host, mask, usable=usable)
    assert (filled[17:23, 17:23].mean() < 50) == (strange == 1)


@pytest.mark.parametrize("seed", range(3))
def test_takes_no_air_from_a_source_that_ends_sooner(seed):
    """The outermost voxels of the region are air in the source: they are filled smoothly, and not darker for that."""
    shape = (64, 30, 12)
    host, source = (tissue(shape, seed, scale=2) + rough(shape, number) for number in (seed, seed + 9))
    host[-8:], source[-10:] = 0, 0
    mask = np.zeros(shape, bool)
    mask[4:-8, 10:20, 3:9] = True
    filled = MatchedFill(0)(host, source, mask, head=host > 0, source_head=source > 0)
    rim = mask & (np.arange(64) >= 52)[:, None, None]
    assert filled[rim].mean() == pytest.approx(host[rim].mean(), abs=2.5)
