from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.training.augment import training_augmentation
from monai_consingan.transforms.training.blobs import BLOB_CONTENTS, RandLesionBlob, RandLesionBlobd


def head(*shape: int) -> np.ndarray:
    """A bright disk or ball with some texture in dark air, float32 in [-1, 1]."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    texture = gaussian_filter(np.random.RandomState(0).normal(size=shape), 1.0)
    return np.where(np.linalg.norm(grid, axis=0) < 0.8, 0.1 + 0.3 * texture, -1.0).astype(np.float32)[None]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.one_of(st.tuples(*[st.integers(3, 40)] * 2), st.tuples(*[st.integers(2, 14)] * 3)),
    content=st.sampled_from(BLOB_CONTENTS),
    seed=st.integers(0, 2**31),
    gain=st.floats(0.01, 1000),
)
def test_values_stay_in_range_and_scale_with_the_image(shape, content, seed, gain):
    image = head(*shape).astype(np.float64)
    blobs = RandLesionBlob(contents=(content,))
    result = blobs.set_random_state(seed=seed)(image)
    assert result.shape == image.shape and result.dtype == image.dtype
    assert result.min() >= image.min() and result.max() <= image.max()
    scaled = blobs.set_random_state(seed=seed)(image * gain + 5)
    np.testing.assert_allclose(scaled, result * gain + 5, rtol=1e-6, atol=1e-6 * gain)


@pytest.mark.parametrize("content", BLOB_CONTENTS)
@pytest.mark.parametrize("shape", [(64, 50), (32, 28, 20)])
def test_every_content_changes_a_blob_and_nothing_else(content, shape):
    image = head(*shape)
    blobs = RandLesionBlob(number=1, radius=(0.15, 0.15), softness=(0, 0), contents=(content,))
    result = blobs.set_random_state(seed=4)(image)
    changed = result != image
    mean = 0.15 * min(shape)
    fraction = changed.sum() / (np.pi * mean**2 if len(shape) == 2 else 4 / 3 * np.pi * mean**3)
    assert 0.2 < fraction < 2.5
    extent = [np.ptp(axis) + 1 for axis in np.nonzero(changed[0])]
    assert max(extent) <= 2 * 1.3 * 1.3 * mean + 1


def test_offset_and_gain_are_what_they_say():
    image = head(48, 48)
    low, span = image.min(), np.ptp(image)
    image[:] = low + 0.4 * span
    image[0, 0, 0], image[0, 0, 1] = low, low + span
    for content, change in (("offset", 0.2 * span), ("gain", 0.2 * 0.4 * span)):
        blobs = RandLesionBlob(number=1, softness=(0, 0), level=(0.2, 0.2), contents=(content,))
        result = blobs.set_random_state(seed=2)(image)
        difference = np.abs((result - image)[result != image])
        np.testing.assert_allclose(difference, change, rtol=1e-5)


def test_ring_has_a_bright_rim_around_a_dark_core():
    image = head(96, 96)
    blobs = RandLesionBlob(number=1, radius=(0.2, 0.2), softness=(0, 0), level=(0.5, 0.5), contents=("ring",))
    blobs.set_random_state(seed=7).randomize(image)
    result = blobs(image, randomize=False)
    blob = blobs._blobs[0]
    inside = result[(0, *blob.box)]
    rim, core = inside[(blob.depth > 0.7) & (blob.depth < 0.9)], inside[blob.depth < 0.4]
    assert rim.mean() > core.mean() + 0.3 * np.ptp(image)


def test_soft_border_ramps():
    image = np.full((1, 64, 64), 0.5)
    image[0, 0, :2] = 0.0, 1.0
    blobs = RandLesionBlob(number=1, radius=(0.2, 0.2), softness=(0.5, 0.5), level=(0.3, 0.3), contents=("offset",))
    difference = np.abs(blobs.set_random_state(seed=0)(image) - image)
    assert difference.max() == pytest.approx(0.3)
    assert ((difference > 0.05) & (difference < 0.25)).sum() > 20


def test_blobs_lie_in_tissue():
    image = np.full((1, 60, 60), -1.0, np.float32)
    image[0, 40:, 40:] = 0.5
    blobs = RandLesionBlob(number=1, radius=(0.05, 0.05), contents=("ring",))
    for seed in range(20):
        changed = np.nonzero(blobs.set_random_state(seed=seed)(image)[0] != image[0])
        assert min(axis.mean() for axis in changed) > 35


def test_number_of_blobs_and_repeated_draw():
    image = head(64, 64)
    blobs = RandLesionBlob(number=(2, 4))
    counts = set()
    for seed in range(30):
        first = blobs.set_random_state(seed=seed)(image)
        counts.add(len(blobs._blobs))
        np.testing.assert_array_equal(blobs(image, randomize=False), first)
    assert counts == {2, 3, 4}


def test_kinds_of_arrays_and_no_change_in_place():
    image = head(32, 32)
    original = image.copy()
    blobs = RandLesionBlob()
    array = blobs.set_random_state(seed=1)(image)
    tensor = blobs.set_random_state(seed=1)(torch.from_numpy(image))
    meta = blobs.set_random_state(seed=1)(MetaTensor(image, affine=np.diag([2.0, 2, 1, 1])))
    whole = blobs.set_random_state(seed=1)((image * 1000).astype(np.int16))
    assert type(array) is np.ndarray and type(tensor) is torch.Tensor and isinstance(meta, MetaTensor)
    np.testing.assert_array_equal(tensor.numpy(), array)
    np.testing.assert_array_equal(meta.numpy(), array)
    assert meta.affine[0, 0] == 2 and whole.dtype == np.int16
    np.testing.assert_array_equal(image, original)


def test_constant_image_and_probability_zero():
    image = np.zeros((1, 16, 16), np.float32)
    np.testing.assert_array_equal(RandLesionBlob()(image), image)
    assert RandLesionBlob(prob=0.0)(image) is image


def test_dictionary_places_the_same_blobs():
    image = head(40, 40)
    data = {"t1": image, "t2": image + 1, "other": 3}
    blobs = RandLesionBlobd(keys=("t1", "t2"), contents=("offset", "ring")).set_random_state(seed=3)
    result = blobs(data)
    np.testing.assert_array_equal(result["t1"] != image, result["t2"] != image + 1)
    assert (result["t1"] != image).any() and result["other"] == 3 and data["t1"] is image
    np.testing.assert_array_equal(blobs.set_random_state(seed=3)(data)["t2"], result["t2"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contents": ("stars",)}, r"contents has \['stars'\]"),
        ({"contents": ()}, "contents has no entry"),
        ({"radius": (0.3, 0.1)}, r"radius is \(0.3, 0.1\)"),
        ({"radius": (0.1, 0.9)}, "from 0 to 0.5"),
        ({"level": (-1, 1)}, "level is"),
        ({"irregularity": 1.0}, "irregularity is"),
        ({"number": 0}, "number is 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConSinGANError, match=message):
        RandLesionBlob(**arguments)


@pytest.mark.parametrize("task", ["harmonization", "editing"])
@pytest.mark.parametrize("shape", [(48, 48), (31, 50), (10, 24, 24)])
def test_training_augmentation_keeps_shape_type_and_range(task, shape):
    image = torch.from_numpy(head(*shape))
    augment = training_augmentation(task)
    results = [augment.set_random_state(seed=seed)(image) for seed in range(12)]
    for result in results:
        assert type(result) is torch.Tensor and result.shape == image.shape and result.dtype == torch.float32
        assert result.min() >= -1 and result.max() <= 1 and torch.isfinite(result).all()
    assert torch.equal(image, torch.from_numpy(head(*shape)))
    far = [float((result - image).abs().mean()) for result in results]
    assert 0.01 < np.median(far) < 0.6


@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_training_augmentation_is_fixed_by_its_seed_alone(task):
    image = torch.from_numpy(head(48, 48))
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    first, second = training_augmentation(task), training_augmentation(task)
    second(image)  # what happened before a seed is set does not matter
    outputs = [first.set_random_state(seed=seed)(image).numpy().tobytes() for seed in range(25)]
    np.random.seed(99)
    torch.manual_seed(99)
    again = [second.set_random_state(seed=seed)(image).numpy().tobytes() for seed in range(25)]
    assert outputs == again
    assert len(set(outputs)) >= 24
    np.random.set_state(("MT19937", before[0], 624, 0, 0.0))
    torch.random.set_rng_state(before[1])


def test_training_augmentation_leaves_global_random_states_alone():
    image = torch.from_numpy(head(48, 48))
    augment = training_augmentation("editing")
    numpy_state, torch_state = np.random.get_state(), torch.random.get_rng_state()
    for seed in range(10):
        augment.set_random_state(seed=seed)(image)
    after = np.random.get_state()
    assert np.array_equal(numpy_state[1], after[1]) and numpy_state[2] == after[2]
    assert torch.equal(torch_state, torch.random.get_rng_state())


def test_blur_does_not_darken_the_border():
    flat = torch.full((1, 24, 24), 0.5)
    augment = training_augmentation("harmonization")
    blur = next(step for step in augment.transforms if type(step).__name__ == "_RandBlur")
    blur.prob = 1.0
    torch.testing.assert_close(torch.as_tensor(blur(flat)), flat, atol=1e-4, rtol=0)
    edge = torch.zeros(1, 24, 24)
    edge[..., 12:] = 1.0
    assert 0 < float(blur(edge)[0, 12, 11]) < 0.5


def test_training_augmentation_can_be_pickled():
    image = torch.from_numpy(head(20, 20))
    augment = training_augmentation("harmonization").set_random_state(seed=0)
    copy = pickle.loads(pickle.dumps(augment))
    assert torch.equal(copy.set_random_state(seed=1)(image), augment.set_random_state(seed=1)(image))


@pytest.mark.parametrize("task", ["generation", "animation", "retarget", ""])
def test_tasks_that_train_on_noise_are_refused(task):
    with pytest.raises(ConSinGANError, match=f"task is '{task}'"):
        training_augmentation(task)
