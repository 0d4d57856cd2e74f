from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.training.tiles import RandShuffleTiles, RandShuffleTilesd


@settings(max_examples=40, deadline=None)
@given(
    shape=st.one_of(st.tuples(*[st.integers(1, 17)] * 2), st.tuples(*[st.integers(1, 9)] * 3)),
    low=st.integers(1, 4),
    more=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_every_voxel_is_kept(shape, low, more, seed):
    image = np.arange(2 * np.prod(shape)).reshape(2, *shape)
    result = RandShuffleTiles(tiles=(low, low + more)).set_random_state(seed=seed)(image)
    assert result.shape == image.shape and result.dtype == image.dtype
    np.testing.assert_array_equal(np.sort(result[0], axis=None), np.sort(image[0], axis=None))
    np.testing.assert_array_equal(result[1] - result[0], image[1] - image[0])  # channels move alike


def test_one_swap_of_two_halves():
    image = np.arange(8).reshape(1, 1, 8)
    shuffle = RandShuffleTiles(tiles=2, swaps=1).set_random_state(seed=0)
    assert shuffle(image).ravel().tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


def test_rest_stays_in_place():
    image = np.arange(7).reshape(1, 1, 7)
    shuffle = RandShuffleTiles(tiles=2, swaps=1)
    seen = {tuple(shuffle.set_random_state(seed=seed)(image).ravel().tolist()) for seed in range(20)}
    assert seen == {(3, 4, 5, 0, 1, 2, 6), (0, 4, 5, 6, 1, 2, 3)}


def test_two_swaps_of_the_same_two_tiles_cancel():
    image = np.arange(4.0).reshape(1, 1, 4)
    np.testing.assert_array_equal(RandShuffleTiles(tiles=2, swaps=2).set_random_state(seed=3)(image), image)


def test_kinds_of_arrays_and_no_change_in_place():
    values = torch.arange(64.0).reshape(1, 8, 8)
    affine = np.diag([2.0, 3.0, 1.0, 1.0])
    shuffle = RandShuffleTiles(tiles=4)
    plain = shuffle.set_random_state(seed=1)(values)
    assert type(plain) is torch.Tensor
    assert torch.equal(values, torch.arange(64.0).reshape(1, 8, 8)) and not torch.equal(plain, values)
    meta = shuffle.set_random_state(seed=1)(MetaTensor(values, affine=affine))
    assert isinstance(meta, MetaTensor) and np.array_equal(meta.affine, affine) and torch.equal(meta.as_tensor(), plain)
    array = shuffle.set_random_state(seed=1)(values.numpy())
    assert type(array) is np.ndarray and np.array_equal(array, plain.numpy())


def test_seed_decides_and_global_state_is_left_alone():
    image = np.arange(400).reshape(1, 20, 20)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    results = [RandShuffleTiles().set_random_state(seed=seed)(image).tobytes() for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.random.get_rng_state())


def test_probability_zero_returns_the_image():
    image = np.arange(16).reshape(1, 4, 4)
    assert RandShuffleTiles(prob=0.0)(image) is image


def test_dictionary_shuffles_all_keys_alike():
    image = np.arange(36).reshape(1, 6, 6)
    data = {"image": image, "label": image * 10, "name": "x"}
    shuffle = RandShuffleTilesd(keys=("image", "label"), tiles=3).set_random_state(seed=5)
    result = shuffle(data)
    np.testing.assert_array_equal(result["image"] * 10, result["label"])
    assert not np.array_equal(result["image"], image) and data["image"] is image and result["name"] == "x"
    again = shuffle.set_random_state(seed=5)(data)
    np.testing.assert_array_equal(again["image"], result["image"])


def test_dictionary_missing_keys():
    with pytest.raises(KeyError):
        RandShuffleTilesd(keys="image")({})
    assert RandShuffleTilesd(keys="image", allow_missing_keys=True)({}) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tiles": 0}, "tiles is 0"),
        ({"tiles": (3, 2)}, r"tiles is \(3, 2\)"),
        ({"tiles": (1, 2, 3)}, "rising pair"),
        ({"swaps": 0}, "swaps is 0"),
        ({"swaps": 1.5}, "swaps is 1.5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConSinGANError, match=message):
        RandShuffleTiles(**arguments)
