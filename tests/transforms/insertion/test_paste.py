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
from monai_consingan.methods import BLENDS
from monai_consingan.metrics.surroundings import Surroundings
from monai_consingan.transforms.insertion.dictionaries import PasteLesiond
from monai_consingan.transforms.insertion.match import tissue_ring
from monai_consingan.transforms.insertion.paste import PasteLesion
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.whole_voxels import move


def scene(gain=1.0, seed=0):
    """Donor with a lesion of label 4 rimmed by 1, and a host of another gain; air in the first columns."""
    rng = np.random.RandomState(seed)
    donor, host = (rng.normal(100, 5, (1, 40, 40)) for _ in range(2))
    label = np.zeros((1, 40, 40), np.int16)
    label[0, 20:26, 18:24], label[0, 21:25, 19:23] = 1, 4
    donor[label > 0] += 80
    donor[..., :3], host[..., :3] = 0, 0
    return host * gain, donor, label


@given(
    array=arrays(np.int16, (2, 5, 6), elements=st.integers(-9, 9)),
    offset=st.tuples(st.integers(-8, 8), st.integers(-8, 8)),
    fill=st.integers(-3, 3),
)
def test_move_is_an_exact_shift_without_wrap_around(array, offset, fill):
    expected = np.full_like(array, fill)
    for i in range(5):
        for j in range(6):
            if 0 <= i + offset[0] < 5 and 0 <= j + offset[1] < 6:
                expected[:, i + offset[0], j + offset[1]] = array[:, i, j]
    np.testing.assert_array_equal(move(array, offset, fill), expected)
    out = move(torch.from_numpy(array), offset, fill)
    assert out.dtype == torch.int16 and np.array_equal(out.numpy(), expected)


def test_move_into_another_shape():
    assert move(np.array([[1, 2], [3, 4]]), (-1, 2), shape=(2, 5)).tolist() == [[0, 0, 3, 4, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
@given(seed=st.integers(0, 50), offset=st.tuples(*[st.integers(-2, 2)] * 3))
def test_hard_is_exactly_the_formula(dtype, seed, offset):
    rng = np.random.RandomState(seed)
    host, donor = (rng.randint(0, 250, (2, 7, 8, 6)).astype(dtype) for _ in range(2))
    label = np.zeros((1, 7, 8, 6), np.uint8)
    label[:, 2:5, 2:6, 2:4] = rng.randint(0, 3, (1, 3, 4, 2))
    label[0, 3, 3, 3] = 1
    pasted = PasteLesion()(host, donor, label, offset=offset)
    shifted = np.roll(label, offset, (1, 2, 3))
    mask = shifted > 0
    np.testing.assert_array_equal(pasted.image, mask * np.roll(donor, offset, (1, 2, 3)) + (1 - mask) * host)
    assert pasted.image.dtype == dtype and pasted.mask.dtype == np.uint8
    np.testing.assert_array_equal(pasted.mask, mask)
    np.testing.assert_array_equal(pasted.label, shifted)


def test_label_values_are_written_over_the_hosts():
    host, donor, label = scene()
    old = np.zeros((1, 40, 40), np.uint8)
    old[0, 24:34, 22:34] = 9
    new = PasteLesion()(host, donor, label, offset=(2, 3), host_label=old).label
    shifted = np.roll(label, (2, 3), (1, 2))
    np.testing.assert_array_equal(new, np.where(shifted > 0, shifted, old))
    assert new.dtype == np.uint8
    assert PasteLesion()(host, donor, label * 100, host_label=old).label.max() == 400


def test_nothing_of_the_lesion_may_be_lost():
    host, donor, label = scene()
    assert PasteLesion()(host, donor, label, offset=(14, 16)).mask.sum() == 36
    with pytest.raises(ConSinGANError, match="moves 6 of the lesion's 36 voxels out of the host"):
        PasteLesion()(host, donor, label, offset=(15, 0))
    with pytest.raises(ConSinGANError, match="moves 36"):
        PasteLesion()(host, donor, label, offset=(0, -400))


@pytest.mark.parametrize("blend", ["hard", "feather", "poisson", "tissue"])
@pytest.mark.parametrize("match", ["none", "gain", "mean_std"])
def test_far_voxels_are_the_hosts_bit_for_bit(blend, match):
    host, donor, label = scene(1.7)
    pasted = PasteLesion(blend, match=match, feather_mm=3.0)(host, donor, label, offset=(-6, 5))
    away = outside_distance(pasted.mask[0] > 0, (1.0, 1.0))
    far = away > {"feather": 3.0, "tissue": 6.5}.get(blend, 0.0)
    assert pasted.image[0][far].tobytes() == host[0][far].tobytes()
    assert (pasted.image[0][~far] != host[0][~far]).any()


def test_gain_keeps_the_relative_contrast():
    host, donor, label = scene(2.5)
    pasted = PasteLesion(match="gain", ring_mm=(2, 8))(host, donor, label, offset=(0, -9))

    def contrast(image, mask):
        away = outside_distance(mask[0] > 0, (1.0, 1.0))
        ring = (away > 2) & (away <= 8) & (image[0] > 20)
        return image[0][mask[0] > 0].mean() / image[0][ring].mean()

    assert contrast(pasted.image, pasted.mask) == pytest.approx(contrast(donor, label), rel=1e-9)
    naive = PasteLesion()(host, donor, label, offset=(0, -9))
    assert contrast(naive.image, naive.mask) < 0.5 * contrast(donor, label)


def test_rings_leave_out_air_and_other_lesions():
    host, donor, label = scene()
    others = np.zeros((1, 40, 40), np.int16)
    others[0, 20:26, 17:20] = 2
    host[others > 0] = 500
    paste = PasteLesion(match="gain")
    with_others = paste(host, donor, label, offset=(0, -9), host_label=others).image
    inside = np.roll(label, (0, -9), (1, 2)) > 0
    factor = with_others[inside] / donor[label > 0]
    assert factor == pytest.approx(np.ones(36), abs=0.03)
    assert (paste(host, donor, label, offset=(0, -9)).image[inside] > 1.1 * with_others[inside]).all()


def test_mean_and_deviation_become_those_of_the_host():
    host, donor, label = scene()
    host = host * 3 - 40
    pasted = PasteLesion(match="mean_std")(host, donor, label)
    scaled = (donor[label > 0] * 3 - 40).mean()
    assert pasted.image[label > 0].mean() == pytest.approx(scaled, rel=0.1)


def test_distances_follow_spacing_and_slices():
    host, donor, label = scene()
    volumes = [np.stack([a, a, a], axis=-1) for a in (host, donor, label)]
    volumes[2][..., [0, 2]] = 0
    near = PasteLesion("feather", feather_mm=3.0, spacing=(1, 1, 1))(*volumes).image
    assert (near[..., 0] != volumes[0][..., 0]).any()
    for paste in (
        PasteLesion("feather", feather_mm=3.0, spacing=(1, 1, 5)),
        PasteLesion("feather", feather_mm=3.0, axis=2),
    ):
        image = paste(*volumes).image
        assert (image[..., [0, 2]] == volumes[0][..., [0, 2]]).all() and (image[..., 1] != volumes[0][..., 1]).any()


def test_feather_takes_the_donor_inside_and_fades_out():
    host, donor, label = np.zeros((1, 20, 20)), np.ones((1, 20, 20)), np.zeros((1, 20, 20))
    label[0, 8:12, 8:12] = 1
    image = PasteLesion("feather", feather_mm=4.0)(host, donor, label).image
    np.testing.assert_allclose(image[0, 10, 7::-1][:4], [0.853553, 0.5, 0.146447, 0.0], atol=1e-6)
    assert (image[label > 0] == 1).all()
    valid = np.ones((1, 20, 20))
    valid[..., :7] = 0
    assert PasteLesion("feather", feather_mm=4.0)(host, donor, label, donor_valid=valid).image[..., :7].max() == 0


def test_poisson_is_the_blend_of_the_moved_donor():
    host, donor, label = scene(1.4)
    pasted = PasteLesion("poisson")(host, donor, label, offset=(3, -4))
    expected = poisson_blend(host[0], np.roll(donor[0], (3, -4), (0, 1)), pasted.mask[0])
    np.testing.assert_allclose(pasted.image[0], expected, atol=1e-9)


def test_metadata_and_kind_are_the_hosts():
    host, donor, label = scene()
    affine = np.diag([2.0, 2.0, 1.0, 1.0])
    elsewhere = affine.copy()
    elsewhere[:3, 3] = 7, -9, 5
    kinds = [
        MetaTensor(torch.from_numpy(a), affine=m, meta={"name": n})
        for a, m, n in ((host, affine, "host"), (donor, elsewhere, "donor"), (label, elsewhere, "label"))
    ]
    for part in PasteLesion("feather", match="gain")(*kinds, offset=(1, 1)):
        assert isinstance(part, MetaTensor) and part.meta["name"] == "host"
        np.testing.assert_array_equal(np.asarray(part.affine), affine)
    np.testing.assert_array_equal(np.asarray(kinds[0]), host)
    for part in PasteLesion()(torch.from_numpy(host), *kinds[1:]):
        assert type(part) is torch.Tensor


def test_integer_hosts_are_rounded_and_clipped():
    host, donor, label = scene()
    donor[label > 0] = 1000.7
    image = PasteLesion()(host.clip(0).astype(np.uint8), donor, label).image
    assert image.dtype == np.uint8 and (image[label > 0] == 255).all()
    assert (PasteLesion()(host.astype(np.int16), donor, label).image[label > 0] == 1001).all()


def test_dictionary():
    host, donor, label = scene()
    data = {"t1c": host, "donor": donor, "donor_label": label, "shift": np.array([2, 3])}
    out = PasteLesiond("t1c", offset_key="shift")(data)
    expected = PasteLesion()(host, donor, label, offset=(2, 3))
    for key, part in zip(("t1c", "label", "lesion_mask"), expected, strict=True):
        np.testing.assert_array_equal(out[key], part)
    assert data["t1c"] is host and "label" not in data
    more = PasteLesiond("t1c", output_key="new")({**data, "label": label})
    assert more["t1c"] is host and (more["label"] == label).all() and (more["new"] != host).any()
    assert PasteLesiond("t2", allow_missing_keys=True)(data).keys() == data.keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blend": "soft"}, "soft"),
        ({"match": "histogram"}, "histogram"),
        ({"ring_mm": (8, 2)}, "ring_mm"),
        ({"feather_mm": -1}, "feather_mm is -1"),
    ],
)
def test_bad_settings(options, words):
    with pytest.raises(ConSinGANError, match=words):
        PasteLesion(**options)


def test_bad_input():
    host, donor, label = scene()
    with pytest.raises(ConSinGANError, match=r"donor has shape \(1, 9, 9\) but host has \(1, 40, 40\)"):
        PasteLesion()(host, donor[:, :9, :9], label)
    with pytest.raises(ConSinGANError, match="donor_label has shape"):
        PasteLesion()(host, donor, label[:, :9])
    with pytest.raises(ConSinGANError, match="host_label has shape"):
        PasteLesion()(host, donor, label, host_label=label[:, :9])
    with pytest.raises(ConSinGANError, match="donor_label is empty"):
        PasteLesion()(host, donor, label * 0)
    with pytest.raises(ConSinGANError, match="2 whole numbers"):
        PasteLesion()(host, donor, label, offset=(1, 2, 3))
    with pytest.raises(ConSinGANError, match="no tissue around"):
        PasteLesion(match="gain")(host, donor, label, host_label=np.ones_like(label))
    with pytest.raises(ConSinGANError, match='use match="mean_std"'):
        PasteLesion(match="gain")(host - 500, donor, label)
    with pytest.raises(ConSinGANError, match=r"host has 2 sequences \(1, 2\) but the donor 1 sequence \(1\)"):
        PasteLesion()(np.concatenate([host, host]), donor, label)


@pytest.mark.parametrize("axis", [2, None])
@pytest.mark.parametrize("blend", ["tissue", "poisson", "crossfade", "feather", "hard"])
def test_a_part_that_has_nothing_to_blend_with_does_not_refuse_the_rest(blend, axis):
    rng = np.random.RandomState(0)
    donor, host = (rng.normal(100, 5, (1, 30, 30, 6)) for _ in range(2))
    label = np.zeros((1, 30, 30, 6), np.int16)
    label[0, 12:18, 12:18, 1:4] = 1
    label[0, 14, 14, 4] = 1  # a speck of the label in a slice of which the donor shows nothing else
    donor[label > 0] += 60
    valid = np.ones((1, 30, 30, 6), bool)
    valid[..., 4:] = label[..., 4:] > 0
    pasted = PasteLesion(blend, match="gain", axis=axis)(host, donor, label, donor_valid=valid)
    np.testing.assert_array_equal(pasted.mask, label)
    assert np.isfinite(pasted.image).all()
    assert pasted.image[label > 0].min() > host[label == 0].max()  # the speck is as bright as the lesion
    np.testing.assert_array_equal(pasted.image[..., 5], host[..., 5])


@pytest.mark.parametrize("name", ["host", "donor"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(name, value):
    given = dict(zip(("host", "donor", "donor_label"), scene(), strict=True))
    given[name][0, 22, 20] = value
    with pytest.raises(ConSinGANError, match=f"{name} holds NaN or infinite values"):
        PasteLesion()(**given)


def sequences(seed=0):
    """A scene of three sequences on scales of their own, the last of which the hosts share with the donor."""
    scenes = [scene(gain, seed + number) for number, gain in enumerate((5.0, 0.2, 1.0))]
    host, donor = (np.concatenate([part[k] for part in scenes]) for k in (0, 1))
    return host, donor, scenes[0][2]


@pytest.mark.parametrize("blend", ["hard", "feather", "poisson", "crossfade"])
def test_each_sequence_is_matched_and_blended_as_if_alone(blend):
    host, donor, label = sequences()
    paste = PasteLesion(blend, match="scale")
    several = paste(host, donor, label, offset=(2, 3))
    assert paste.placed(host, donor, label, offset=(2, 3))[2] == ("gain", "gain", "none")
    for number in range(3):
        one = slice(number, number + 1)
        alone = paste(host[one], donor[one], label, offset=(2, 3))
        np.testing.assert_array_equal(several.image[one], alone.image)
        np.testing.assert_array_equal(several.mask, alone.mask)


def test_sequences_share_one_border():
    host, donor, label = sequences()
    pasted = PasteLesion("tissue", match="gain")(host, donor, label)
    changed = pasted.image != host
    assert changed[0].any() and (changed == changed[:1]).all()


def test_tissue_is_what_all_sequences_show():
    host, donor, label = sequences()
    host[1, :, 27:] = 0  # no signal in one sequence
    for blend in ("tissue", "feather", "crossfade"):
        pasted = PasteLesion(blend, match="gain")(host, donor, label)
        np.testing.assert_array_equal(pasted.image[..., 27:], host[..., 27:])


def test_donors_sequences_are_taken_by_name():
    host, donor, label = sequences()
    names = ["t1", "t1ce", "flair"]
    image = MetaTensor(host, meta={"sequences": names})
    turned = MetaTensor(donor[[2, 0, 1]], meta={"sequences": ["flair", "t1", "t1ce"]})
    paste = PasteLesion(match="gain")
    np.testing.assert_array_equal(paste(image, turned, label).image, paste(host, donor, label).image)
    other = MetaTensor(donor, meta={"sequences": ["t1", "t2", "flair"]})
    with pytest.raises(ConSinGANError, match=r"host has 3 sequences \(t1, t1ce, flair\) but the donor .*t2"):
        paste(image, other, label)


def test_sequences_under_keys_of_their_own():
    host, donor, label = sequences()
    names = ("t1", "t1ce", "flair")
    kinds = (np.int16, np.float32, np.float64)
    images = {
        name: MetaTensor(image[None].astype(kind), meta={"mark": name})
        for name, image, kind in zip(names, host, kinds, strict=True)
    }
    donors = {f"donor_{name}": image[None] for name, image in zip(names, donor, strict=True)}
    data = {**images, **donors, "donor_label": label}
    paste = PasteLesiond(names, donor_key=list(donors), blend="tissue", match="gain")
    out = paste(data)
    stacked = np.concatenate([images[name].numpy() for name in names])
    expected = PasteLesion("tissue", match="gain")(stacked, donor, label)
    for name, image, kind in zip(names, expected.image, kinds, strict=True):
        assert out[name].numpy().dtype == kind and out[name].meta["mark"] == name
        wanted = np.rint(image) if kind is np.int16 else image.astype(kind)
        np.testing.assert_array_equal(out[name].numpy()[0], wanted)
    np.testing.assert_array_equal(out["lesion_mask"].numpy(), expected.mask)
    one = PasteLesiond(names, donor_key=list(donors), output_key="all", match="gain")(data)
    assert one["all"].shape == host.shape and one["all"].meta["sequences"] == list(names)
    with pytest.raises(ConSinGANError, match="lack some of the sequences"):
        PasteLesiond(names, list(donors), allow_missing_keys=True)({name: data[name] for name in data if name != "t1"})
    shifted = MetaTensor(host[1:2], affine=torch.diag(torch.tensor([2.0, 2, 2, 1])))
    with pytest.raises(ConSinGANError, match="t1ce lies elsewhere than t1"):
        paste({**data, "t1ce": shifted})


def test_the_match_in_space_is_by_what_measures_compare_with() -> None:
    """In a crop of the brain's interior no air parts from tissue: dark and bright tissue around the lesion count."""
    rng = np.random.default_rng(0)
    host = np.where(np.arange(40)[:, None, None] < 20, 90.0, 160.0) + rng.normal(size=(40, 40, 40))
    host[0, 0, 0] = 50  # fluid, not air
    lesion = np.zeros(host.shape, bool)
    lesion[16:24, 16:24, 16:24] = True
    ring = tissue_ring(host[None], lesion, (2.0, 8.0), (1.0,) * 3, None)
    around = Surroundings(host[None], lesion[None], spacing=1.0)
    assert host[ring].mean() == pytest.approx(around.mean())
    assert 0.4 < (host[ring] < 100).mean() < 0.6


@pytest.mark.parametrize("normalised", ["host", "donor", "both"])
def test_no_gain_between_images_whose_zero_is_not_dark(normalised):
    host, donor, label = scene()

    def scores(image):
        """A z-score of the tissue, whose left half is above 0."""
        slope = np.where(image > 0, np.linspace(60, -60, 40), 0)
        inside = image > 0
        return np.where(inside, (image + slope - image[inside].mean()) / image[inside].std(), 0)

    given = [
        scores(image) if normalised in (name, "both") else image for name, image in (("host", host), ("donor", donor))
    ]
    with pytest.raises(ConSinGANError, match=r'0 is dark, but much .* use match="mean_std"'):
        PasteLesion(match="gain")(*given, label, offset=(0, -10))
    assert PasteLesion(match="scale").placed(*given, label, offset=(0, -10))[2] == ("none",)
    assert PasteLesion(match="mean_std")(*given, label, offset=(0, -10)).mask.any()


@pytest.mark.parametrize("offset", [(float("nan"), 0), (float("inf"), 0), (0.5, 0)])
def test_an_offset_is_of_whole_voxels(offset):
    host, donor, label = scene()
    with pytest.raises(ConSinGANError, match="does not fit; give 2 whole numbers"):
        PasteLesion()(host, donor, label, offset)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("blend", BLENDS)
def test_what_is_unknown_of_a_donor_has_no_say(blend: str, dims: int) -> None:
    rng = np.random.default_rng(0)
    host, donor = rng.uniform(80, 120, (2, 1, *(32,) * dims))
    label = (np.linalg.norm(np.indices(host.shape[1:]) - 16.0, axis=0) < 5)[None].astype(np.int16)
    donor += 60 * label
    valid = np.ones(label.shape, bool)
    valid[:, :10] = False
    paste = PasteLesion(blend=blend, match="gain", axis=None)
    images = [paste(host, np.where(valid, donor, value), label, donor_valid=valid).image for value in (90.0, 1e4)]
    np.testing.assert_array_equal(*images)
    assert (images[0] != host).any()
