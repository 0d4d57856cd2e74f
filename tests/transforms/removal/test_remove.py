from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import LoadImage
from scipy.ndimage import binary_erosion, gaussian_filter

from monai_consingan.arrays import image_identity
from monai_consingan.data import example, stack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import FILLINGS
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.biharmonic import biharmonic
from monai_consingan.transforms.removal.fill import FillLesion, FillLesiond
from monai_consingan.transforms.removal.known import known_head
from monai_consingan.transforms.removal.remove import RemoveLesion, RemoveLesiond


def head(shape=(64, 60), seed=0) -> np.ndarray:
    """An ellipse or ellipsoid of noisy tissue around 100 in air, of shape (1, *shape)."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    noise = np.random.RandomState(seed).normal(scale=5, size=shape)
    return np.where((grid[:2] ** 2).sum(0) < 0.75**2, 100 + noise, 0.0)[None]


def lesion_at(shape, *ranges, value=1) -> np.ndarray:
    label = np.zeros((1, *shape), np.int16)
    label[(0, *(slice(*r) for r in ranges))] = value
    return label


LEFT = ((15, 21), (27, 34))


@settings(max_examples=15, deadline=None)
@given(row=st.integers(14, 22), col=st.integers(22, 32), margin=st.floats(0, 3), seed=st.integers(0, 99))
def test_mirror_is_the_hard_mask_formula(row, col, margin, seed):
    image = head(seed=seed)
    label = lesion_at((64, 60), (row, row + 5), (col, col + 6))
    image[label > 0] = 250
    removed = RemoveLesion(margin_mm=margin)(image, label)
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(removed.image, np.where(removed.mask, mirrored, image))
    assert removed.method == "mirror" and removed.tried == ()
    assert removed.mask[label > 0].all() and not removed.label.any() and removed.image.max() < 200
    assert removed.mask.dtype == np.uint8 and removed.image.dtype == image.dtype


def test_margin_is_in_mm():
    image, label = head(), lesion_at((64, 60), (18, 19), (30, 31))
    mask = RemoveLesion(margin_mm=2.0, spacing=(1.0, 2.0))(image, label).mask[0]
    rows, cols = np.nonzero(mask)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (16, 20, 29, 31)
    assert RemoveLesion(margin_mm=0)(image, label).mask.sum() == 1


def test_flipud_is_the_published_method():
    image, label = head((60, 64)), lesion_at((60, 64), *LEFT)
    image[label > 0] = 250
    removed = RemoveLesion("flipud")(image, label)
    np.testing.assert_array_equal(removed.image[0], np.where(removed.mask[0], np.flipud(image[0]), image[0]))
    png = RemoveLesion("flipud", flip_axis=1)(image.swapaxes(1, 2), label.swapaxes(1, 2))
    np.testing.assert_array_equal(png.image.swapaxes(1, 2), removed.image)


def test_poisson_and_biharmonic_are_what_they_say():
    image, label = head(), lesion_at((64, 60), *LEFT)
    clean = image.copy()
    image[:, :32] += 20  # the side of the lesion is brighter: Poisson corrects that
    image[label > 0] = 250
    plain, poisson, smooth = (
        RemoveLesion(method)(image, label) for method in ("mirror", "poisson_mirror", "biharmonic")
    )
    fill = plain.mask[0] > 0
    blended = poisson_blend(image[0], image[0, ::-1], fill)
    np.testing.assert_allclose(poisson.image[0], blended)
    np.testing.assert_allclose(smooth.image[0], biharmonic(image[0], fill))
    wanted = clean[0][fill].mean() + 20
    assert abs(poisson.image[0][fill].mean() - wanted) < 4 < abs(plain.image[0][fill].mean() - wanted)
    for removed in (plain, poisson, smooth):
        np.testing.assert_array_equal(removed.image[0][~fill], image[0][~fill])


def test_left_and_right_come_from_the_affine():
    volume, label = head((64, 60, 4)), lesion_at((64, 60, 4), *LEFT, (1, 3))
    volume[label > 0] = 250
    reference = RemoveLesion(axis=2)(MetaTensor(volume, affine=np.eye(4)), MetaTensor(label, affine=np.eye(4)))
    affine = np.array([[0, -1.0, 0, 63], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])  # stored as inferior, left, ...
    stored = [np.flip(x.transpose(0, 3, 1, 2), 2).copy() for x in (volume, label)]
    removed = RemoveLesion(axis=0)(*(MetaTensor(x, affine=affine) for x in stored))
    np.testing.assert_array_equal(
        np.flip(removed.image.numpy(), 2).transpose(0, 2, 3, 1), reference.image.as_tensor().numpy()
    )
    assert np.array_equal(removed.image.affine, affine) and np.array_equal(removed.mask.affine, affine)


def test_slices_count_by_themselves():
    volume, label = head((64, 60, 5)), lesion_at((64, 60, 5), *LEFT, (2, 3))
    for method in ("mirror", "poisson_mirror", "biharmonic"):
        removed = RemoveLesion(method, axis=2)(volume, label)
        assert removed.mask[..., 2].any() and not np.delete(removed.mask, 2, axis=-1).any()
    assert RemoveLesion("mirror")(volume, label).mask[..., 1].any()


def test_next_method_where_the_mirrored_place_holds_a_lesion():
    label = lesion_at((64, 60), *LEFT) + lesion_at((64, 60), (44, 48), (27, 34), value=2)
    removed = RemoveLesion(("mirror", "flipud", "biharmonic"))(head(), label, lesion_labels=(1,))
    assert removed.method == "biharmonic" and [method for method, _ in removed.tried] == ["mirror", "flipud"]
    assert all("holds a lesion" in reason for _, reason in removed.tried)
    assert set(np.unique(removed.label)) == {0, 2}
    np.testing.assert_array_equal(removed.label[label == 2], 2)
    with pytest.raises(ConSinGANError, match=r"mirror \(the mirrored place holds a lesion.*flipud, .*to the methods"):
        RemoveLesion("mirror")(head(), label)


@pytest.mark.parametrize("method", ["mirror", "poisson_mirror", "matched_mirror"])
def test_only_the_lesions_that_a_method_will_not_do_for_go_on_to_the_next(method):
    midline, aside = lesion_at((64, 60), (29, 36), (28, 34)), lesion_at((64, 60), (16, 20), (24, 28), value=2)
    removed = RemoveLesion((method, "biharmonic"))(head(), midline + aside)
    assert removed.method == f"{method}, biharmonic" and [name for name, _ in removed.tried] == [method]
    assert removed.plane is not None and not removed.label.any()
    for label, chosen in ((aside, method), (midline, "biharmonic")):
        alone = RemoveLesion(chosen)(head(), midline + aside, lesion_labels=[int(label.max())])
        filled = alone.mask > 0
        np.testing.assert_allclose(removed.image[filled], alone.image[filled])
        assert removed.mask[filled].all()
    with pytest.raises(ConSinGANError, match=rf"cannot be removed by {method} \("):
        RemoveLesion(method)(head(), midline + aside)


@pytest.mark.parametrize("method", ["biharmonic", "poisson_mirror"])
def test_what_is_filled_says_nothing_of_another_lesion_beside_it(method):
    midline, aside = lesion_at((64, 60), (29, 36), (28, 34)), lesion_at((64, 60), (24, 28), (28, 34), value=2)
    filled = []
    for value in (100.0, 1000.0):
        image = np.where(midline + aside > 0, value, head())
        removed = RemoveLesion(("mirror", method, "biharmonic"), margin_mm=0)(image, midline + aside)
        assert removed.tried[0][0] == "mirror" and not removed.label.any()
        filled.append(removed.image)
    np.testing.assert_allclose(filled[0], filled[1])


def test_a_method_named_twice_is_tried_once():
    assert RemoveLesion(("mirror", "biharmonic", "mirror")).methods == ("mirror", "biharmonic")


@pytest.mark.parametrize("air", [slice(0, 3), slice(None, None, 1)])
def test_a_value_that_marks_the_air_around_the_head_is_refused(air):
    image, lesion = head(), lesion_at((64, 60), *LEFT)
    border = np.where(image[:, air] == 0, 255, 0).astype(np.int16)
    label = lesion.copy()
    label[:, air] = np.maximum(label[:, air], border)
    count = np.count_nonzero(border)
    with pytest.raises(ConSinGANError, match=rf"label value 255 marks {count} voxels, of which {count} lie in the air"):
        RemoveLesion("biharmonic")(image, label)
    with pytest.raises(ConSinGANError, match="label value 255"):
        FillLesion("biharmonic")(MetaTensor(image.astype(np.float32)), MetaTensor(label))
    assert RemoveLesion("biharmonic")(image, label, lesion_labels=[1]).mask[lesion > 0].all()


def test_a_void_within_the_head_is_no_air_around_it():
    image, label = head(), lesion_at((64, 60), *LEFT)
    image[label > 0] = 0
    image[0, 8:15, 30] = 0  # a way in from outside
    assert RemoveLesion("biharmonic")(image, label).image[label > 0].min() > 50


@pytest.mark.parametrize("shape", [(64, 60), (64, 60, 20)])
def test_a_void_at_the_heads_surface_is_filled(shape):
    image = head(shape)
    label = np.where(image > 0, lesion_at(shape, (0, 13), *[(0, 60), (4, 16)][: len(shape) - 1]), 0)
    image[label > 0] = 0
    assert RemoveLesion("biharmonic")(image, label).image[label > 0].min() > 50


def test_a_lesion_across_the_midline_is_not_mirrored_onto_itself():
    with pytest.raises(ConSinGANError, match="holds a lesion"):
        RemoveLesion()(head(), lesion_at((64, 60), (29, 36), (28, 34)))


def test_mirrored_place_outside_head_or_image():
    image = np.zeros((1, 64, 60))
    image[0, 8:50, 10:50] = 100 + np.random.RandomState(0).rand(42, 40)
    label = lesion_at((64, 60), (9, 13), (25, 35))
    with pytest.raises(ConSinGANError, match="outside the head"):
        RemoveLesion()(image, label)
    assert RemoveLesion(symmetry=28.5)(image, label).method == "mirror"
    assert RemoveLesion(symmetry="estimate")(image, label).method == "mirror"
    with pytest.raises(ConSinGANError, match="outside the image"):
        RemoveLesion(symmetry=45.0)(image, label)


def test_label_is_cleared_in_the_margin_and_kept_elsewhere():
    label = lesion_at((64, 60), *LEFT, value=1)
    label[0, 12:15, 27:34] = 2
    removed = RemoveLesion(margin_mm=1.0)(head(), label, lesion_labels=[1])
    assert not removed.label[removed.mask > 0].any()
    assert (removed.label[0, 12:14, 27:34] == 2).all() and not removed.label[0, 14, 27:34].any()


def test_kinds_and_integers():
    image, label = head().astype(np.int16), lesion_at((64, 60), *LEFT)
    array = RemoveLesion("biharmonic")(image, label)
    tensor = RemoveLesion("biharmonic")(torch.from_numpy(image), torch.from_numpy(label))
    assert array.image.dtype == np.int16 and type(array.mask) is np.ndarray
    assert (
        type(tensor.image) is torch.Tensor and tensor.image.dtype == torch.int16 and tensor.label.dtype == torch.int16
    )
    np.testing.assert_array_equal(tensor.image.numpy(), array.image)
    np.testing.assert_array_equal(image, head().astype(np.int16))


def test_metadata_is_the_hosts():
    image = MetaTensor(torch.from_numpy(head()), affine=np.eye(4), meta={"filename_or_obj": "host"})
    label = MetaTensor(torch.from_numpy(lesion_at((64, 60), *LEFT)), meta={"filename_or_obj": "label"})
    removed = RemoveLesion()(image, label)
    assert removed.image.meta["filename_or_obj"] == removed.mask.meta["filename_or_obj"] == "host"
    assert removed.label.meta["filename_or_obj"] == "label"


def test_two_channels():
    image = np.concatenate([head(), head(seed=1) + 50])
    removed = RemoveLesion()(image, lesion_at((64, 60), *LEFT))
    np.testing.assert_array_equal(removed.image, np.where(removed.mask, image[:, ::-1], image))


@pytest.mark.parametrize("method", FILLINGS)
def test_packaged_example(method):
    load = LoadImage(image_only=True, ensure_channel_first=True)
    image, label = load(example().image), load(example().label)
    removed = RemoveLesion(method, axis=2)(image, label)
    lesion = np.asarray(label) > 0
    before, after = np.asarray(image), np.asarray(removed.image)
    tissue = np.median(before[..., 6:10][before[..., 6:10] > before.mean()])
    assert np.array_equal(before[np.asarray(removed.mask) == 0], after[np.asarray(removed.mask) == 0])
    if method != "biharmonic":  # which goes on with what is bright beside the label
        assert abs(after[lesion].mean() - tissue) < 0.5 * abs(before[lesion].mean() - tissue)


def test_dictionary():
    image, label = head(), lesion_at((64, 60), *LEFT)
    data = {"t1": image, "t2": head(seed=3), "label": label, "other": 1}
    removed = RemoveLesiond(keys=("t1", "t2"), method_key="method")(data)
    np.testing.assert_array_equal(removed["t1"], RemoveLesion()(image, label).image)
    np.testing.assert_array_equal(removed["t2"], RemoveLesion()(data["t2"], label).image)
    assert removed["method"] == "mirror" and removed["mask"].any() and not removed["label"].any()
    assert data["label"].any() and removed["other"] == 1
    renamed = RemoveLesiond("t1", output_keys="free", output_label_key="free_label", mask_key=None, method_key="how")(
        data
    )
    assert renamed["t1"] is image and renamed["label"] is label and renamed["how"] == "mirror"
    assert "mask" not in renamed and not renamed["free_label"].any()
    with pytest.raises(KeyError):
        RemoveLesiond("t3")(data)


def sequences(seed: int = 0, moved: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three sequences of one head, the label of a lesion, and the head without it.

    The first two show the same structures, the second with other levels and other noise; the third shows nothing but
    noise. The other hemisphere's tissue is displaced.
    """
    random = np.random.RandomState(seed)
    half = gaussian_filter(random.normal(size=(48, 96)), 1.5)
    whole = np.concatenate([half, np.roll(half[::-1], moved, axis=1)]) / half.std()
    clean = np.stack([200 + 20 * whole, 900 - 90 * whole, np.full(whole.shape, 50.0)])
    clean += random.normal(size=clean.shape) * np.array([2.0, 20.0, 5.0])[:, None, None]
    clean *= np.pad(np.ones((84, 84)), 6)  # in air
    label = lesion_at(whole.shape, (16, 28), (40, 53))
    return np.where(label > 0, clean.max(axis=(1, 2), keepdims=True), clean), label, clean


def gradients(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Both components of an image's gradient in a mask that no other voxel has a say in, smoothed, side by side."""
    inner = binary_erosion(where, iterations=2)
    return np.concatenate([part[inner] for part in np.gradient(gaussian_filter(image, 0.7))])


@pytest.mark.parametrize("method", ["matched_mirror", "matched_nearby", "moved_mirror"])
@pytest.mark.parametrize("seed", range(3))
def test_structures_stay_together_in_all_sequences(method, seed):
    """Channels filled from different places lose what they have in common; all channels from one place keep it."""
    image, label, clean = sequences(seed)
    removed = RemoveLesion(method, 47.5)(image, label)
    filled = removed.mask[0] > 0

    def together(volume):
        return np.corrcoef(*(gradients(channel, filled) for channel in volume[:2]))[0, 1]

    assert together(removed.image) == pytest.approx(together(clean), rel=0.2)
    assert np.array_equal(removed.image[:, ~filled], image[:, ~filled]) and removed.mask.shape == label.shape


def test_every_channel_has_a_say_in_the_place_and_none_in_the_level_of_others():
    """Whatever its unit, a channel moves the filling; and what a channel is filled with hangs on it and the place."""
    image, label, _ = sequences()
    both = RemoveLesion("matched_mirror", 47.5)(image[:2], label)
    scaled = RemoveLesion("matched_mirror", 47.5)(image[:2] * np.array([1.0, 1e-3])[:, None, None], label)
    np.testing.assert_allclose(scaled.image[0], both.image[0])
    np.testing.assert_allclose(scaled.image[1], 1e-3 * both.image[1])
    alike = RemoveLesion("matched_mirror", 47.5)(np.concatenate([image[:1]] * 2), label)
    np.testing.assert_allclose(alike.image[0], RemoveLesion("matched_mirror", 47.5)(image[:1], label).image[0])


def test_tissue_is_tissue_in_all_channels():
    image, label = head().repeat(2, axis=0), lesion_at((64, 60), *LEFT)
    image[1, 40:] = 0  # the second does not show what the first would be filled with
    with pytest.raises(ConSinGANError, match="outside the head"):
        RemoveLesion("mirror")(image, label)
    with pytest.raises(ConSinGANError, match="no place with healthy tissue"):
        RemoveLesion("matched_mirror", 31.5)(image, label)
    assert RemoveLesion("mirror")(image[:1], label).method == "mirror"


def test_keys_are_sequences_of_one_case():
    image, label, _ = sequences()
    stacked = RemoveLesion("matched_mirror", 47.5)(image, label)
    keys = ("t1", "t1ce", "flair")
    data = {key: channel[None].astype(kind) for key, channel, kind in zip(keys, image, "fdi", strict=True)}
    out = RemoveLesiond(keys, methods="matched_mirror", symmetry=47.5)({**data, "label": label})
    for key, channel in zip(keys, stacked.image, strict=True):
        assert out[key].dtype == data[key].dtype and out[key].shape == (1, *label.shape[1:])
        np.testing.assert_allclose(out[key][0], channel, atol=1.5 if key == "flair" else 0.01)
        assert np.array_equal(out[key][stacked.mask == 0], data[key][stacked.mask == 0])
    some = RemoveLesiond((*keys, "t2"), allow_missing_keys=True, methods="matched_mirror", symmetry=47.5)
    assert np.array_equal(some({**data, "label": label})["t1"], out["t1"])
    with pytest.raises(ConSinGANError, match="give images of one spatial shape"):
        RemoveLesiond(keys)({**data, "t1ce": data["t1ce"][:, 1:], "label": label})


def test_filling_takes_sequences_too():
    image, label, _ = sequences()
    scan = {"t1": image[:1], "t1ce": image[1:2], "label": label}
    data = {key: MetaTensor(torch.from_numpy(part), affine=np.eye(4)) for key, part in scan.items()}
    how = {"methods": "matched_mirror", "symmetry": 47.5, "dims": 2}
    keys = ("t1", "t1ce")
    out = FillLesiond(keys, training_key=("train1", "train2"), **how)(data)
    filled = FillLesion(**how)(stack_keys(data, keys), data["label"])
    assert out["host"].shape == (2, *label.shape[1:]) and out["host"].meta["sequences"] == ["t1", "t1ce"]
    for number, (key, training) in enumerate(zip(keys, ("train1", "train2"), strict=True)):
        assert torch.equal(out[key][0], filled.image[number]) and torch.equal(out[training][0], filled.training[number])
    assert torch.equal(out["lesion"], filled.mask) and not out["label"].any()


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_known_of_a_host_is_used(channels):
    image, label = head().repeat(channels, axis=0), lesion_at((64, 60), *LEFT)
    image[-1, 10:13] = 0
    known = HostKnowledge.of(image)
    np.testing.assert_array_equal(known_head(image_identity(image), image, (1.0, 1.0)), known.head)
    plain = RemoveLesion("matched_mirror")(image, label)
    told = RemoveLesion("matched_mirror")(image, label, known=known)
    np.testing.assert_array_equal(told.image, plain.image)
    data = {"image": image, "label": label, "known": replace(known, mask=np.zeros_like(known.mask))}
    with pytest.raises(ConSinGANError, match="no place with healthy tissue"):  # as nothing is head
        RemoveLesiond("image", methods="matched_mirror", known_key="known")(data)
    np.testing.assert_array_equal(
        RemoveLesiond("image", methods="matched_mirror", known_key="else")(data)["image"], plain.image
    )


def test_another_image_at_the_same_place_in_memory_is_another_host():
    image, label = head(), lesion_at((64, 60), *LEFT)
    for _ in range(2):
        removed = RemoveLesion("mirror")(image, label)
        np.testing.assert_array_equal(removed.image[label > 0], image[:, ::-1][label > 0])
        image[:] = np.roll(image, 3, axis=1)  # the plane moves with the head
        shifted = RemoveLesion("mirror", "estimate")(image, label)
        assert shifted.plane.offset == pytest.approx(31.5 + 3, abs=0.6)
        image[:] = np.roll(image, -3, axis=1)


def test_bad_arguments():
    with pytest.raises(ConSinGANError, match='methods names "magic"'):
        RemoveLesion("magic")
    with pytest.raises(ConSinGANError, match="methods names nothing"):
        RemoveLesion(())
    with pytest.raises(ConSinGANError, match="margin_mm is -1"):
        RemoveLesion(margin_mm=-1)
    with pytest.raises(ConSinGANError, match="1 keys for 2"):
        RemoveLesiond(("a", "b"), output_keys="c")


def test_bad_input():
    image, label = head(), lesion_at((64, 60), *LEFT)
    with pytest.raises(ConSinGANError, match=r"label has shape \(1, 60, 64\)"):
        RemoveLesion()(image, label.swapaxes(1, 2))
    with pytest.raises(ConSinGANError, match="no lesion"):
        RemoveLesion()(image, np.zeros_like(label))
    with pytest.raises(ConSinGANError, match=r"lesion_labels is \[1, 7\].*values \[1\]"):
        RemoveLesion()(image, label, lesion_labels=(1, 7))
    with pytest.raises(ConSinGANError, match='symmetry "top"'):
        RemoveLesion(symmetry="top")(image, label)
    with pytest.raises(ConSinGANError, match="axis 5"):
        RemoveLesion(axis=5)(image, label)
    with pytest.raises(ConSinGANError, match="runs across the slices"):
        RemoveLesion("flipud", axis=2, flip_axis=2)(head((64, 60, 3)), lesion_at((64, 60, 3), *LEFT, (1, 2)))


def symmetric(seed: int = 0) -> np.ndarray:
    """Smooth tissue whose rows mirror to themselves between row 47 and 48."""
    half = gaussian_filter(np.random.RandomState(seed).normal(size=(48, 96)), 3.0)
    return 100 + 200 * np.concatenate([half, half[::-1]])[None]


@pytest.mark.parametrize("symmetry", ["centre", "estimate"])
def test_mirror_of_an_off_centre_crop_is_that_of_the_body(symmetry):
    tissue = symmetric()[:, 24:]
    label = lesion_at(tissue.shape[1:], (8, 15), (40, 48))
    image = np.where(label > 0, 400.0, tissue)
    removed = RemoveLesion("mirror", symmetry)(image, label)
    filled = removed.mask > 0
    assert removed.plane.offset == pytest.approx(47.5 - 24, abs=1)
    assert np.corrcoef(removed.image[filled], tissue[filled])[0, 1] > 0.95


@pytest.mark.parametrize("symmetry", ["centre", "estimate"])
def test_crop_of_one_hemisphere_is_not_mirrored(symmetry):
    tissue = symmetric()[:, :44]
    label = lesion_at(tissue.shape[1:], (8, 15), (40, 48))
    with pytest.raises(ConSinGANError, match="does not mirror to itself"):
        RemoveLesion("mirror", symmetry)(tissue, label)
    removed = RemoveLesion(("mirror", "biharmonic"), symmetry)(tissue, label)
    assert (removed.method, removed.plane) == ("biharmonic", None)
    assert RemoveLesion("mirror", 22.0)(tissue, label).method == "mirror"  # as the user says


def stripped(seed=0) -> np.ndarray:
    """A brain without a skull, with air in a slit from the right and in a hole from below, as in sulci."""
    image = head((64, 60, 12), seed)
    image[0, 40:, 36:38, 3:9] = image[0, 44:50, 28:30] = 0
    return image


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("method", FILLINGS)
def test_air_in_the_margin_stays_air(method, channels):
    """A label at the surface of a stripped brain and beside a slit: its margin reaches into air, which stays air."""
    image, slit = stripped().repeat(channels, axis=0), stripped()[0] == 0
    label = lesion_at(image.shape[1:], (46, 53), (30, 36), (4, 8))
    label[:, slit] = 0
    image[:, label[0] > 0] = 250
    removed = RemoveLesion(method, 31.5, margin_mm=3.0)(image, label)
    assert removed.mask[0][slit].sum() > 50
    assert not removed.image[:, slit].any()
    assert (removed.image[:, label[0] > 0] < 200).all()
    told = RemoveLesion(method, 31.5, margin_mm=3.0)(image, label, known=HostKnowledge.of(image))
    np.testing.assert_array_equal(told.image, removed.image)


@pytest.mark.parametrize("method", FILLINGS)
def test_what_is_dark_in_the_label_is_filled_too(method):
    """A cyst as dark as air that is open to the outside, in a brain with a skull as in one without, and a void."""
    for floor, cyst in ((1.0, 3.0), (0.0, 2.0), (0.0, 0.0)):
        image = np.where(head((64, 60, 12)) > 0, head((64, 60, 12)), floor * np.random.RandomState(1).rand(64, 60, 12))
        label = lesion_at(image.shape[1:], (6, 20), (24, 36), (3, 9))
        label[head((64, 60, 12)) == 0] = 0
        image[label > 0] = cyst
        removed = RemoveLesion(method, 31.5)(image, label)
        assert (removed.image[label > 0] > 50).mean() > 0.9


@pytest.mark.parametrize("method", ["matched_mirror", "matched_nearby", "moved_mirror", "poisson_mirror"])
def test_texture_makes_no_air_of_tissue(method):
    """Tissue that is hardly brighter than air, and very rough, is filled with nothing darker than any tissue is."""
    brain, noise = head((64, 60, 12)) > 0, np.random.RandomState(3).exponential(30, (1, 64, 60, 12))
    image = np.where(brain, 20 + noise, 0.0)
    label = lesion_at(image.shape[1:], (10, 24), (20, 34), (2, 10)) * brain
    removed = RemoveLesion(method, 31.5)(np.where(label > 0, 500, image), label)
    assert removed.image[brain].min() >= 20 and removed.image.max() <= image.max()


@pytest.mark.parametrize("method", ["mirror", "poisson_mirror"])
def test_no_air_is_mirrored_into_the_brain(method):
    """Where the other hemisphere ends a little sooner, its nearest tissue is taken."""
    image = head((64, 60, 12))
    brain = image[0] > 0
    image[0, 54:, 24:36, 3:9] = 0
    label = lesion_at(image.shape[1:], (6, 28), (22, 38), (2, 10)) * brain
    image[label > 0] = 250
    assert (image[:, ::-1][label > 0] == 0).sum() > 50
    assert RemoveLesion(method, 31.5)(image, label).image[label > 0].min() > 60
