from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.data import MetaTensor

from monai_consingan.distance import outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.alteration import (
    AlterationMask,
    AlterationMaskd,
    LesionAlteration,
    alteration_weight,
)

LINE = np.array([[0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]])


def test_whole_is_one_to_the_dilation_then_a_cosine_ramp_to_zero():
    weight = alteration_weight(LINE, spacing=1, dilation_mm=1, softness_mm=2)
    np.testing.assert_allclose(weight, [[0, 0, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0]], atol=1e-7)
    assert weight.dtype == np.float32


def test_band_leaves_the_core_untouched():
    mask = np.zeros((1, 15))
    mask[0, 3:12] = 1
    weight = alteration_weight(mask, spacing=1, dilation_mm=1, softness_mm=2, mode="band")
    np.testing.assert_allclose(weight, [[0, 0.5, 1, 1, 0.5, 0, 0, 0, 0, 0, 0.5, 1, 1, 0.5, 0]], atol=1e-7)


def test_no_softness_is_a_hard_edge():
    np.testing.assert_array_equal(
        alteration_weight(LINE, spacing=0.5, dilation_mm=1, softness_mm=0), [[0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]]
    )


def test_distances_are_in_mm_along_each_axis():
    mask = np.zeros((9, 9))
    mask[4, 4] = 1
    weight = alteration_weight(mask, spacing=(1.0, 3.0), dilation_mm=3, softness_mm=0)
    np.testing.assert_array_equal(np.flatnonzero(weight[:, 4]), [1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(np.flatnonzero(weight[4]), [3, 4, 5])


def test_with_an_axis_slices_do_not_see_each_other():
    mask = np.zeros((9, 9, 3))
    mask[4, 4, 1] = 1
    weight = alteration_weight(mask, spacing=(1, 1, 0.1), dilation_mm=1, softness_mm=2, axis=2)
    assert not weight[..., 0].any() and not weight[..., 2].any()
    np.testing.assert_array_equal(
        weight[..., 1], alteration_weight(mask[..., 1], spacing=1, dilation_mm=1, softness_mm=2)
    )
    assert alteration_weight(mask, spacing=(1, 1, 0.1), dilation_mm=1, softness_mm=2)[..., 0].any()


def test_full_and_empty_masks():
    for mode, value in (("whole", 1), ("band", 0)):
        assert (alteration_weight(np.ones((3, 3)), spacing=1, mode=mode) == value).all()
        assert not alteration_weight(np.zeros((3, 3)), spacing=1, mode=mode).any()


@given(
    mask=arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5))),
    spacing=st.tuples(*[st.floats(0.3, 7)] * 3),
    dilation=st.floats(0, 6),
    softness=st.floats(0, 6),
)
def test_against_distances_counted_one_by_one(mask, spacing, dilation, softness):
    weight = alteration_weight(mask, spacing=spacing, dilation_mm=dilation, softness_mm=softness)
    if not mask.any():
        assert not weight.any()
        return
    every = np.argwhere(np.ones(mask.shape)) * spacing
    distance = np.linalg.norm(every[:, None] - (np.argwhere(mask) * spacing)[None], axis=-1).min(axis=1)
    distance = distance.reshape(mask.shape)
    assert (weight[distance < dilation - 1e-6] == 1).all() and (weight[mask] == 1).all()
    assert (weight[distance > dilation + softness + 1e-6] == 0).all()
    assert weight.min() >= 0 and weight.max() <= 1
    order = np.argsort(distance.ravel())
    assert (np.diff(weight.ravel()[order]) <= 1e-6).all()


@given(mask=arrays(bool, (6, 7)), reach=st.floats(0.5, 9))
def test_limited_reach_changes_nothing_within_it(mask, reach):
    full = outside_distance(mask, (1.0, 1.5))
    near = outside_distance(mask, (1.0, 1.5), reach_mm=reach)
    np.testing.assert_array_equal(near[full <= reach], full[full <= reach])
    assert (near[full > reach] > reach).all()


def test_spacing_comes_from_the_affine_and_the_kind_of_array_is_kept():
    mask = torch.from_numpy(LINE[None].astype(np.int16))
    affine = np.diag([-2.0, -4.0, 1.0, 1.0])
    out = AlterationMask(dilation_mm=4, softness_mm=0)(MetaTensor(mask, affine=affine, meta={"mark": 7}))
    np.testing.assert_array_equal(np.asarray(out[0, 0]), [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0])
    assert isinstance(out, MetaTensor) and out.meta["mark"] == 7 and out.dtype == torch.float32
    np.testing.assert_array_equal(np.asarray(out.affine), affine)
    plain = AlterationMask(dilation_mm=1, softness_mm=0)(mask)
    assert type(plain) is torch.Tensor and torch.equal(plain, torch.Tensor(out))
    array = AlterationMask(dilation_mm=1, softness_mm=0)(LINE[None])
    assert isinstance(array, np.ndarray) and np.array_equal(array, plain.numpy())


def test_dictionary():
    data = {"label": LINE[None], "other": 1}
    out = AlterationMaskd("label", output_keys="weight", dilation_mm=1)(data)
    assert out["other"] == 1 and out["label"] is data["label"] and "weight" not in data
    np.testing.assert_array_equal(out["weight"], AlterationMask(dilation_mm=1)(LINE[None]))
    np.testing.assert_array_equal(AlterationMaskd("label", dilation_mm=1)(data)["label"], out["weight"])
    assert AlterationMaskd(["label", "none"], allow_missing_keys=True)(data).keys() == data.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "rim"}, "rim"),
        ({"dilation_mm": -1}, "dilation_mm is -1"),
        ({"softness_mm": np.nan}, "softness_mm is nan"),
        ({"axis": 2}, "axis 2"),
        ({"spacing": (1, 0)}, r"spacing \(1, 0\)"),
        ({"spacing": (1, 1, 1)}, "2 positive numbers"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ConSinGANError, match=words):
        alteration_weight(LINE, **{"spacing": 1.0, **arguments})


def test_bad_masks():
    with pytest.raises(ConSinGANError, match="NaN"):
        alteration_weight(np.full((2, 2), np.nan), spacing=1)
    with pytest.raises(ConSinGANError, match=r"\(2, 3, 3\)"):
        AlterationMask()(np.ones((2, 3, 3)))


def test_smooth_is_the_published_mask():
    mask = np.zeros((9, 9))
    mask[4, 4] = 1
    hard = alteration_weight(mask, spacing=0.7, dilation_mm=3 * 0.7, softness_mm=0, mode="smooth")
    rows, columns = np.mgrid[-4:5, -4:5]
    np.testing.assert_array_equal(hard, rows**2 + columns**2 <= 9)  # a disk of 3 pixels
    # a row of ones under a gaussian of 1 pixel, cut off at 4, stretched to [0, 1]
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    line = np.zeros(31)
    line[13:18] = 1
    blurred = np.convolve(line, kernel / kernel.sum(), "same")
    weight = alteration_weight(line[None] > 0, spacing=(1000, 2), dilation_mm=0, softness_mm=2, mode="smooth")
    np.testing.assert_allclose(weight[0], blurred / blurred.max(), atol=1e-6)
    assert not weight[0, :9].any() and weight[0, 9] > 0


def test_smooth_takes_every_slice_by_itself():
    mask = np.zeros((21, 21, 3))
    mask[10, 10, 0] = mask[5:16, 5:16, 2] = 1
    options = {"dilation_mm": 2.0, "softness_mm": 1.5, "mode": "smooth"}
    weight = alteration_weight(mask, spacing=(1, 1, 0.1), axis=2, **options)
    assert not weight[..., 1].any()
    for index in (0, 2):
        np.testing.assert_allclose(weight[..., index], alteration_weight(mask[..., index], spacing=1, **options))
        assert weight[..., index].max() == 1


def test_weight_within_slices_and_in_space():
    lesion = np.zeros((1, 9, 9, 9), np.uint8)
    lesion[0, 4, 4, 4] = 1
    flat, round_ = (LesionAlteration("outside", 1.0, 1.0, dims=dims)(lesion) for dims in (2, 3))
    assert flat.mask[0].any(axis=(0, 1)).sum() == 1 and round_.mask[0].any(axis=(0, 1)).sum() == 3
    np.testing.assert_array_equal(flat.mask[..., 4], round_.mask[..., 4])
    image = np.zeros((2, 9, 9, 9))
    other = image.copy()
    other[1, 0, 0, 0] = 1  # in one sequence
    assert LesionAlteration(dims=3)(lesion, other, image).mask[0, 0, 0, 0] == 1


def _stripped_head() -> np.ndarray:
    """A head of two channels whose skull was stripped: 0 beyond 12 pixels from the middle."""
    rows, columns = np.ogrid[:40, :40]
    inside = np.hypot(rows - 19.5, columns - 19.5) < 12
    tissue = np.random.RandomState(0).uniform(50, 150, (2, 40, 40))
    return np.where(inside, tissue, 0.0).astype(np.float32)


@pytest.mark.parametrize("mode", ["whole", "band", "outside", "smooth"])
def test_background_of_the_host_is_not_redrawn(mode):
    host = _stripped_head()
    lesion = np.zeros((1, 40, 40), np.uint8)
    lesion[:, 9:14, 17:23] = 1  # at the head's border
    naive = np.where((lesion > 0) & (host > 0), 300.0, host).astype(np.float32)
    usual, _ = LesionAlteration(mode, 2.0, 3.0, dims=2)(lesion)
    weight, mask = LesionAlteration(mode, 2.0, 3.0, dims=2)(lesion, naive, host)
    air = (host == 0).any(axis=0, keepdims=True)
    assert (usual[air] > 0).any()  # or this test says nothing
    assert not weight[air].any()
    np.testing.assert_array_equal(weight[~air], usual[~air])
    np.testing.assert_array_equal(mask > 0, (usual > 0) & ~air | (lesion > 0))


def test_what_was_pasted_onto_background_may_be_redrawn():
    host = _stripped_head()
    lesion = np.zeros((1, 40, 40), np.uint8)
    lesion[:, 5:12, 17:23] = 1
    naive = np.where(lesion > 0, 300.0, host).astype(np.float32)
    weight, _ = LesionAlteration("whole", 0.0, 0.0, dims=2)(lesion, naive, host)
    np.testing.assert_array_equal(weight > 0, lesion > 0)


def test_a_host_without_background_is_redrawn_everywhere():
    host = np.random.RandomState(0).uniform(50, 150, (1, 30, 30)).astype(np.float32)
    lesion = np.zeros((1, 30, 30), np.uint8)
    lesion[:, 12:16, 12:16] = 1
    weight, _ = LesionAlteration("whole", 2.0, 3.0, dims=2)(lesion, host + lesion, host)
    np.testing.assert_array_equal(weight, LesionAlteration("whole", 2.0, 3.0, dims=2)(lesion).weight)
