from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.data import IntensityScale
from monai_consingan.errors import ConSinGANError


@settings(max_examples=100, deadline=None)
@given(
    lower=st.floats(-1e4, 1e4),
    width=st.floats(1e-2, 1e5),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    as_tensor=st.booleans(),
)
def test_round_trip(lower: float, width: float, fractions: list[float], as_tensor: bool) -> None:
    scale = IntensityScale(lower, lower + width)
    inside = np.clip(lower + width * np.asarray(fractions), lower, lower + width)
    x: Any = torch.from_numpy(inside) if as_tensor else inside
    scaled = scale.apply(x)
    back = scale.undo(scaled)
    assert type(scaled) is type(back) is type(x)
    assert scaled.min() >= -1 and scaled.max() <= 1
    rounding = 2.0**-23 * (width + np.abs(inside).max())
    np.testing.assert_allclose(np.asarray(back), inside, rtol=0, atol=rounding)
    np.testing.assert_allclose(
        np.asarray(scale.apply(back)), np.asarray(scaled), rtol=0, atol=2 * rounding / width + 1e-6
    )


def test_ends_and_clipping() -> None:
    scale = IntensityScale(100.0, 300.0)
    np.testing.assert_array_equal(scale.apply(np.array([0, 100, 200, 300, 999])), [-1, -1, 0, 1, 1])
    np.testing.assert_array_equal(scale.undo(np.array([-1.0, 0.0, 1.0])), [100, 200, 300])


def test_percentiles_are_of_the_foreground() -> None:
    image = np.concatenate([np.zeros(9000), np.arange(1, 1001)])
    scale = IntensityScale.fit(image)
    np.testing.assert_allclose([scale.lower, scale.upper], np.percentile(np.arange(1, 1001), [0.5, 99.9]))


def test_images_are_pooled() -> None:
    scale = IntensityScale.fit(np.array([0.0, 1, 2]), torch.tensor([0.0, 50, 60]))
    np.testing.assert_allclose([scale.lower, scale.upper], np.percentile([1, 2, 50, 60], [0.5, 99.9]))


def test_every_channel_has_limits_of_its_own() -> None:
    batch = (
        torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0])[:, None, None]
    )
    kept = torch.zeros(3, 1, 8, 8)
    kept[0, 0, 0, 0], batch[0, 1, 0, 0] = 1, 999
    both = IntensityScale.fit_channels(batch, batch, keep=kept)
    each = [IntensityScale.fit(part, part, keep=kept) for part in batch.split(1, dim=1)]
    assert (both.lower, both.upper) == tuple(zip(*((scale.lower, scale.upper) for scale in each), strict=True))
    assert both.upper[1] == 999 and IntensityScale.fit_channels(batch[:, :1]) == IntensityScale.fit(batch[:, :1])


def test_kept_voxels_are_inside() -> None:
    image = np.random.RandomState(0).uniform(10, 20, (1, 60, 60))
    image[0, 0, 0], image[0, 0, 1], image[0, 5, 5] = 0, 5, 900
    mask = np.zeros_like(image)
    mask[0, 0, 1] = mask[0, 5, 5] = 1
    assert IntensityScale.fit(image).upper < 21
    scale = IntensityScale.fit(image, keep=mask)
    assert (scale.lower, scale.upper) == (5.0, 900.0)
    paired = IntensityScale.fit(image - 20, image, keep=torch.from_numpy(mask))
    assert paired.lower < 0 and paired.upper == 900.0


def test_meta_survives() -> None:
    affine = torch.diag(torch.tensor([2.0, 3, 4, 1], dtype=torch.float64))
    scaled = IntensityScale(0, 2).apply(MetaTensor(torch.ones(1, 2, 2), affine=affine))
    assert isinstance(scaled, MetaTensor) and torch.equal(scaled.affine, affine) and scaled.dtype == torch.float32


def test_as_dict_round_trip() -> None:
    scale = IntensityScale(-3.5, 12.25)
    assert scale.as_dict() == {"lower": -3.5, "upper": 12.25}
    assert IntensityScale.from_dict(scale.as_dict()) == scale


@pytest.mark.parametrize(
    ("images", "kwargs", "message"),
    [
        ((np.full(9, 3.0),), {}, "constant"),
        ((), {}, "at least one image"),
        ((np.zeros(0),), {}, "at least one image"),
        ((np.array([0.0, 1.0, 1.0]),), {}, "no range"),
        ((np.arange(9.0),), {"keep": np.ones(4)}, r"\(4,\)"),
    ],
)
def test_refusals(images: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        IntensityScale.fit(*images, **kwargs)
