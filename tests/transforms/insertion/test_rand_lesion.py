from __future__ import annotations

import json
import pickle
import warnings

import nibabel
import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.transforms import Compose, RandSpatialCropd
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.transforms import HostKnowledge, PrepareHostd, RandPasteLesion, RandPasteLesiond
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions

PLAIN = {"flip_prob": 0.0, "rotate_range": 0.0, "scale_range": (1.0, 1.0), "blend": "hard", "match": "none"}


def brain(seed=0, shape=(60, 64)):
    """Noisy tissue in empty space: a disk, or a cylinder along the last axis."""
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    radius = sum(((g - n / 2) / (n / 2 - 3)) ** 2 for g, n in zip(grid[:2], shape, strict=False))
    values = np.random.RandomState(seed).normal(100, 4, shape)
    return np.where(radius < 1, values, 0)[None].astype(np.float32)


def donor(seed=1, shape=(60, 64), half=4, value=3):
    image, label = brain(seed, shape), np.zeros((1, *shape), np.int16)
    label[(0, *(slice(n // 2 - half, n // 2 + half) for n in shape))] = value
    image[label > 0] = 180
    return image, label


def run(paste, *inputs, seed=0):
    paste.set_random_state(seed)
    return paste(*inputs)


def test_the_same_seed_gives_the_same_bytes_and_leaves_global_randomness_alone():
    paste, host = RandPasteLesion([donor(1), donor(2)], number=(1, 3)), brain()
    np.random.seed(5)
    torch.manual_seed(5)
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, again, other = (run(paste, host, seed=s) for s in (0, 0, 1))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert first.image.tobytes() != other.image.tobytes()
    assert (np.random.get_state()[1] == before).all() and torch.equal(torch.get_rng_state(), torch_before)


def test_image_label_and_mask_agree():
    paste, host = RandPasteLesion([donor()], number=2, **PLAIN), brain()
    out = run(paste, host)
    inside = out.mask > 0
    assert out.mask.sum() == 2 * 64 and ndimage.label(out.mask[0])[1] == 2
    assert (out.image[inside] == 180).all() and (out.label[inside] == 3).all()
    assert out.image[~inside].tobytes() == host[~inside].tobytes() and not out.label[~inside].any()
    assert [e["donor"] for e in paste.log] == [0, 0] and all("placement" in e for e in paste.log)


def test_a_lesion_is_measured_without_its_oedema():
    image, label = brain(1), np.zeros((1, 60, 64), np.int16)
    label[0, 20:36, 24:40], label[0, 25:31, 29:35] = 2, 1
    image[label == 2], image[label == 1] = 92, 148  # the mean of both is that of the tissue
    image[label > 0] += np.random.RandomState(2).normal(0, 1, np.count_nonzero(label))
    paste = RandPasteLesion([(image, label)], lesion_labels=[1], min_volume=30, min_cnr=8, **PLAIN)
    assert set(np.unique(run(paste, brain()).label)) == {0, 1, 2}
    (entry,) = paste.log
    assert entry["checks"]["cnr"] > 8 and entry["checks"]["contrast_kept"] == pytest.approx(1, abs=0.3)
    too_large = RandPasteLesion([(image, label)], lesion_labels=[1], min_volume=40, **PLAIN)
    with pytest.warns(ConSinGANWarning, match="Donor 0 is never taken.*40 mm3"):
        assert not run(too_large, brain()).mask.any()


def test_a_donor_that_is_never_taken_is_told_once():
    paste = RandPasteLesion([donor()], min_cnr=1000)
    with pytest.warns(ConSinGANWarning, match=r"Donor 0 is never taken.*1000 times its noise") as told:
        for seed in range(3):
            assert not run(paste, brain(), seed=seed).mask.any()
    assert sum(issubclass(warning.category, ConSinGANWarning) for warning in told) == 1


def test_every_part_of_a_donors_label_is_a_lesion():
    image, label = brain(1), np.zeros((1, 60, 64), np.int16)
    label[0, 10:16, 30:36], label[0, 24:34, 30:38], label[0, 44:48, 28:32] = 3, 4, 5
    label[0, 24:26, 30:38], label[0, 41:44, 28:29] = 2, 2  # with the lesion of 4, and beside that of 5
    image[label > 0] = 180
    paste, sizes = RandPasteLesion([(image, label)], **PLAIN), {1: 80, 2: 36, 3: 16 + 3}
    drawn = {}
    for seed in range(12):
        out = run(paste, brain(), seed=seed)
        (entry,) = paste.log
        drawn[entry["lesion"]] = set(np.unique(out.label[out.mask > 0]).tolist())
        assert out.mask.sum() == sizes[entry["lesion"]] and ndimage.label(out.mask[0], np.ones((3, 3)))[1] == 1
    assert drawn == {1: {2, 4}, 2: {3}, 3: {2, 5}}
    some = RandPasteLesion([(image, label)], lesion_labels=[3, 5], number=4, edge_mm=3.0, **PLAIN)
    for seed in range(4):
        run(some, brain(), seed=seed)
        assert {entry["lesion"] for entry in some.log} <= {1, 2}
    with pytest.raises(ConSinGANError, match=r"mark the lesion with the values \[9\]"):
        run(RandPasteLesion([(image, label)], lesion_labels=[9], **PLAIN), brain())


def test_tissue_of_a_donors_other_lesions_stays_there():
    image, label = brain(1), np.zeros((1, 60, 64), np.int16)
    label[0, 26:32, 30:36], label[0, 33:36, 30:36] = 1, 2
    image[label > 0] = 180
    for seed in range(4):
        out = run(
            RandPasteLesion([(image, label)], **{**PLAIN, "blend": "feather", "feather_mm": 6.0}), brain(), seed=seed
        )
        assert out.mask.any() and out.image[out.mask == 0].max() < 150


def test_lesions_keep_off_those_that_are_there():
    host, old = brain(), donor(half=6, value=7)[1]
    for seed in range(4):
        out = run(RandPasteLesion([donor()], number=2, clearance_mm=5.0, **PLAIN), host, old, seed=seed)
        assert (out.label[old > 0] == 7).all()
        away = ndimage.distance_transform_edt(old[0] == 0)
        assert away[out.mask[0] > 0].min() > 5


def test_region():
    region = np.zeros((1, 60, 64))
    region[:, 8:30, 20:44] = 1
    out = run(RandPasteLesion([donor()], **PLAIN), brain(), None, region)
    assert out.mask.any() and region[out.mask > 0].all()


def test_probability_zero_and_repeat():
    host = brain()
    out = run(RandPasteLesion([donor()], prob=0.0), host)
    assert out.image is host and not out.label.any() and not out.mask.any()
    paste = RandPasteLesion([donor()])
    first = run(paste, host)
    assert paste(host, randomize=False).image.tobytes() == first.image.tobytes()


def test_without_a_place_the_image_is_unchanged_and_the_reason_kept():
    host = MetaTensor(torch.from_numpy(brain()))
    paste = RandPasteLesion([donor()], edge_mm=40.0)
    out = run(paste, host)
    assert torch.equal(out.image, host) and not out.mask.any()
    assert "fits nowhere" in paste.log[0]["reason"]
    assert "fits nowhere" in json.loads(out.image.meta["pasted_lesions"])[0]["reason"]
    assert "pasted_lesions" not in host.meta


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_scale(scale):
    options = {**PLAIN, "scale_range": (scale, scale), "edge_mm": 3.0}
    plane = run(RandPasteLesion([donor(half=4)], **options), brain())
    assert int(plane.mask.sum()) == pytest.approx(64 * scale**2, rel=0.1)
    flat = run(RandPasteLesion([donor(half=4, shape=(40, 40, 12))], axis=2, **options), brain(shape=(40, 40, 12)))
    assert (flat.mask[0].sum(axis=(0, 1)) > 0).sum() == 8
    assert int(flat.mask.sum()) == pytest.approx(8**3 * scale**2, rel=0.1)


def test_rotation_and_flip_of_a_long_lesion():
    image, label = brain(1), np.zeros((1, 60, 64), np.int16)
    label[0, 29:32, 20:44], label[0, 29:32, 20:24] = 1, 2
    image[label > 0] = 180
    options = {**PLAIN, "edge_mm": 3.0, "rotate_range": 60.0}
    angles = []
    for seed in range(6):
        out = run(RandPasteLesion([(image, label)], **options), brain(), seed=seed)
        spots = np.argwhere(out.mask[0]) - np.argwhere(out.mask[0]).mean(axis=0)
        along = np.linalg.eigh(spots.T @ spots)[1][:, -1]
        angles.append(np.degrees(np.arctan2(along[0], along[1])) % 180)
        assert int(out.mask.sum()) == pytest.approx(72, rel=0.25)
    tilts = np.minimum(angles, 180 - np.asarray(angles))
    assert tilts.max() > 15 and tilts.max() <= 62
    ends = set()
    for seed in range(8):
        out = run(RandPasteLesion([(image, label)], **{**PLAIN, "edge_mm": 3.0, "flip_prob": 0.5}), brain(), seed=seed)
        ends.add(bool(np.argwhere(out.label[0] == 2)[:, 1].mean() < np.argwhere(out.label[0] == 1)[:, 1].mean()))
        assert (out.label == 2).sum() == 12 and (out.label == 1).sum() == 60
    assert ends == {True, False}


def test_donors_of_another_spacing_keep_their_size_in_mm():
    image, label = (MetaTensor(torch.from_numpy(a), affine=np.diag([2.0, 2, 1, 1])) for a in donor())
    host = MetaTensor(torch.from_numpy(brain(shape=(80, 80))), affine=np.eye(4))
    out = run(RandPasteLesion([(image, label)], **{**PLAIN, "edge_mm": 3.0}), host)
    assert int(out.mask.sum()) == pytest.approx(64 * 4, rel=0.1)
    np.testing.assert_array_equal(np.asarray(out.image.affine), np.eye(4))


def test_donors_are_turned_to_the_hosts_axes():
    image, label = donor(shape=(40, 44, 36))
    label[0, 16:18, 18:26, 14:22] = (
        9  # the two first sagittal slices of the lesion, on the right in LAS and on the left in RAS
    )
    flip = MetaTensor(torch.from_numpy(image), affine=np.diag([-1.0, 1, 1, 1])), torch.from_numpy(label)
    host = MetaTensor(torch.from_numpy(brain(shape=(40, 44, 36))), affine=np.eye(4))
    out = run(RandPasteLesion([flip], **PLAIN), host)
    nine, three = (np.argwhere(np.asarray(out.label[0]) == v)[:, 0].mean() for v in (9, 3))
    assert nine > three


def test_paths_are_read_when_needed(tmp_path):
    image, label = donor(shape=(30, 32, 8))
    files = {}
    for name, values in (("image", image), ("label", label)):
        files[name] = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(values[0], np.eye(4)), files[name])
    paste = RandPasteLesion([files], **PLAIN)
    host = MetaTensor(torch.from_numpy(brain(shape=(30, 32, 8))), affine=np.eye(4))
    first = run(paste, host)
    assert int(first.mask.sum()) == int((label > 0).sum())
    for file in files.values():
        file.unlink()
    assert torch.equal(run(paste, host).image, first.image)
    calls = []
    own = RandPasteLesion([("image", "label")], loader=lambda name: calls.append(name) or files_of[name], **PLAIN)
    files_of = {"image": image, "label": label}
    run(own, host), run(own, host)
    assert calls == ["image", "label"]


def test_dictionary_in_a_pipeline_and_a_loader():
    data = {"image": MetaTensor(torch.from_numpy(brain())), "name": "a"}
    step = RandPasteLesiond("image", [donor(1), donor(2)], number=(1, 2))
    chain = Compose([step]).set_random_state(3)
    first = chain(data)
    assert first["name"] == "a" and first["lesion_mask"].any() and "label" not in data
    assert torch.equal(Compose([pickle.loads(pickle.dumps(step))]).set_random_state(3)(data)["image"], first["image"])
    assert not torch.equal(chain.set_random_state(4)(data)["image"], first["image"])
    batch = next(iter(DataLoader(Dataset([data, data], chain), batch_size=2)))
    assert batch["image"].shape == (2, 1, 60, 64) and batch["lesion_mask"].dtype == torch.uint8
    assert RandPasteLesiond("none", [donor()], allow_missing_keys=True)(data).keys() == data.keys()


def test_errors():
    with pytest.raises(ConSinGANError, match="donors is"):
        RandPasteLesion([])
    with pytest.raises(ConSinGANError, match="scale_range"):
        RandPasteLesion([donor()], scale_range=(0, 1))
    with pytest.raises(ConSinGANError, match="rotate_range is -1"):
        RandPasteLesion([donor()], rotate_range=-1)
    with pytest.raises(ConSinGANError, match="number"):
        RandPasteLesion([donor()], number=0)
    with pytest.raises(ConSinGANError, match=r"a donor has shape \(1, 60, 64\) but the host \(1, 9, 9, 9\)"):
        RandPasteLesion([donor()])(brain(shape=(9, 9, 9)))
    with pytest.raises(ConSinGANError, match="label is empty"):
        RandPasteLesion([(brain(), np.zeros((1, 60, 64)))])(brain())
    with pytest.raises(ConSinGANError, match="a donor has 1 parts"):
        RandPasteLesion([(brain(),)])(brain())


def test_every_lesion_carries_its_checks():
    paste = RandPasteLesion([donor()], number=2, flip_prob=0.0, rotate_range=0.0, scale_range=(1.0, 1.0))
    out = run(paste, MetaTensor(torch.from_numpy(brain())))
    assert json.loads(out.image.meta["pasted_lesions"]) == paste.log
    for entry in paste.log:
        checks = entry["checks"]
        assert checks["in_tissue"] == 1 and checks["black_gained"] == 0
        assert checks["cnr"] == pytest.approx(20, rel=0.2) and checks["contrast_kept"] == pytest.approx(1, abs=0.2)


def test_specks_and_lesions_that_cannot_be_seen_are_left_out():
    speck, faint = donor(half=1), donor(half=4)
    faint[0][faint[1] > 0] = brain(1)[faint[1] > 0] + 2
    paste = RandPasteLesion([speck, faint], number=8)
    run(paste, brain())
    reasons = {entry["donor"]: entry["reason"] for entry in paste.log}
    assert set(reasons) == {0, 1} and all("no lesion of the donor has 10 mm3" in reason for reason in reasons.values())
    paste = RandPasteLesion([speck, faint], number=8, min_volume=0, min_cnr=0, clearance_mm=0.0)
    run(paste, brain())
    assert all("placement" in entry for entry in paste.log)
    paste = RandPasteLesion([donor()], min_volume=50, scale_range=(0.5, 0.5))
    run(paste, brain())
    assert "below 50" in paste.log[0]["reason"]


def two(image):
    """Two sequences: one of more noise, in which a lesion does not show so well, and the image."""
    noise = np.random.RandomState(9).normal(0, 10, image.shape)
    return np.concatenate([np.where(image > 0, image + noise, 0), image]).astype(np.float32)


@pytest.mark.parametrize("blend", ["hard", "tissue"])
def test_several_sequences_have_one_place(blend):
    image, label = donor()
    paste, host = RandPasteLesion([(two(image), label)], blend=blend), two(brain())
    out = run(paste, host)
    (entry,) = paste.log
    assert out.image.shape == host.shape and out.mask.shape == (1, *host.shape[1:]) and out.mask.any()
    inside = out.mask[0] > 0
    assert (out.image[:, inside] != host[:, inside]).all() and entry["checks"]["cnr"] > 5
    single = RandPasteLesion([(two(image), label)], blend=blend, lead=0)
    run(single, host)
    assert single.log[0]["checks"] != entry["checks"]
    with pytest.raises(ConSinGANError, match="lead is 'flair'"):
        run(RandPasteLesion([(two(image), label)], lead="flair"), host)


def test_sequences_under_several_keys():
    image, label = donor()
    host = two(brain())
    item = {"first": host[:1], "second": host[1:]}
    paste = RandPasteLesiond(["first", "second"], [(two(image), label)], label_key="label")
    out = paste.set_random_state(0)(item)
    stacked = run(RandPasteLesion([(two(image), label)]), host)
    np.testing.assert_array_equal(np.concatenate([out["first"], out["second"]]), stacked.image)
    np.testing.assert_array_equal(out["label"], stacked.label)


SHAPE = (72, 70, 40)


def named(image, sequences):
    image = MetaTensor(torch.from_numpy(np.ascontiguousarray(image)))
    image.meta["sequences"] = list(sequences)
    return image


def test_hosts_may_have_their_sequences_in_any_order():
    image, label = two(donor()[0]), donor()[1]
    host = two(brain())
    paste = RandPasteLesion([(named(image, "ab"), label)], **PLAIN)
    first = run(paste, named(host, "ab"))
    other = run(paste, named(host[::-1], "ba"))
    assert torch.equal(first.mask, other.mask) and torch.equal(first.image.flip(0), other.image)
    with pytest.raises(ConSinGANError, match="host's number of channels"):
        run(paste, named(host[:1], "a"))


def test_every_sequence_says_what_was_put_in():
    data = {"a": named(brain(), "a"), "b": named(brain(3), "b")}
    image, label = two(donor()[0]), donor()[1]
    paste = RandPasteLesiond(["a", "b"], donors=[(named(image, "ab"), label)], label_key="label", **PLAIN)
    out = run(paste, data)
    assert len(paste.paste.log) == 1 and "placement" in paste.paste.log[0]
    assert all(json.loads(out[key].meta["pasted_lesions"]) == paste.paste.log for key in "ab")


def test_what_surrounds_a_donors_lesion_is_told_in_the_head_of_the_leading_sequence():
    image, label = donor()
    image[0, :30] += 20 * (image[0, :30] > 0)  # a head of two levels, of which the first sequence covers one
    part = np.where(np.arange(60)[:, None] < 24, 0, image + np.random.RandomState(0).normal(0, 1, image.shape))
    both = np.concatenate([part, image]).astype(np.float32)
    (alone,) = crop_lesions(Donor(image, label), image)
    (lead,) = crop_lesions(Donor(both, label), both, lead=1)
    assert lead.level == alone.level


def test_contrast_is_compared_within_like_tissue():
    image, label = (part.copy() for part in donor(shape=(60, 64, 24), half=3))
    host = brain(shape=(60, 64, 24))
    noise = np.random.RandomState(3).normal(0, 30, host.shape[1:])
    noise[:, :, 9:15] = 0  # the lesion's slices have less noise than those around
    image, host = (np.where((part > 0) & (label == 0), part + noise, part) for part in (image, host))
    paste = RandPasteLesion([(image, label)], axis=2, edge_mm=3.0, **PLAIN)
    run(paste, host)
    checks = paste.log[0]["checks"]
    assert 0.5 < checks["contrast_kept"] < 2


def scan(values):
    return MetaTensor(torch.from_numpy(values.astype(np.float32)), affine=torch.diag(torch.tensor([1.0, 1, 2, 1])))


def test_a_crop_of_a_cached_host_keeps_what_is_known_of_it():
    item = {"image": scan(brain(shape=SHAPE)), "label": scan(np.zeros((1, *SHAPE)))}
    load = PrepareHostd("image")
    crop = RandSpatialCropd(["image", "label"], (40, 44, 24), random_size=False)
    paste = RandPasteLesiond(["image", "label"], [donor(shape=SHAPE)], number=2, edge_mm=6.0)
    data = CacheDataset([item], Compose([load, crop, paste]), progress=False)
    head = HostKnowledge.of(item["image"]).head
    depth = scan(ndimage.distance_transform_edt(head, sampling=(1, 1, 2))[None])
    for seed in range(4):
        data.transform.set_random_state(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConSinGANWarning)
            out = data[0]
        assert "host_known" not in out
        where = np.rint(np.linalg.solve(item["image"].affine.numpy(), out["image"].affine.numpy())[:3, 3]).astype(int)
        part = depth[(0, *(slice(a, a + n) for a, n in zip(where, (40, 44, 24), strict=True)))].numpy()
        new = out["lesion_mask"][0].numpy() > 0
        assert new.any() and part[new].min() > 6
    batch = next(iter(DataLoader(data, batch_size=1)))
    assert batch["image"].shape == (1, 1, 40, 44, 24)


def test_what_is_known_of_another_host_is_not_used_and_that_is_said_once():
    known = HostKnowledge.of(brain(3))
    paste = RandPasteLesion([donor()], **PLAIN)
    with pytest.warns(ConSinGANWarning, match="no part of it, or its intensities were changed"):
        paste.set_random_state(0)(brain(), known=known)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConSinGANWarning)
        first = paste.set_random_state(0)(brain(), known=known)
    assert first.image.tobytes() == run(paste, brain()).image.tobytes()
    assert first.image.tobytes() == paste.set_random_state(0)(brain(), known=HostKnowledge.of(brain())).image.tobytes()


def _cube(seed: int) -> np.ndarray:
    """Two sequences of a cylinder of tissue."""
    return np.concatenate([brain(seed + more, (48, 48, 36)) for more in (0, 10)])


class _Numbered(torch.utils.data.Dataset):
    """Items, each with a lesion that hangs on its number alone."""

    def __init__(self) -> None:
        label = np.zeros((1, 48, 48, 36), np.int16)
        label[0, 20:27, 20:27, 15:21] = 1
        self.paste = RandPasteLesiond(["image", "label"], donors=[(_cube(1) + 80 * (label > 0), label)])

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        self.paste.set_random_state(number)
        return {key: as_array(value) for key, value in self.paste({"image": _cube(number + 2)}).items()}


def test_workers_give_the_same_bytes_as_none():
    alone, together = (list(torch.utils.data.DataLoader(_Numbered(), num_workers=workers)) for workers in (0, 2))
    for one, other in zip(alone, together, strict=True):
        assert one["lesion_mask"].any()
        assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_view_of_a_larger_array_gives_the_same_as_a_copy_of_it():
    host = np.pad(_cube(3), [(0, 0), (2, 1), (0, 3), (1, 0)])
    part = (slice(None), slice(2, 50), slice(0, 48), slice(1, 37))
    for view in (host[part], torch.from_numpy(host)[part], MetaTensor(host)[part]):
        assert not (view.flags.c_contiguous if isinstance(view, np.ndarray) else view.is_contiguous())
        found, wanted = (run(_Numbered().paste.paste, image) for image in (view, as_array(view).copy()))
        assert type(found.image) is type(view)
        assert all((as_array(a) == as_array(b)).all() for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", [np.asarray, lambda values: MetaTensor(torch.from_numpy(values))])
def test_what_is_given_stays_as_it_is_in_whatever_order_it_lies_in_memory(kind):
    paste, whole = RandPasteLesion([donor()], **PLAIN), brain(shape=(64, 64))
    lies = {"in order": kind(whole), "a crop": kind(np.pad(whole, ((0, 0), (1, 1), (2, 2))))[:, 1:-1, 2:-2]}
    lies["turned"] = kind(whole.swapaxes(1, 2).copy()).swapaxes(1, 2)
    pasted = []
    for name, host in lies.items():
        out = run(paste, host)
        assert out.mask.any() and as_array(out.image).tobytes() != whole.tobytes(), name
        assert as_array(host).tobytes() == whole.tobytes(), name
        pasted.append(as_array(out.image).tobytes())
    assert len(set(pasted)) == 1
    values = kind(whole.copy())
    assert run(paste, values, None, None, True, None, None, True).mask.any()
    assert as_array(values).tobytes() == pasted[0]  # it was not to be kept


def test_sequences_under_several_keys_stay_as_they_are():
    image, label = donor()
    images = {name: MetaTensor(torch.from_numpy(brain(n))) for n, name in enumerate(("t1", "t2"))}
    before = {name: each.numpy().copy() for name, each in images.items()}
    paste = RandPasteLesiond(["t1", "t2", "label"], [(np.concatenate([image, image]), label)], **PLAIN)
    out = run(paste, images)
    assert out["lesion_mask"].any()
    for name, values in before.items():
        assert images[name].numpy().tobytes() == values.tobytes() != out[name].numpy().tobytes()


def test_where_nothing_is_put_in_no_voxel_is_copied():
    host = MetaTensor(torch.from_numpy(brain()))
    out = run(RandPasteLesion([donor()], prob=0.0), host)
    assert torch.equal(out.image, host) and np.shares_memory(out.image.numpy(), host.numpy())
    assert "pasted_lesions" not in host.meta
