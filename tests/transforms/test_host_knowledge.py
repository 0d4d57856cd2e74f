from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Flip, Orientation, SpatialCrop, SpatialPad
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import HostKnowledge, find_placement
from monai_consingan.transforms.host_knowledge import known_host
from monai_consingan.transforms.insertion.search import SearchSpace, search_place
from monai_consingan.transforms.room import block_means

SHAPE = (68, 76, 60)


def ball(shape=SHAPE, radii=(30, 34, 27)):
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((g - n / 2) / r) ** 2 for g, n, r in zip(grid, shape, radii, strict=True)) < 1


def brain(channels=1, seed=0):
    """Noisy tissue in empty space, half of it bright, with a dark ventricle."""
    image = np.random.RandomState(seed).normal(100, 4, (channels, *SHAPE))
    image[:, :, : SHAPE[1] // 2] += 30
    image[:, 28:40, 34:42, 24:36] = 20
    affine = np.array([[-1.0, 0, 0, 30], [0, 0, 1.5, -20], [0, 1.2, 0, 7], [0, 0, 0, 1]])
    return MetaTensor(torch.from_numpy(np.where(ball(), image, 0).astype(np.float32)), affine=torch.from_numpy(affine))


KNOWN = HostKnowledge.of(brain())


def sphere(radius):
    grid = np.ogrid[tuple(slice(-radius, radius + 1) for _ in range(3))]
    return sum(g**2 for g in grid) <= radius**2


def test_what_is_known():
    assert KNOWN.shape == SHAPE and KNOWN.name == "head" and KNOWN.edges == (3.0,)
    assert (KNOWN.head == ball()).mean() > 0.999
    (channel,) = KNOWN.channels
    assert channel.background.value == 0 and 0 < channel.air < 90 and 100 < channel.level[0] < 130
    assert KNOWN.depth[tuple(n // 2 for n in KNOWN.depth.shape)] > 20
    assert deepcopy(KNOWN) is KNOWN and (pickle.loads(pickle.dumps(KNOWN)).head == KNOWN.head).all()
    assert not KNOWN.of_image(brain(2)) and not KNOWN.of_image(brain() + 1) and not KNOWN.of_image(brain(seed=1))


def test_a_channel_of_other_intensities_is_another_host():
    image = brain(3)
    known = HostKnowledge.of(image)
    assert known.of_image(image) is known
    image[2] *= 1.2
    assert known.of_image(image) is None


def test_a_place_is_tissue_in_all_channels():
    image = brain(2)
    image[1, :, 50:] = 0
    known = HostKnowledge.of(image)
    assert not known.head[:, 50:].any() and known.head[:, 20:48].any() and len(known.channels) == 2


def test_depth_is_that_below_the_surface_of_what_is_tissue_in_all_channels():
    image = brain(2)
    image[1, :30] = 0
    known = HostKnowledge.of(image)
    assert not known.head[:30].any()
    spacing = known.spacing
    expected = ndimage.distance_transform_edt(np.pad(known.head, 1), sampling=spacing)[1:-1, 1:-1, 1:-1][known.box]
    there = known.depth > 0  # where places are looked for
    assert there[:3].any()
    np.testing.assert_allclose(known.depth[there], expected[there], rtol=2e-3)  # float16


def test_region_and_its_shape():
    region = np.zeros((1, *SHAPE))
    region[:, 20:50, 20:50, 20:40] = 1
    known = HostKnowledge.of(brain(), region)
    assert known.name == "brain mask" and (known.head == (region[0] > 0) & ball()).all()
    with pytest.raises(ConSinGANError, match="region has shape"):
        HostKnowledge.of(brain(), region[:, 1:])


def test_kept_in_memory_by_all_voxels():
    image = brain()
    first = known_host(image, None, None, 0)
    assert known_host(image.clone(), None, None, 0) is first
    other = image.clone()
    other[0, 30, 30, 30] += 1
    assert known_host(other, None, None, 0) is not first


@pytest.mark.parametrize(
    "crop",
    [
        SpatialCrop(roi_start=(10, 9, 0), roi_end=(50, 70, 33)),
        SpatialCrop(roi_start=(3, 0, 20), roi_end=(68, 76, 60)),
        SpatialPad((80, 80, 80)),
        Flip((0, 2)),
        Orientation("RAS", labels=None),
        Orientation("LIP", labels=None),
    ],
)
def test_a_part_of_the_host_keeps_what_is_known(crop):
    part = crop(brain())
    known = KNOWN.of_image(part)
    assert known is not None and known.shape == tuple(part.shape[1:])
    assert (known.head == (crop(brain() * 0 + torch.from_numpy(KNOWN.head)[None]).numpy()[0] > 0)).all()
    np.testing.assert_array_equal(known.channels[0].level, KNOWN.channels[0].level)
    inner = np.zeros(known.shape, np.float32)
    inner[known.box] = known.depth
    whole = np.zeros(SHAPE, np.float32)
    whole[KNOWN.box] = KNOWN.depth
    np.testing.assert_array_equal(inner, crop(MetaTensor(torch.from_numpy(whole)[None], affine=brain().affine))[0])
    assert all(
        (part[0][tuple(spot)] == value)
        for spot, value in zip(known.probes[0][::97], known.probes[1][0, ::97], strict=True)
    )
    if known.coarse is not None:  # every block lies where it lay
        near, size = known.coarse.start, known.coarse.size
        block = tuple(slice(low, low + step) for low, step in zip(near, size, strict=True))
        assert all(b.stop <= n for b, n in zip(block, known.shape, strict=True))
        values = np.zeros(known.shape, np.float32)
        values[known.box] = known.depth
        middle = tuple(n // 2 for n in known.coarse.depth.shape)
        at = tuple(slice(low + m * step, low + (m + 1) * step) for low, m, step in zip(near, middle, size, strict=True))
        assert values[at].mean() == pytest.approx(float(known.coarse.depth[middle]), rel=1e-2)


def test_another_resolution_is_no_part():
    image = brain()
    image.affine = image.affine @ torch.diag(torch.tensor([1.1, 1, 1, 1], dtype=image.affine.dtype))
    assert KNOWN.of_image(image) is None


def test_block_means():
    values = np.arange(35.0).reshape(5, 7)
    means = block_means(values, (2, 3))
    assert means.shape == (3, 3) and means.dtype == np.float32
    assert means[0, 0] == values[:2, :3].mean() and means[2, 2] == values[4, 6] and means[1, 2] == values[2:4, 6].mean()


@pytest.mark.parametrize("radius", [2, 6])
def test_the_coarse_search_finds_places_as_good_as_the_thorough_one(radius):
    image, others = brain(), np.zeros(SHAPE, np.uint8)
    others[30:44, 10:22, 25:40] = 1
    lesion = np.zeros(SHAPE, bool)
    lesion[(slice(5, 6 + 2 * radius),) * 3] = sphere(radius)
    assert KNOWN.coarse is not None
    space = SearchSpace(image[0].numpy(), KNOWN, None, others, 0.2, 4.0, 0)
    away = ndimage.distance_transform_edt(others == 0, sampling=KNOWN.spacing)
    found = [search_place(space, lesion, np.random.RandomState(seed), KNOWN.edges, None) for seed in range(20)]
    space = replace(space, known=replace(KNOWN, coarse=None))
    thorough = [search_place(space, lesion, np.random.RandomState(seed), KNOWN.edges, None) for seed in range(20)]
    for shift, count, edge, unlike in found:
        there = np.roll(lesion, shift, (0, 1, 2))
        assert KNOWN.head[there].all() and away[there].min() > 4 and edge == 3
        assert 0.5 * thorough[0][1] < count < 2 * thorough[0][1] and 0 <= unlike < 1
    assert len({shift for shift, *_ in found}) > 10
    assert np.mean([each[3] for each in found]) <= 1.05 * np.mean([each[3] for each in thorough])


def test_a_lesion_that_fits_in_one_place_only_is_placed():
    region = np.zeros((1, *SHAPE), np.uint8)
    region[:, 9:60, 10:66, 8:53] = 1
    image = brain() * 0 + torch.from_numpy(np.random.RandomState(0).normal(100, 4, (1, *SHAPE)))
    lesion = np.zeros(SHAPE, bool)
    lesion[:45, :50, :41] = True
    found = find_placement(
        image[0], None, lesion, spacing=1.0, rng=np.random.RandomState(0), brain_mask=region[0], edge_mm=0.0, level=0.0
    )
    assert region[0][np.roll(lesion, found.offset, (0, 1, 2))].all()
