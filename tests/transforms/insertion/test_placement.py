from __future__ import annotations

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import head_mask
from monai_consingan.transforms.head import edge_distance, is_skull_stripped
from monai_consingan.transforms.insertion.placement import find_placement

CENTRE = np.array([40, 48])


def depth(shape=(80, 96)):
    """Radius from the centre as a share of the phantom's radii: 1 at the skin."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    return np.hypot((rows - CENTRE[0]) / 35, (cols - CENTRE[1]) / 42)


def phantom(seed=0):
    """A slice of a head: air, scalp, bone, brain, and a dark ventricle on one side."""
    radius, rng = depth(), np.random.RandomState(seed)
    image = np.select([radius > 1, radius > 0.93, radius > 0.82], [5.0, 250.0, 20.0], 100.0)
    image[30:50, 58:70] = 30
    return image + rng.normal(0, 2, image.shape)


def spot(shape=(80, 96), at=(40, 40), radius=4):
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return (sum((g - a) ** 2 for g, a in zip(grid, at, strict=False)) <= radius**2).astype(np.int16)


def moved(mask, offset):
    out = np.zeros(mask.shape, bool)
    out[tuple((np.argwhere(mask) + offset).T)] = True
    return out


def place(host, label, seed=0, **options):
    options = {"spacing": 2.0, "rng": np.random.RandomState(seed), "level": 0.0, **options}
    return find_placement(host, None, label, **options)


def test_head_of_a_phantom_is_all_within_the_skin():
    head = head_mask(phantom(), spacing=2.0)
    assert head.dtype == bool
    assert head[depth() < 0.97].all() and not head[depth() > 1.03].any()


def test_head_is_that_of_the_air_that_is_given():
    image = np.zeros((40, 40))
    image[5:35, 5:35], image[10:30, 10:30] = 50, 100
    low, high = head_mask(image, air=10.0), head_mask(image, air=75.0)
    assert low.sum() == 30 * 30 and high.sum() == 20 * 20
    np.testing.assert_array_equal(head_mask(image.copy(), air=75.0), high)
    with pytest.raises(ValueError, match="read-only"):
        high[0] = True


@given(gain=st.floats(0.01, 100), shift=st.floats(-500, 500))
def test_head_does_not_depend_on_units(gain, shift):
    np.testing.assert_array_equal(head_mask(phantom() * gain + shift, spacing=2.0), head_mask(phantom(), spacing=2.0))


def test_head_of_a_stripped_brain_and_of_a_slab():
    brain = np.where(depth() < 0.8, phantom(), 0)
    head = head_mask(brain, spacing=2.0)
    assert (head == (depth() < 0.8)).mean() > 0.995
    assert is_skull_stripped(brain, head, edge_distance(head, (2.0, 2.0)))
    slab = head_mask(np.stack([phantom(s) for s in range(3)], axis=2), spacing=(2, 2, 6.5))
    assert slab[depth() < 0.97].all() and not slab[depth() > 1.03].any()
    whole = head_mask(phantom(), spacing=2.0)
    assert not is_skull_stripped(phantom(), whole, edge_distance(whole, (2.0, 2.0)))
    clean = np.where(whole, phantom(), 0)
    assert not is_skull_stripped(clean, whole, edge_distance(whole, (2.0, 2.0)))


def test_head_of_a_crop_without_air_is_everything():
    assert head_mask(np.random.RandomState(0).normal(100, 3, (20, 20))).all()


@pytest.mark.parametrize(("image", "word"), [(np.ones((4, 4)), "constant"), (np.full((4, 4), np.nan), "NaN")])
def test_no_head(image, word):
    with pytest.raises(ConSinGANError, match=word):
        head_mask(image)


def test_edges_of_a_slab_are_no_surface():
    head = np.ones((9, 9, 3), bool)
    head[0] = False
    depths = edge_distance(head, (1.0, 1.0, 5.0))
    np.testing.assert_array_equal(depths[:, 4, 1], np.arange(9))
    assert np.isinf(edge_distance(np.ones((3, 3), bool), (1.0, 1.0))).all()


@pytest.mark.parametrize("seed", range(8))
def test_automatic_places_lie_in_tissue(seed):
    label = spot()
    found = place(phantom(), label, seed)
    new = moved(label, found.offset)
    assert (depth()[new] < 0.8).all()
    assert not new[28:52, 56:72].any()
    assert found.how == "automatic" and found.candidates > 100 and found.edge_mm == 15 and found.unlikeness < 0.1
    assert found.position == tuple(np.add((40, 40), found.offset))


def test_places_keep_off_the_edge_and_other_lesions():
    label, others = spot(), spot(at=(45, 30), radius=8) * 3
    head = head_mask(phantom(), spacing=2.0)
    to_edge = edge_distance(head, (2.0, 2.0))
    to_lesion = ndimage.distance_transform_edt(others == 0, sampling=2.0)
    for seed in range(6):
        new = moved(label, place(phantom(), label, seed, host_label=others, edge_mm=20.0, clearance_mm=7.0).offset)
        assert to_edge[new].min() > 20 and to_lesion[new].min() > 7


def test_the_same_seed_gives_the_same_place_and_others_differ():
    offsets = [place(phantom(), spot(), seed).offset for seed in (0, 0, 1, 2, 3)]
    assert offsets[0] == offsets[1] and len(set(offsets)) > 2


def test_gain_and_offset_of_the_host_do_not_matter():
    host = phantom().astype(np.float32)
    assert place(host, spot()).offset == place(host * 4 - 1000, spot()).offset


def test_dark_surroundings_go_to_darker_tissue():
    host = np.where(depth() < 0.82, 80.0 + 0.5 * np.arange(80)[:, None], phantom())
    rows = {level: place(host, spot(radius=2), level=level, edge_mm=20.0).position[0] for level in (-2.0, 2.0)}
    assert rows[-2.0] < 40 < rows[2.0]


def test_a_small_head_relaxes_the_edge_but_not_below_3_mm():
    found = place(phantom(), spot(radius=20), spacing=0.8)
    assert found.edge_mm in (3, 6, 9, 12)
    with pytest.raises(ConSinGANError, match="fits nowhere in the head at least 3 mm"):
        place(phantom(), spot(radius=38), spacing=0.8)
    with pytest.raises(ConSinGANError, match="fits nowhere in the head at least 100 mm"):
        place(phantom(), spot(), edge_mm=100.0)


def test_a_brain_mask_counts_instead_of_the_head():
    brain = np.zeros((80, 96))
    brain[40:60, 20:40] = 1
    found = place(phantom(), spot(), brain_mask=brain)
    assert brain[moved(spot(), found.offset)].all() and found.edge_mm == 3
    with pytest.raises(ConSinGANError, match="voxels outside the brain mask"):
        place(phantom(), spot(), brain_mask=brain, offset=(0, 8))


def test_slices_by_axis():
    host = np.stack([phantom(s) for s in range(4)], axis=0)
    label = np.zeros(host.shape, int)
    label[1] = spot()
    found = place(host, label, spacing=(6.5, 2, 2), axis=0, slice_offset=2)
    assert found.offset[0] == 2 and found.position[0] == 3
    with pytest.raises(ConSinGANError, match="fits nowhere"):
        place(host, label, spacing=(6.5, 2, 2), axis=0, slice_offset=3)
    with pytest.raises(ConSinGANError, match="needs axis"):
        place(host, label, spacing=(6.5, 2, 2), slice_offset=2)
    with pytest.raises(ConSinGANError, match="slice_offset is 2"):
        place(host, label, spacing=(6.5, 2, 2), axis=0, slice_offset=2, offset=(1, 0, 0))


def test_given_places():
    found = place(phantom(), spot(), at=(45, 50))
    assert (found.offset, found.position, found.how) == ((5, 10), (45, 50), "at")
    found = place(phantom(), spot(), offset=(-3, 2))
    assert (found.offset, found.position, found.how, found.candidates) == ((-3, 2), (37, 42), "offset", 1)
    assert found.as_dict()["offset"] == [-3, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"offset": (0, 1), "at": (1, 1)}, "give one of them"),
        ({"offset": (0, 1, 2)}, "give 2 whole numbers"),
        ({"at": (0.5, 1)}, "give 2 whole numbers"),
        ({"offset": (50, 0)}, "out of the host"),
        ({"at": (-1, 40)}, "out of the host"),
        ({"at": (5, 6)}, "outside the head"),
        ({"offset": (1, 1), "host_label": spot() * 4}, r"over another lesion \(label 4\)"),
        ({"host_label": np.zeros((2, 2))}, "host_label has shape"),
        ({"brain_mask": np.zeros((2, 2))}, "brain_mask has shape"),
        ({"brain_mask": np.zeros((80, 96))}, "fits nowhere in the brain mask"),
    ],
)
def test_refused_places_say_why(options, words):
    with pytest.raises(ConSinGANError, match=words):
        place(phantom(), spot(), **options)


def test_refused_donors_say_why():
    with pytest.raises(ConSinGANError, match="donor_label is empty"):
        place(phantom(), np.zeros((80, 96)))
    with pytest.raises(ConSinGANError, match="3 spatial axes"):
        place(phantom(), np.ones((2, 2, 2)))


@pytest.mark.parametrize("slice_offset", [2, 3, 4, 5])
def test_the_example_gets_its_lesion_into_brain(slice_offset):
    files = example()
    image = np.asarray(nibabel.load(files.image).dataobj)
    label = np.asarray(nibabel.load(files.label).dataobj).copy()
    label[..., [0, 1, 2, 3, 5]] = 0
    spacing = nibabel.load(files.image).header.get_zooms()
    for seed in range(2):
        found = find_placement(
            image,
            image,
            label,
            spacing=spacing,
            rng=np.random.RandomState(seed),
            axis=2,
            slice_offset=slice_offset,
        )
        under = image[moved(label, found.offset)]
        # grey and white matter of this scan: fluid lies near 200, fat and vessels above 900
        assert np.percentile(under, 2) > 500 and np.percentile(under, 98) < 750
        assert found.unlikeness < 0.1


def test_with_a_prior_places_are_drawn_by_it():
    host, label = phantom(), spot(radius=2)
    prior = np.zeros(host.shape)
    prior[40, 30:50] = 1.0
    prior[44, 40] = 20.0
    places = [place(host, label, seed, prior=prior) for seed in range(200)]
    assert {found.how for found in places} == {"prior"}
    spots = np.array([found.position for found in places])
    assert (prior[tuple(spots.T)] > 0).all()
    assert places[0].candidates == 21
    assert np.mean(spots[:, 0] == 44) == pytest.approx(0.5, abs=0.1)
    assert len(np.unique(spots[spots[:, 0] == 40][:, 1])) > 15


@pytest.mark.parametrize("prior", [np.full((80, 96), -1.0), np.full((80, 96), np.nan), np.ones((80, 95))])
def test_priors_that_cannot_be_used_are_refused(prior):
    with pytest.raises(ConSinGANError, match="prior"):
        place(phantom(), spot(), prior=prior)


def test_a_prior_that_is_nowhere_above_zero_leaves_no_place():
    with pytest.raises(ConSinGANError, match="where the prior is above 0"):
        place(phantom(), spot(), prior=np.zeros((80, 96)))
