from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.poisson import poisson_blend


def dense(host, source, mask, weights):
    """The same equation, row by row, solved densely."""
    places = [tuple(p) for p in np.argwhere(mask)]
    number = {p: i for i, p in enumerate(places)}
    matrix, right = np.zeros((len(places),) * 2), np.zeros(len(places))
    for p, i in number.items():
        for along, w in enumerate(weights):
            for step in (-1, 1):
                q = tuple(x + step * (a == along) for a, x in enumerate(p))
                if w == 0 or not all(0 <= x < n for x, n in zip(q, mask.shape, strict=True)):
                    continue
                matrix[i, i] += w
                right[i] += w * (source[p] - source[q])
                if q in number:
                    matrix[i, number[q]] -= w
                else:
                    right[i] += w * host[q]
    out = host.copy()
    out[tuple(np.transpose(places))] = np.linalg.solve(matrix, right)
    return out


@given(mask=arrays(bool, (5, 6)), seed=st.integers(0, 99))
def test_planes_solve_the_equation(mask, seed):
    rng = np.random.RandomState(seed)
    host, source = rng.randn(5, 6), rng.randn(5, 6)
    mask[0, 0], mask[2, 2] = False, True
    result = poisson_blend(host, source, mask)
    np.testing.assert_allclose(result, dense(host, source, mask, (1, 1)), atol=1e-9)
    np.testing.assert_array_equal(result[~mask], host[~mask])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0)])
@given(mask=arrays(bool, (4, 5, 3)), seed=st.integers(0, 99))
def test_space_solves_the_equation(spacing, mask, seed):
    rng = np.random.RandomState(seed)
    host, source = rng.randn(4, 5, 3), rng.randn(4, 5, 3)
    mask[0, 0], mask[2, 2, 1] = False, True  # now and then nothing but that one
    result = poisson_blend(host, source, mask, spacing=spacing)
    np.testing.assert_allclose(result, dense(host, source, mask, [1 / s**2 for s in spacing]), atol=1e-5)
    np.testing.assert_array_equal(result[~mask], host[~mask])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_with_an_axis_every_slice_is_solved_by_itself(axis):
    rng = np.random.RandomState(1)
    host, source, mask = rng.randn(5, 6, 4), rng.randn(5, 6, 4), rng.rand(5, 6, 4) < 0.5
    result = np.moveaxis(poisson_blend(host, source, mask, axis=axis), axis, 0)
    parts = [np.moveaxis(a, axis, 0) for a in (host, source, mask)]
    for got, *given_slice in zip(result, *parts, strict=True):
        np.testing.assert_allclose(got, poisson_blend(*given_slice), atol=1e-9)


def test_a_source_that_differs_by_a_constant_gives_the_host_back():
    host = np.add.outer(np.arange(8.0) ** 2, np.arange(7.0))
    mask = np.zeros((8, 7))
    mask[2:6, 1:7] = 1  # up to the array's border
    np.testing.assert_allclose(poisson_blend(host, host + 50, mask), host, atol=1e-9)


def test_unknown_source_voxels_pose_no_condition():
    host = np.arange(25.0).reshape(5, 5)
    source, mask, valid = host + 7, np.zeros((5, 5)), np.ones((5, 5))
    mask[2:4, 1:4] = 1
    source[:2], valid[:2] = -1e6, 0
    np.testing.assert_allclose(poisson_blend(host, source, mask, valid=valid), host, atol=1e-9)


def test_an_empty_mask_and_integers():
    host = np.arange(6, dtype=np.int16).reshape(2, 3)
    result = poisson_blend(host, host, np.zeros((2, 3)))
    assert result.dtype == np.float64 and np.array_equal(result, host)


def test_errors():
    image = np.zeros((4, 4, 2))
    with pytest.raises(ConSinGANError, match=r"source has shape \(2, 2\) but host has \(4, 4, 2\)"):
        poisson_blend(image, np.zeros((2, 2)), image)
    with pytest.raises(ConSinGANError, match="axis 3"):
        poisson_blend(image, image, image, axis=3)
    with pytest.raises(ConSinGANError, match="no voxel of known tissue lies beside the mask"):
        poisson_blend(image, image, np.ones((4, 4, 2)), axis=2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_part_without_a_border_takes_its_level_from_the_others(axis):
    rng = np.random.default_rng(axis)
    host, source = rng.random((2, 5, 5, 5))
    mask = np.zeros((5, 5, 5))
    whole, hole = ([slice(None)] * 3 for _ in range(2))
    whole[axis], hole[axis] = 0, 2
    mask[tuple(whole)] = 1  # a slice without a host
    mask[2, 2, 2] = 1
    border = [tuple(2 + step * (along == other) for other in range(3)) for along in range(3) if along != axis
              for step in (-1, 1)]  # fmt: skip
    level = np.mean([host[place] - source[place] for place in border])
    blended = poisson_blend(host, source, mask, axis=axis)
    np.testing.assert_allclose(blended[tuple(whole)], source[tuple(whole)] + level)
    np.testing.assert_allclose(blended[2, 2, 2], source[2, 2, 2] + level)
    kept = poisson_blend(host, source, mask, axis=axis, alone=0.0)
    np.testing.assert_allclose(kept[tuple(whole)], source[tuple(whole)])
    assert kept[2, 2, 2] == blended[2, 2, 2]


def test_nothing_but_what_is_beside_the_mask_has_a_say():
    rng = np.random.RandomState(0)
    hosts, sources = rng.randn(2, 2, 12, 11, 10)
    mask = np.zeros((12, 11, 10), bool)
    mask[4:8, 3:7, 4:7] = rng.rand(4, 4, 3) < 0.8
    both = poisson_blend(hosts, sources, mask)
    near = (slice(3, 9), slice(2, 8), slice(3, 8))
    part = (slice(None), *near)
    assert (poisson_blend(hosts[part], sources[part], mask[near]) == both[part]).all()
    for channel in range(2):  # channels are solved one by one
        assert (poisson_blend(hosts[channel], sources[channel], mask) == both[channel]).all()
