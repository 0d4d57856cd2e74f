from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.blend import BlendBack, BlendBackd

SHAPE = (1, 3, 4)


@given(
    host=arrays(np.float32, SHAPE, elements=st.floats(width=32, allow_nan=True)),
    result=arrays(np.float64, SHAPE, elements=st.floats(-1e6, 1e6)),
    weight=arrays(np.float32, SHAPE, elements=st.sampled_from([0.0, 0.25, 1.0])),
)
def test_outside_is_the_host_bit_for_bit_and_full_weight_is_the_result(host, result, weight):
    out = BlendBack()(host, result, weight)
    assert out.dtype == host.dtype
    assert out[weight == 0].tobytes() == host[weight == 0].tobytes()
    np.testing.assert_array_equal(out[weight == 1], result[weight == 1].astype(np.float32))
    part = (weight == 0.25) & np.isfinite(host)
    expected = host[part].astype(float) * 0.75 + result[part] * 0.25
    np.testing.assert_allclose(out[part], expected.astype(np.float32), rtol=1e-5, atol=1e-3)


def test_integers_are_rounded_and_clipped():
    host = np.array([[[10, 10, 10, 10, 10]]], np.uint8)
    result = np.array([[[11.4, 11.6, 300.0, -5.0, 99.0]]])
    out = BlendBack()(host, result, np.array([[[1, 1, 1, 1, 0]]]))
    assert out.dtype == np.uint8 and out.tolist() == [[[11, 12, 255, 0, 10]]]


def test_metadata_and_kind_are_the_hosts():
    host = MetaTensor(torch.zeros(SHAPE, dtype=torch.int16), affine=np.diag([2.0, 3, 1, 1]), meta={"name": "host"})
    result = MetaTensor(torch.full(SHAPE, 4.0), affine=np.eye(4) * 9, meta={"name": "result"})
    weight = MetaTensor(torch.full(SHAPE, 0.5), meta={"name": "weight"})
    out = BlendBack()(host, result, weight)
    assert isinstance(out, MetaTensor) and out.meta["name"] == "host" and out.dtype == torch.int16
    np.testing.assert_array_equal(np.asarray(out.affine), np.diag([2.0, 3, 1, 1]))
    assert (np.asarray(out) == 2).all() and (np.asarray(host) == 0).all()
    assert type(BlendBack()(torch.zeros(SHAPE), result, weight)) is torch.Tensor
    assert isinstance(BlendBack()(np.zeros(SHAPE), result, weight), np.ndarray)


def test_one_weight_serves_all_channels():
    out = BlendBack()(np.zeros((2, 1, 2)), np.ones((2, 1, 2)), np.array([[[0, 1]]]))
    assert out.tolist() == [[[0, 1]], [[0, 1]]]


def test_results_that_are_not_finite_are_refused_where_used_only():
    host, result = np.zeros((1, 1, 2), np.int16), np.array([[[np.nan, 1.0]]])
    assert BlendBack()(host, result, np.array([[[0, 1]]])).tolist() == [[[0, 1]]]
    with pytest.raises(ConSinGANError, match="NaN"):
        BlendBack()(host, result, np.array([[[1, 1]]]))


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_weights_outside_the_range_are_refused(bad):
    with pytest.raises(ConSinGANError, match=r"\[0, 1\]"):
        BlendBack()(np.zeros(SHAPE), np.zeros(SHAPE), np.full(SHAPE, bad))


def test_shapes_are_named():
    with pytest.raises(ConSinGANError, match=r"result has shape \(1, 2, 2\) but host has \(1, 3, 4\)"):
        BlendBack()(np.zeros(SHAPE), np.zeros((1, 2, 2)), np.zeros(SHAPE))
    with pytest.raises(ConSinGANError, match="weight"):
        BlendBack()(np.zeros(SHAPE), np.zeros(SHAPE), np.zeros((1, 2, 2)))


def test_dictionary():
    data = {"host": np.zeros(SHAPE), "fake": np.ones(SHAPE), "alteration": np.full(SHAPE, 0.5)}
    assert (BlendBackd("fake")(data)["fake"] == 0.5).all()
    out = BlendBackd("fake", output_keys="image")(data)
    assert (out["image"] == 0.5).all() and out["fake"] is data["fake"]


def test_each_image_is_blended_into_its_own_host():
    weight = np.array([[[0.0, 1.0]]])
    data = {
        "a": np.zeros((1, 1, 2)),
        "b": np.ones((1, 1, 2)),
        "x": np.full((1, 1, 2), 5.0),
        "y": np.full((1, 1, 2), 6.0),
    }
    out = BlendBackd(["x", "y"], host_key=["a", "b"])({**data, "alteration": weight})
    assert (out["x"].tolist(), out["y"].tolist()) == ([[[0.0, 5.0]]], [[[1.0, 6.0]]])


def between_slices(slices: np.ndarray, thickness: int = 5) -> np.ndarray:
    """A volume resampled from slices along its last axis by linear interpolation."""
    places = np.arange(thickness * (slices.shape[-1] - 1) + 1) / thickness
    low = np.minimum(places.astype(int), slices.shape[-1] - 2)
    return slices[..., low] * (1 - (places - low)) + slices[..., low + 1] * (places - low)


def test_a_change_in_space_bends_where_the_hosts_slices_were():
    rng = np.random.default_rng(0)
    host = between_slices(rng.normal(100, 10, (1, 16, 16, 8))).astype(np.float32)
    weight = np.zeros(host.shape, np.float32)
    weight[:, 4:12, 4:12, 6:30] = 1
    noise = rng.normal(0, 5, host.shape)
    plain, out = (BlendBack(bends)(host, host + noise, weight) - host for bends in (False, True))
    rough, smooth = (np.abs(np.diff(change, 2, axis=3)).mean() / np.abs(change).mean() for change in (plain, out))
    assert out.any() and smooth < 0.5 * rough
    assert not out[weight == 0].any()


def test_a_change_to_a_sharp_host_is_what_it_is():
    rng = np.random.default_rng(1)
    host, result = rng.normal(100, 10, (2, 2, 9, 10, 11)).astype(np.float32)
    weight = np.zeros((1, 9, 10, 11), np.float32)
    weight[:, 2:7, 3:7, 3:8] = rng.random((5, 4, 5))
    np.testing.assert_allclose(
        BlendBack(bends=True)(host, result, weight), BlendBack()(host, result, weight), rtol=1e-6
    )
