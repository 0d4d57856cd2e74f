from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.border import seam_cut
from monai_consingan.transforms.insertion.tissue_blend import TissueBlend


def _scene(seed: int, noise: float = 5.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    host, source = (100 + 20 * gaussian_filter(rng.normal(size=(48, 48)), 4) * 8 for _ in range(2))
    mask = np.hypot(*(np.mgrid[:48, :48] - 24.0)) < 7
    return host + 5 * rng.normal(size=host.shape), source + noise * rng.normal(size=host.shape), mask


def test_cut_takes_the_cheapest_border() -> None:
    # the images agree on a square ring only
    difference = np.full((21, 21), 50.0)
    ring = np.zeros((21, 21), bool)
    ring[4:17, 4:17] = True
    ring[6:15, 6:15] = False
    difference[ring] = 0
    inside = np.zeros((21, 21), bool)
    inside[10, 10] = True
    shown = seam_cut(difference, np.zeros((21, 21)), inside, np.ones((21, 21), bool) & ~_rim(21))
    expected = np.zeros((21, 21), bool)
    expected[5:16, 5:16] = True
    assert shown[6:15, 6:15].all()
    assert not shown[~expected & ~ring].any()


def _rim(side: int) -> np.ndarray:
    rim = np.ones((side, side), bool)
    rim[1:-1, 1:-1] = False
    return rim


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_cut_is_minimal_on_a_line(seed: int) -> None:
    difference = np.random.default_rng(seed).integers(1, 100, size=(1, 12)).astype(float)
    inside, between = np.zeros((1, 12), bool), np.zeros((1, 12), bool)
    inside[0, 0], between[0, :11] = True, True
    shown = seam_cut(difference, np.zeros((1, 12)), inside, between)[0]
    last = int(shown.sum()) - 1
    assert shown[: last + 1].all()
    cost = difference[0, :-1] + difference[0, 1:]
    assert cost[last] == cost.min()


def test_cut_without_a_choice() -> None:
    inside = np.eye(4, dtype=bool)
    first, second = np.ones((4, 4)), np.zeros((4, 4))
    assert (seam_cut(first, second, inside, inside) == inside).all()
    assert not seam_cut(first, second, np.zeros_like(inside), ~inside).any()


@given(st.integers(0, 1000), st.floats(0, 3), st.floats(0, 4), st.floats(0, 4))
@settings(max_examples=15, deadline=None)
def test_host_stays_beyond_reach(seed: int, inner: float, outer: float, fade: float) -> None:
    host, source, mask = _scene(seed)
    blend = TissueBlend(inner_mm=inner, outer_mm=outer, fade_mm=fade)
    result = blend(host, source, mask)
    away = distance_transform_edt(~mask)
    assert np.isfinite(result).all()
    assert (result[away > blend.reach_mm + 0.5] == host[away > blend.reach_mm + 0.5]).all()
    assert (result[mask] != host[mask]).any()


@pytest.mark.parametrize("fade", [0.0, 3.0])
@pytest.mark.parametrize("dims", [2, 3])
def test_same_tissue_stays_itself(thick_slices: Callable[..., np.ndarray], dims: int, fade: float) -> None:
    if dims == 2:
        host, _, mask = _scene(1)
    else:
        host, _, mask = _volumes(thick_slices, 1)
    options = {"fade_mm": fade, "fade_in_space_mm": 1.5 * fade}
    np.testing.assert_allclose(TissueBlend(**options)(host, host, mask), host, atol=1e-6)
    if dims == 2:  # in space a level that stands out is a lesion's
        np.testing.assert_allclose(TissueBlend(keep_profile=False, **options)(host, host + 30, mask), host, atol=1e-4)


@given(st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_profile_within_the_mask_is_the_sources(seed: int) -> None:
    host, source, mask = _scene(seed)
    source[np.hypot(*(np.mgrid[:48, :48] - 24.0)) < 3] -= 60  # a dark core
    depth = distance_transform_edt(mask)
    kept, free = (TissueBlend(keep_profile=keep)(host, source, mask) for keep in (True, False))
    assert abs((kept - source)[mask].mean()) < 0.2
    for low, high in ((0, 2), (2, 4), (4, 9)):
        shell = mask & (depth > low) & (depth <= high)
        assert abs((kept - source)[shell].mean()) < 1.5
    assert abs((free - source)[mask].mean()) > 0.1
    away = distance_transform_edt(~mask)
    assert np.array_equal(kept[away > 3.5], free[away > 3.5])


def test_texture_becomes_the_hosts() -> None:
    host, source, mask = _scene(2, noise=8.0)  # the host's is 5
    core = distance_transform_edt(mask) > 3
    fine = source - gaussian_filter(source, 1.0)
    for texture, expected in ((1.0, 1.0), (1.25, 0.8), (2.0, 5 / 8)):
        result = TissueBlend(texture=texture, keep_profile=False)(host, source, mask)
        ratio = (result - gaussian_filter(result, 1.0))[core].std() / fine[core].std()
        assert abs(ratio - expected) < 0.1


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("level", [0.0, 60.0])  # of what does not stand out, and of a lesion
def test_what_is_unknown_has_no_say(thick_slices: Callable[..., np.ndarray], dims: int, level: float) -> None:
    host, source, mask = _volumes(thick_slices, 3) if dims == 3 else _scene(3)
    valid = np.ones(mask.shape, bool)
    valid[: np.argwhere(mask)[:, 0].min() - 1] = False  # a lesion at the brain's surface
    source = source + level * mask
    air, junk = (np.where(valid | mask, np.stack([host, source]), value) for value in (0.0, 1e6))
    expected, result = (TissueBlend()(*images, mask, valid=valid) for images in (air, junk))
    np.testing.assert_array_equal(result[valid], expected[valid])
    for images, blended in ((air, expected), (junk, result)):
        np.testing.assert_array_equal(blended[~(valid | mask)], images[0][~(valid | mask)])
    assert (expected != air[0]).any()


def test_a_lesion_at_the_donors_surface_has_no_halo() -> None:
    rng = np.random.default_rng(0)
    host, source = (gaussian_filter(rng.normal(100, 10, (40, 40, 40)), 0.7) for _ in range(2))
    mask = _ball(host.shape, 6.5)
    valid = np.indices(mask.shape)[0] >= 13  # the donor's brain ends right beside the lesion
    source = np.where(valid | mask, source + 60 * mask, 0.0)
    result = TissueBlend()(host, source, mask, valid=valid)
    around = distance_transform_edt(~mask)
    for low in range(4):
        shell = (around > low) & (around <= low + 1) & valid
        assert abs((result - host)[shell].mean()) < 3


def test_slices_are_independent() -> None:
    host, source, mask = _scene(4)
    empty = np.zeros_like(mask)
    volumes = [np.stack(pair, axis=1) for pair in ((host, host), (source, source), (mask, empty))]
    result = TissueBlend()(*volumes, axis=1)
    assert np.array_equal(result[:, 0], TissueBlend()(host, source, mask))
    assert np.array_equal(result[:, 1], host)


def test_the_seam_stays_outside_of_a_small_mask() -> None:
    host, source, mask = _scene(7)
    depth = distance_transform_edt(mask)
    small = depth >= depth.max() - 2
    outside = TissueBlend(inner_mm=0)
    assert distance_transform_edt(small).max() < 4
    assert np.array_equal(TissueBlend()(host, source, small), outside(host, source, small))
    assert not np.array_equal(TissueBlend()(host, source, mask), outside(host, source, mask))


def test_spacing_scales_all() -> None:
    host, source, mask = _scene(5)
    small = TissueBlend()(host, source, mask, spacing=1.0)
    large = TissueBlend(2, 6, 6, 4, ring_mm=16.0)(host, source, mask, spacing=2.0)
    assert np.allclose(small, large)


@pytest.mark.parametrize("bad", [{"inner_mm": -1}, {"fade_mm": float("nan")}, {"texture": 0.5}])
def test_options_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(ConSinGANError, match=next(iter(bad))):
        TissueBlend(**bad)


def test_shapes_are_checked() -> None:
    host, source, mask = _scene(6)
    with pytest.raises(ConSinGANError, match="source"):
        TissueBlend()(host, source[:-1], mask)


def test_sequences_have_one_seam_and_levels_of_their_own() -> None:
    host, source, mask = _scene(7)
    alone = TissueBlend()(host, source, mask)
    both = TissueBlend()(np.stack([host, 1000 - 4 * host]), np.stack([source, 1000 - 4 * source]), mask)
    assert np.allclose(both[0], alone) and np.allclose(both[1], 1000 - 4 * alone)
    assert np.array_equal(TissueBlend()(host[None], source[None], mask)[0], alone)
    host_2, source_2, _ = _scene(8)
    pair = np.stack([host, host_2]), np.stack([source, source_2])
    mixed = TissueBlend()(*pair, mask)
    turned = TissueBlend()(*(part[::-1] for part in pair), mask)
    assert np.allclose(mixed, turned[::-1])
    assert ((mixed[0] != host) == (mixed[1] != host_2)).all()


def test_cut_of_several_images_is_where_all_agree() -> None:
    first, second = np.zeros((2, 1, 12)), np.full((2, 1, 12), 9.0)
    second[0, 0, 2:4], second[1, 0, 8:10], second[:, 0, 5:7] = 0, 0, 0
    inside, between = np.arange(12)[None] < 1, np.arange(12)[None] < 11
    assert int(seam_cut(first, second, inside, between).sum()) == 6
    second[1] *= 1000  # in units of its own
    assert int(seam_cut(first, second, inside, between).sum()) == 6


def _ball(shape: tuple[int, ...], radius: float) -> np.ndarray:
    centre = (np.asarray(shape) - 1) / 2
    return np.linalg.norm(np.indices(shape) - centre.reshape(-1, *[1] * len(shape)), axis=0) < radius


def _volumes(thick_slices: Callable[..., np.ndarray], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A host of thick slices, a source of others, and a ball."""
    shape = (40, 40, 43)
    host, source = (100 + 10 * thick_slices(seed + k, shape) for k in (0, 1))
    return host, np.roll(source, 3, axis=2), _ball(shape, 6.5)


@given(st.integers(0, 100))
@settings(max_examples=3, deadline=None)
def test_in_space_tissue_bends_where_the_hosts_slices_are(thick_slices: Callable[..., np.ndarray], seed: int) -> None:
    host, source, mask = _volumes(thick_slices, seed)
    blend = TissueBlend()
    result = blend(host, source, mask)
    between = np.arange(1, 42) % 6 != 0
    near = (distance_transform_edt(~mask) <= blend.reach_mm)[:, :, 1:-1] & between
    bends = np.abs(np.diff(result, 2, axis=2))
    hard = np.abs(np.diff(np.where(mask, source, host), 2, axis=2))
    assert bends[near].mean() < 0.05 * hard[near].mean()
    away = distance_transform_edt(~mask) > blend.reach_mm + 0.5
    assert np.array_equal(result[away], host[away])


def test_in_space_a_lesion_keeps_its_profile_on_thick_slices(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 3)
    depth, around = distance_transform_edt(mask), distance_transform_edt(~mask)
    source = source + np.where(depth > 3, 30.0, 60.0) * mask  # a bright rim
    result = TissueBlend()(host, source, mask)
    for low, high in ((0, 1), (1, 3), (3, 9)):
        shell = mask & (depth > low) & (depth <= high)
        assert abs((result - source)[shell].mean()) < 3
    # and does not spill
    assert result[(around > 0) & (around <= 2)].mean() < 110


def test_in_space_sequences_are_as_sharp_as_the_host_is_in_each(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 5)
    sharp = 100 + 10 * np.random.default_rng(0).normal(size=host.shape)
    both = TissueBlend()(np.stack([host, sharp]), np.stack([source, source]), mask)
    ring = (distance_transform_edt(~mask) <= 3)[:, :, 1:-1] & (np.arange(1, 42) % 6 != 0)
    bends = np.abs(np.diff(both, 2, axis=3))
    assert bends[0][ring].mean() < 0.2 * bends[1][ring].mean()


def test_a_lesion_in_one_sequence_is_one_in_all(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 3)
    faint = source + 8.0 * (mask & (distance_transform_edt(mask) <= 1))
    kept = TissueBlend()(np.stack([host, host]), np.stack([source + 90 * mask, faint]), mask)[1]
    lost = TissueBlend()(host, faint, mask)
    assert (kept - faint)[mask].std() < 0.5 * (lost - faint)[mask].std()


@pytest.mark.parametrize("thick", [1, 2, 3])
def test_a_few_planes_between_two_slices_are_blended(thick_slices: Callable[..., np.ndarray], thick: int) -> None:
    host, source, mask = (part[..., 19 : 19 + thick] for part in _volumes(thick_slices, 0))
    result = TissueBlend()(host, source + 60 * mask, mask)
    assert np.isfinite(result).all()
    assert abs((result - source)[mask].mean() - 60) < 1


def test_a_lesion_of_one_voxel_is_as_bright_as_it_was(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 1)
    for place in ((20, 20, 21), (0, 0, 0), (39, 20, 42)):
        mask[:], source[place] = False, 160.0
        mask[place] = True
        assert abs(TissueBlend()(host, source, mask)[place] - 160) < 0.5


def test_where_nothing_is_the_hosts_the_source_is_taken() -> None:
    host, source, mask = _scene(9)
    assert np.array_equal(TissueBlend()(host, source, np.ones_like(mask)), source)
    volumes = [np.stack(pair, axis=2) for pair in ((host, host), (source, source), (mask, np.ones_like(mask)))]
    result = TissueBlend()(*volumes, axis=2)
    assert np.array_equal(result[..., 0], TissueBlend()(host, source, mask))
    assert np.array_equal(result[..., 1], source)
    assert np.array_equal(TissueBlend()(volumes[0], volumes[1], np.ones_like(volumes[2])), volumes[1])


def test_in_space_only_what_is_no_lesion_fades_within_the_mask(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 2)
    narrow = TissueBlend(fade_in_space_mm=3.0, inner_in_space_mm=0.0, extend_mm=5.5)
    assert narrow.reach_mm == TissueBlend().reach_mm
    lesion = source + 90 * mask
    assert np.abs(TissueBlend()(host, lesion, mask) - narrow(host, lesion, mask))[mask].max() < 2
    border = distance_transform_edt(mask) + distance_transform_edt(~mask) <= 1.5

    def steps(image: np.ndarray) -> float:
        """Mean step in plane beside the mask's border."""
        return float(np.mean([np.abs(np.gradient(image, axis=axis))[border].mean() for axis in (0, 1)]))

    for tissue in (source, source + 40):  # the second is another tissue than the host's, but no lesion among its own
        wide, short = (steps(blend(host, tissue, mask)) for blend in (TissueBlend(), narrow))
        assert abs(wide - steps(host)) < 0.7 * abs(short - steps(host))


@pytest.mark.parametrize("level", [12.0, 90.0])  # of what does not stand out, and of a lesion
def test_a_change_does_not_end_at_once_where_the_donors_tissue_does(
    thick_slices: Callable[..., np.ndarray], level: float
) -> None:
    host, source, mask = _volumes(thick_slices, 4)
    valid = np.ones(mask.shape, bool)
    valid[..., 32:] = False
    result = TissueBlend()(host, source + level * mask + 12, mask, valid=valid)
    last = np.abs(result - host)[..., 31]
    assert np.array_equal(result[..., 32:], host[..., 32:])
    assert 0 < last.max() < 1.5  # of a change of 12, over slices of 6 voxels


def test_distances_that_are_known_already_change_nothing() -> None:
    rng = np.random.default_rng(0)
    host, source = rng.normal(100, 10, (2, 1, 40, 40, 40))
    mask = np.linalg.norm(np.indices((40, 40, 40)) - 20.0, axis=0) < 4
    valid = np.zeros(mask.shape, bool)
    valid[8:30, 10:33, 12:27] = True
    around = distance_transform_edt(~mask)
    around[around > TissueBlend().near_mm] = np.inf
    blended = TissueBlend()(host, source, mask, valid=valid)
    assert (blended != host).any()
    assert (TissueBlend()(host, source, mask, valid=valid, around=around) == blended).all()
    assert (blended[:, ~valid & ~mask] == host[:, ~valid & ~mask]).all()


@given(st.integers(0, 100))
@settings(max_examples=3, deadline=None)
def test_in_space_a_lesion_whose_parts_stand_out_keeps_them(thick_slices: Callable[..., np.ndarray], seed: int) -> None:
    host, source, mask = _volumes(thick_slices, seed)
    label = mask * np.where(np.indices(mask.shape)[0] < 20, 1, 4)  # a bright half and a dark one: no radial profile
    source = source + np.select([label == 1, label == 4], [40, -40])

    def contrast(image: np.ndarray) -> float:
        """Of the one half to the other."""
        return float(image[label == 1].mean() - image[label == 4].mean())

    kept = contrast(TissueBlend()(host, source, label)) / contrast(source)
    washed = contrast(TissueBlend()(host, source, mask)) / contrast(source)
    assert 0.85 < kept < 1.15
    assert washed < kept


def test_a_soft_mask_has_one_part(thick_slices: Callable[..., np.ndarray]) -> None:
    host, source, mask = _volumes(thick_slices, 1)
    soft = mask * np.random.default_rng(0).uniform(0.01, 0.99, mask.shape)
    assert np.array_equal(TissueBlend()(host, source, soft), TissueBlend()(host, source, mask))


@given(st.integers(0, 100))
@settings(max_examples=3, deadline=None)
def test_in_space_a_label_does_not_show_in_the_image(thick_slices: Callable[..., np.ndarray], seed: int) -> None:
    host, source, mask = _volumes(thick_slices, seed)
    middle = np.indices(mask.shape)[0] - 19.5
    source = source + 60 * mask * np.tanh(middle / 2)  # bright on one side, dark on the other, smooth between
    ragged = middle + np.random.default_rng(seed).normal(0, 1.5, mask.shape) > 0
    label = mask * np.where(ragged, 4, 1)
    beside = mask[1:] & mask[:-1] & (label[1:] != label[:-1])

    def step(image: np.ndarray) -> float:
        """Mean step from a voxel of the one part to one of the other beside it."""
        return float((np.diff(image, axis=0) * np.sign(np.diff(label, axis=0)))[beside].mean())

    assert abs(step(TissueBlend()(host, source, label)) - step(source)) < 8


def test_in_space_what_does_not_stand_out_keeps_its_level_without_rings() -> None:
    shape = (40, 40, 40)
    mask = _ball(shape, 6)
    outside = distance_transform_edt(~mask)
    rings = [(outside > low) & (outside <= low + 1) for low in np.arange(0, 6)]
    bends: dict[float, list[float]] = {0.0: [], TissueBlend().soften_mm: []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        host, source = (100 + 10 * gaussian_filter(rng.normal(size=shape), 1) for _ in range(2))
        source += 0.9 * host.std()
        for soften, found in bends.items():
            change = TissueBlend(soften_mm=soften)(host, source, mask) - host
            assert change[mask].mean() == pytest.approx((source - host)[mask].mean(), rel=0.02)
            found.append(float(np.abs(np.diff([change[ring].mean() for ring in rings], 2)).mean()))
    rough, smooth = (np.mean(found) for found in bends.values())
    assert smooth < 0.8 * rough
