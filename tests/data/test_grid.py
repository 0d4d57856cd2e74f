from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import affine_transform, gaussian_filter

from monai_consingan.data import to_host_grid
from monai_consingan.data.grid import chances_on_grid
from monai_consingan.errors import ConSinGANError


def scan(array: np.ndarray, affine: np.ndarray | list[float]) -> MetaTensor:
    matrix = np.diag([*affine, 1.0]) if np.ndim(affine) == 1 else np.asarray(affine)
    return MetaTensor(torch.from_numpy(array[None]), affine=torch.from_numpy(matrix).double())


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(10, 99, shape).astype(np.float32)


def blob(shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...], value: int = 2) -> np.ndarray:
    array = np.zeros(shape, dtype=np.int16)
    array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = value
    return array


def test_same_grid_is_untouched() -> None:
    donor, host = scan(noise(5, 6, 7), [1, 2, 3]), scan(noise(5, 6, 7, seed=1), [1, 2, 3])
    assert to_host_grid(donor, host) is donor


def test_chances_keep_their_weight_and_end_with_their_map() -> None:
    dots = np.zeros((40, 40, 40), np.float32)
    dots[tuple(np.random.RandomState(0).randint(8, 32, (3, 60)))] = np.arange(1, 61)
    found = chances_on_grid(scan(dots, [1, 1, 1]), scan(noise(20, 20, 20), [2, 2, 2]))
    assert found.sum() * 8 == pytest.approx(dots.sum(), rel=0.05)  # as tissue beside background they were left out
    low = chances_on_grid(scan(noise(10, 10, 10), [1, 1, 1]), scan(noise(20, 20, 20), [1, 1, 1]))
    assert low[:10, :10, :10].min() >= 10 and np.count_nonzero(low) == 1000  # its smallest value was all around
    assert chances_on_grid(scan(dots, [1, 1, 1]), scan(noise(40, 40, 40), [1, 1, 1])).tolist() == dots.tolist()


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    spacing=st.tuples(*[st.floats(0.4, 3)] * 3),
    seed=st.integers(0, 99),
)
def test_orientation_is_undone_exactly(
    order: list[int], flips: tuple[bool, bool, bool], spacing: tuple[float, float, float], seed: int
) -> None:
    array = noise(5, 6, 4, seed=seed)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.random.RandomState(seed).uniform(-50, 50, 3)
    turned, turned_affine = array.transpose(order), affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            turned_affine[:, 3] += turned_affine[:, axis] * (turned.shape[axis] - 1)
            turned_affine[:, axis] *= -1
            turned = np.flip(turned, axis)
    host = scan(np.zeros(array.shape, np.float32), affine)
    result = to_host_grid(scan(turned.copy(), turned_affine), host)
    np.testing.assert_allclose(np.asarray(result)[0], array, rtol=1e-4)
    np.testing.assert_allclose(result.affine, host.affine)
    labels = (turned > 50).astype(np.int16) * 4
    back = to_host_grid(scan(labels, turned_affine), host, label=True)
    assert back.dtype == torch.int16
    np.testing.assert_array_equal(np.asarray(back)[0], (array > 50) * 4)


def test_linear_interpolation_against_scipy() -> None:
    array = noise(12, 11, 10)
    affine = np.array([[1.0, 0.1, 0, -3], [-0.1, 1.2, 0.2, 2], [0, -0.2, 1.5, 1], [0, 0, 0, 1]])
    target = np.array([[0.8, 0, 0, -5], [0, -0.7, 0, 8], [0, 0, 0.9, 4], [0, 0, 0, 1]])
    result = np.asarray(to_host_grid(scan(array, affine), scan(noise(6, 7, 5), target)))[0]
    matrix = np.linalg.inv(affine) @ target
    expected = affine_transform(array.astype(np.float64), matrix, output_shape=(6, 7, 5), order=1, mode="nearest")
    points = np.einsum("ij,jxyz->ixyz", matrix, np.concatenate([np.indices((6, 7, 5)), np.ones((1, 6, 7, 5))]))[:3]
    limits = np.array(array.shape).reshape(3, 1, 1, 1) - 0.5
    known = np.all((points > -0.5) & (points < limits), axis=0)
    assert known.sum() > 60 and (~known).sum() > 60
    np.testing.assert_allclose(result[known], expected[known], rtol=1e-4)
    assert (result[~known] == array.min()).all()


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 1, 5), (2, 2, 5), (3, 3, 3)])
@pytest.mark.parametrize("background", [False, True])
def test_larger_voxels_show_an_average(factors: tuple[int, int, int], background: bool) -> None:
    texture = gaussian_filter(np.random.RandomState(0).normal(size=(60, 60, 60)), 1)
    texture = (500 + 20 * texture / texture.std()).astype(np.float32)
    if background:
        texture[:10] = 0
    coarse = tuple(60 // factor for factor in factors)
    average = texture.reshape(*[part for pair in zip(coarse, factors, strict=True) for part in pair]).mean((1, 3, 5))
    target = np.diag([*map(float, factors), 1.0])
    target[:3, 3] = [(factor - 1) / 2 for factor in factors]
    moved = np.asarray(to_host_grid(scan(texture, [1, 1, 1]), scan(noise(*coarse), target)))[0]
    inner = (slice(20 // factors[0], -2), *[slice(2, -2)] * 2)
    assert np.sqrt(np.square(moved - average)[inner].mean()) < 2.5  # 8 to 9 without an average
    assert moved[inner].std() == pytest.approx(average[inner].std(), rel=0.12)


def test_world_coordinates_place_a_donor_that_fits() -> None:
    label = scan(blob((20, 20, 20), (4, 5, 6), (8, 9, 10)), [1, 1, 1])
    host = scan(noise(10, 10, 10), [2, 2, 2])
    result = to_host_grid(label, host, label=True, lesion=label)
    where = np.argwhere(np.asarray(result)[0] > 0) * 2.0
    assert np.all((where.min(axis=0) >= [4, 5, 6]) & (where.max(axis=0) <= [7, 8, 9]))
    assert set(np.unique(result)) == {0, 2}


def test_centres_are_matched_if_the_lesion_is_outside() -> None:
    affine = np.eye(4)
    affine[:3, 3] = 500
    label = scan(blob((20, 20, 20), (4, 5, 6), (8, 9, 10)), affine)
    image = scan(noise(20, 20, 20), affine)
    host = scan(noise(20, 20, 20, seed=1), [1, 1, 1])
    np.testing.assert_array_equal(np.asarray(to_host_grid(label, host, label=True, lesion=label)), np.asarray(label))
    moved = to_host_grid(image, host, lesion=label)
    np.testing.assert_allclose(np.asarray(moved), np.asarray(image), rtol=1e-4)


def test_lesion_goes_to_the_middle_if_centres_do_not_do() -> None:
    label = scan(blob((20, 20, 20), (0, 0, 0), (4, 4, 4)), [1, 1, 1])
    host_affine = np.eye(4)
    host_affine[:3, 3] = -300
    host = scan(noise(8, 8, 8), host_affine)
    result = to_host_grid(label, host, label=True, lesion=label)
    np.testing.assert_array_equal(np.asarray(result)[0], blob((8, 8, 8), (2, 2, 2), (6, 6, 6)))


def test_thin_lesion_is_moved_onto_a_slice() -> None:
    label = scan(blob((20, 20, 20), (8, 8, 3), (12, 12, 4)), [1, 1, 1])
    host = scan(noise(20, 20, 4), [1, 1, 6.5])
    result = np.asarray(to_host_grid(label, host, label=True, lesion=label))[0]
    assert (result > 0).any(axis=(0, 1)).sum() == 1
    image = np.asarray(label.as_tensor()).astype(np.float32)[0]
    moved = np.asarray(to_host_grid(scan(image, [1, 1, 1]), host, lesion=label))[0]
    np.testing.assert_array_equal(moved > 0.2, result > 0)
    assert moved.max() < 1  # of 2, as a slice shows an average


def test_2d_counts_only_spacing() -> None:
    label = scan(blob((40, 40), (18, 18), (22, 22)), [0.5, 0.5, 1])
    host = scan(noise(30, 24), np.array([[-1.0, 0, 0, 70], [0, -1, 0, 90], [0, 0, 1, 0], [0, 0, 0, 1]]))
    result = np.asarray(to_host_grid(label, host, label=True, lesion=label))[0]
    np.testing.assert_array_equal(result, blob((30, 24), (14, 11), (16, 13)))


def test_sources_keep_their_name_but_not_their_place() -> None:
    donor = scan(noise(5, 6, 7), [1, 1, 1])
    donor.meta["filename_or_obj"] = "donor.nii.gz"
    host = scan(noise(6, 6, 6), [1, 1, 1])
    before = donor.clone()
    result = to_host_grid(donor, host)
    assert result.meta["filename_or_obj"] == "donor.nii.gz" and tuple(result.shape) == tuple(host.shape)
    assert torch.equal(donor, before) and torch.equal(donor.affine, before.affine) and not donor.applied_operations


def test_refusals() -> None:
    host = scan(noise(8, 8, 8), [1, 1, 1])
    big = scan(blob((30, 30, 30), (0, 0, 0), (12, 4, 4)), [1, 1, 1])
    with pytest.raises(ConSinGANError, match=r"measures 12 x 4 x 4 mm .* 8 x 8 x 8 mm"):
        to_host_grid(big, host, label=True, lesion=big)
    with pytest.raises(ConSinGANError, match="2D"):
        to_host_grid(scan(noise(8, 8), [1, 1, 1]), host)
    with pytest.raises(ConSinGANError, match="empty"):
        to_host_grid(big, host, lesion=scan(blob((30, 30, 30), (0, 0, 0), (0, 0, 0)), [1, 1, 1]))
    with pytest.raises(ConSinGANError, match="own label"):
        to_host_grid(big, host, lesion=host)


@pytest.mark.parametrize(
    "target", [np.diag([2.0, 2, 2, 1]), np.diag([0.6, 0.6, 1.2, 1]), "turned", np.diag([1, 1, 5.0, 1])]
)
def test_a_lesion_at_the_surface_has_no_background_in_it(target: np.ndarray | str) -> None:
    if isinstance(target, str):
        target = np.diag([1.0, 1, 1, 1])
        target[:2, :2] = [[np.cos(0.35), -np.sin(0.35)], [np.sin(0.35), np.cos(0.35)]]
    ball = np.linalg.norm(np.indices((40, 40, 40)) - 19.6, axis=0)
    image = np.where(ball < 15, noise(40, 40, 40) + 200, 0).astype(np.float32)
    label = ((ball < 15) & (np.indices(ball.shape)[0] > 26)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, 3] = -19.5
    shape = np.ceil(40 / np.linalg.norm(target[:3, :3], axis=0)).astype(int)
    target[:3, 3] = -target[:3, :3] @ ((shape - 1) / 2 + 0.3)
    donor, lesion, host = scan(image, affine), scan(label, affine), scan(noise(*shape), target)
    moved = np.asarray(to_host_grid(donor, host, lesion=lesion))[0]
    marks = np.asarray(to_host_grid(lesion, host, label=True, lesion=lesion))[0] > 0
    assert marks.sum() > 20
    assert moved[marks].min() >= 210
