from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.spatial.transform import Rotation
from skimage.measure import block_reduce

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.removal import symmetry
from monai_consingan.transforms.removal.mirror import anatomical_mirror
from monai_consingan.transforms.removal.symmetry import (
    SymmetryPlane,
    estimate_symmetry,
    reflection,
)

ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def stored(volume: np.ndarray, order: tuple[int, ...], signs: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A RAS volume with 1, 2 and 3 mm voxels as stored in another orientation, and its affine."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    values = np.transpose(volume, order)
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (world + 1)
        if sign < 0:
            values = np.flip(values, axis)
            affine[world, 3] += (values.shape[axis] - 1) * (world + 1)
    affine[:3, 3] += (10, -20, 30)
    return values.copy(), affine


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
@pytest.mark.parametrize("symmetry", ["centre", 13.0])
def test_every_orientation_mirrors_alike_without_interpolation(order, signs, symmetry):
    volume = np.random.RandomState(0).randint(0, 999, size=(8, 5, 4)).astype(np.int16)
    reference, reference_affine = stored(volume, (0, 1, 2), (1, 1, 1))
    expected = anatomical_mirror(reference[None], reference_affine, symmetry=symmetry)
    if symmetry == "centre":
        np.testing.assert_array_equal(expected.image[0], volume[::-1])
    else:  # x = 13 mm is voxel 3: voxels 0..6 mirror, 7 has no partner
        np.testing.assert_array_equal(expected.image[0, :7], volume[6::-1])
        assert not expected.valid[7].any() and not expected.image[0, 7].any() and expected.valid[:7].all()
    values, affine = stored(volume, order, signs)
    result = anatomical_mirror(values[None], affine, symmetry=symmetry)
    assert result.image.dtype == np.int16
    wanted, _ = stored(expected.image[0], order, signs)
    np.testing.assert_array_equal(result.image[0], wanted)
    np.testing.assert_array_equal(result.valid, stored(expected.valid, order, signs)[0])


@settings(max_examples=50, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 6)] * 3),
    offset=st.floats(-50, 50),
    axis=st.sampled_from([None, 1, 2]),
)
def test_reflection_is_an_involution_that_keeps_the_plane(angles, spacing, offset, axis):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = (3, -7, 11)
    plane = SymmetryPlane(offset=offset)
    matrix, shift = reflection(affine, 3, plane, axis)
    np.testing.assert_allclose(matrix @ matrix, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(matrix @ shift + shift, 0, atol=1e-6)
    point = np.array([4.0, 5.0, 6.0])
    one, other = (affine[:3, :3] @ p + affine[:3, 3] for p in (point, matrix @ point + shift))
    assert one[0] + other[0] == pytest.approx(2 * offset, abs=1e-6)  # the other side, equally far
    if axis is None:
        np.testing.assert_allclose(one[1:], other[1:], atol=1e-6)
    else:
        assert (matrix @ point + shift)[axis] == pytest.approx(point[axis])


def blob(points: np.ndarray, centre: tuple[float, float, float]) -> np.ndarray:
    return np.exp(-((points - np.array(centre)) ** 2).sum(-1) / (2 * 5.0**2))


@pytest.mark.parametrize("axis", [None, 2])
def test_oblique_volumes_mirror_in_world_space(axis):
    affine = np.eye(4)
    turn = (5, -6, 9) if axis is None else (0, 0, 9)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * (1, 1.2, 2)
    affine[:3, 3] = (-30, -35, -20)
    points = np.moveaxis(np.stack(np.mgrid[:60, :60, :24]), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    left, right = blob(points, (-9, 4, 3)), blob(points, (15, 4, 3))
    result = anatomical_mirror(left[None], affine, symmetry=3.0, axis=axis)
    np.testing.assert_allclose(result.image[0][result.valid], right[result.valid], atol=0.03)
    assert 0.5 < result.valid.mean() < 1 and not result.image[0][~result.valid].any()


def test_slices_stay_by_themselves_in_oblique_volumes():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (10, 12, 7), degrees=True).as_matrix()
    volume = np.zeros((1, 20, 20, 6))
    volume[..., 3] = np.random.RandomState(0).rand(20, 20)
    result = anatomical_mirror(volume, affine, axis=2)
    assert result.image[..., 3].any() and not np.delete(result.image, 3, axis=-1).any()


def test_labels_are_mirrored_without_new_values():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", 20, degrees=True).as_matrix()
    label = np.random.RandomState(0).choice([0, 1, 4], size=(1, 16, 16, 4)).astype(np.uint8)
    result = anatomical_mirror(label, affine, mode="nearest").image
    assert result.dtype == np.uint8 and set(np.unique(result)) == {0, 1, 4}


def test_2d_images_with_either_affine():
    image = np.arange(15.0).reshape(1, 5, 3)
    np.testing.assert_array_equal(anatomical_mirror(image, np.eye(3)).image, image[:, ::-1])
    np.testing.assert_array_equal(anatomical_mirror(image, np.eye(4)).image, image[:, ::-1])
    turned = np.eye(4)[[1, 0, 2, 3]]
    np.testing.assert_array_equal(anatomical_mirror(image, turned).image, image[..., ::-1])


def test_metadata_is_the_images():
    affine = torch.diag(torch.tensor([-2.0, 1, 1, 1], dtype=torch.float64))
    image = MetaTensor(torch.arange(24.0).reshape(1, 4, 3, 2), affine=affine)
    result = anatomical_mirror(image, image.affine).image
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, affine) and torch.equal(result.as_tensor(), torch.flip(image.as_tensor(), [1]))


@pytest.mark.parametrize("centre", [0.0, 4.3, -6.0])
def test_estimated_plane_of_a_phantom(centre):
    points = np.moveaxis(np.stack(np.mgrid[:70, :80]), 0, -1) - (34.5, 39.5) - (centre, 0)
    texture = gaussian_filter(np.random.RandomState(0).normal(size=(70, 80)), 2)
    image = np.where(((points / (22.0, 30.0)) ** 2).sum(-1) < 1, 1 + texture, 0)
    image += 2.0 * (((points - (9, 5)) ** 2).sum(-1) < 30)  # a lesion on one side
    affine = np.diag([-0.8, 0.8, 1.0])
    plane = estimate_symmetry(image[None], affine)
    assert plane.normal[0] > 0.999
    assert plane.offset == pytest.approx(-0.8 * (34.5 + centre), abs=0.6)


@pytest.mark.parametrize("axis", [None, 2])
def test_estimated_angle(axis):
    half = np.array([31.5, 31.5, 3.5])
    points = np.moveaxis(np.stack(np.mgrid[:64, :64, :8]), 0, -1) - half
    head = np.where(((points[..., :2] / (17.0, 25.0)) ** 2).sum(-1) < 1, 1.0, 0.0)
    head[(np.abs(points[..., 0]) > 5) & (np.abs(points[..., 0]) < 9) & (np.abs(points[..., 1] - 8) < 5)] = 0.4
    turn = Rotation.from_euler("z", 8, degrees=True).as_matrix()
    turned = affine_transform(head, turn, half - turn @ half, order=1)
    plane = estimate_symmetry(turned[None], np.eye(4), axis=axis)
    wanted = turn.T @ (1, 0, 0)
    assert np.rad2deg(np.arccos(min(1.0, wanted @ plane.normal))) < 1.0
    assert estimate_symmetry(head[None], np.eye(4), axis=axis).normal[0] > 1 - 1e-6


def test_given_plane_and_estimate_are_used():
    image = np.zeros((1, 40, 30))
    image[0, 4:25, 5:25] = 1
    estimated = anatomical_mirror(image, np.eye(3), symmetry="estimate")
    assert estimated.plane.offset == pytest.approx(14, abs=0.25)
    np.testing.assert_array_equal(estimated.image, image)
    again = anatomical_mirror(image, np.eye(3), symmetry=estimated.plane)
    np.testing.assert_array_equal(again.image, estimated.image)


def test_bad_input():
    image, sagittal = np.ones((1, 4, 4)), np.eye(4)[[2, 0, 1, 3]]
    with pytest.raises(ConSinGANError, match="sagittal"):
        anatomical_mirror(image, sagittal)
    with pytest.raises(ConSinGANError, match="axis 0 runs from left to right"):
        anatomical_mirror(np.ones((1, 4, 4, 4)), np.eye(4), axis=0)
    with pytest.raises(ConSinGANError, match='symmetry "middle"'):
        anatomical_mirror(image, np.eye(3), symmetry="middle")
    with pytest.raises(ConSinGANError, match='mode "cubic"'):
        anatomical_mirror(image, np.eye(3), mode="cubic")
    with pytest.raises(ConSinGANError, match="symmetry is nan"):
        anatomical_mirror(image, np.eye(3), symmetry=float("nan"))
    with pytest.raises(ConSinGANError, match="cannot be inverted"):
        anatomical_mirror(image, np.zeros((3, 3)))
    with pytest.raises(ConSinGANError, match=r"\(2, 2\)"):
        anatomical_mirror(image, np.eye(2))
    with pytest.raises(ConSinGANError, match="3 spatial axes"):
        anatomical_mirror(np.ones((1, 4, 4, 4)), np.eye(3))
    with pytest.raises(ConSinGANError, match="constant"):
        estimate_symmetry(image, np.eye(3))


@settings(max_examples=20, deadline=None)
@given(
    turn=st.floats(-20, 20),
    offset=st.floats(-4, 4),
    lows=st.tuples(*[st.integers(0, 10)] * 3),
    sides=st.tuples(*[st.integers(1, 9)] * 3),
    mode=st.sampled_from(["bilinear", "nearest"]),
)
def test_a_box_is_that_of_the_whole(turn, offset, lows, sides, mode):
    values = np.random.RandomState(0).normal(size=(2, 14, 13, 12))
    angle = np.deg2rad(turn)
    plane = SymmetryPlane((float(np.cos(angle)), float(np.sin(angle)), 0.0), 6.5 + offset)
    whole = anatomical_mirror(values, np.eye(4), symmetry=plane, mode=mode)
    shape = values.shape[1:]
    box = tuple(slice(min(low, n - 1), min(low + side, n)) for low, side, n in zip(lows, sides, shape, strict=True))
    part = anatomical_mirror(values, np.eye(4), symmetry=plane, mode=mode, box=box)
    np.testing.assert_array_equal(part.valid, whole.valid[box])
    np.testing.assert_allclose(part.image, whole.image[(slice(None), *box)], rtol=1e-9, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(9, 14, 8), (20, 13, 31), (17, 12)]))
def test_blocks_of_air_need_not_be_looked_at(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    values, inside = np.zeros(shape), tuple(slice(*sorted(rng.integers(0, side + 1, 2))) for side in shape)
    values[inside] = rng.random(values[inside].shape)
    found, columns, _, box, exact = symmetry._shrunk(values, *symmetry._world(np.eye(4), len(shape)), side=8)
    factors = tuple(int(-(-side // cells)) for side, cells in zip(shape, (8, 8, 2), strict=False))
    blocks = block_reduce(values, factors, np.mean).astype(np.float32)
    np.testing.assert_array_equal(found, gaussian_filter(blocks, 1.0, mode="constant"))
    np.testing.assert_array_equal(np.diag(columns), factors)
    np.testing.assert_array_equal(exact[0], found)
    assert np.count_nonzero(found[box]) == np.count_nonzero(found)
