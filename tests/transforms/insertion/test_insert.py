"""Whole insertions of a lesion: what the workflows' tests do not look at."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.data import example, load_label, load_scan, number_lesions
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import InsertLesion, InsertLesiond, LesionAlteration


def test_naive_is_the_paste_without_a_blend() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)
    case = {"seed": 1, "axis": 2}
    soft = InsertLesion(paste_blend="tissue", **case)(image, image, label, donor_slice=4, host_slice=6)
    hard = InsertLesion(**case)(image, image, label, donor_slice=4, host_slice=6)
    assert torch.equal(soft.naive, hard.image) and torch.equal(hard.naive, hard.image)
    assert not torch.equal(soft.image, hard.image)
    lesion, changed = soft.mask > 0, soft.image != image
    assert bool((changed & ~lesion).any())
    weight, mask = LesionAlteration("outside", 1.0, 2.0, 2)(soft.mask, soft.image, image)
    assert torch.equal(mask > 0, changed | lesion | (weight > 0))
    assert not bool(((weight > 0) & lesion).any())


def test_one_lesion_of_several_is_taken() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)  # of two lesions
    numbers = number_lesions(label.numpy()[0])
    sizes = [int((numbers == number).sum()) for number in (1, 2)]
    assert sizes[0] > sizes[1] > 0 == (numbers > 2).sum()
    other = image * 1  # another scan, where the lesions' places are free
    for choice, number in (("largest", 1), (2, 2)):
        inserted = InsertLesion(lesion=choice)(other, image, label, label * 0, offset=(2, -3))
        assert (inserted.lesion_number, inserted.lesion_count) == (number, 2)
        assert int(inserted.mask.sum()) == sizes[number - 1]
        assert torch.equal(inserted.donor_lesion[0] > 0, torch.from_numpy(numbers == number))
    with pytest.raises(ConSinGANError, match=r"lesion is 3, but donor label .* shows only 1, 2"):
        InsertLesion(lesion=3)(image, image, label)
    data = {"host": other, "donor": image, "donor_label": label, "offset": (2, -3), "host_label": label * 0}
    for case, number in (({}, 1), ({"lesion_number": 2}, 2)):
        out = InsertLesiond()({**data, **case})
        assert (out["placement"]["lesion"], out["placement"]["lesions"]) == (number, 2)
        assert int(out["lesion"].sum()) == sizes[number - 1]


@pytest.mark.parametrize("blend", ["feather", "tissue"])
def test_tissue_of_the_donors_other_lesions_stays_there(blend: str) -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image) * 0
    donor = image.clone()
    label[:, 120:130, 120:130, 3:6], label[:, 132:136, 120:130, 3:6] = 1, 2
    donor[label > 0] = 2 * image.max()
    inserted = InsertLesion(match="gain", paste_blend=blend, axis=2)(image, donor, label, label * 0, offset=(0, 0, 0))
    alone, single = image.clone(), (label == 1).to(label.dtype)
    alone[single > 0] = 2 * image.max()
    wanted = InsertLesion(match="gain", paste_blend="hard", axis=2)(image, alone, single, label * 0, offset=(0, 0, 0))
    beside = (inserted.mask == 0) & (label > 0)
    assert bool(beside.any()) and float((inserted.image - image)[beside].abs().max()) < 0.2 * float(image.max())
    lesion = wanted.mask > 0
    assert float((inserted.image / wanted.image)[lesion].median()) == pytest.approx(1, rel=0.05)


def test_a_slice_shows_the_lesions_that_it_cuts() -> None:
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)
    label[..., 0][torch.from_numpy(number_lesions(label.numpy()[0]) == 1)[None, ..., 0]] = 0
    inserted = InsertLesion(seed=1)(image, image, label, donor_slice=0, host_slice=6)
    assert (inserted.lesion_number, inserted.lesion_count) == (2, 2)


def _sequences(names: list[str]) -> tuple[MetaTensor, MetaTensor]:
    """The packaged scan, and the same in other units with a weaker lesion; its label."""
    files = example()
    image = load_scan(files.image)
    label = load_label(files.label, image=image)
    faint = image.max() + 100 - image  # dark where the other is bright
    faint[label > 0] = faint[label > 0] / 2 + faint.median() / 2
    both = torch.cat([faint, image])
    both.meta["sequences"] = names
    return both, label


def test_all_sequences_get_the_lesion_where_the_leading_one_would() -> None:
    both, label = _sequences(["dark", "bright"])
    case = {"donor_slice": 4, "host_slice": 6}
    alone = InsertLesion(seed=1, axis=2)(both[1:], both[1:], label, **case)
    inserted = InsertLesion(seed=1, axis=2)(both, both, label, **case)
    assert inserted.lead == 1 and inserted.placement == alone.placement
    assert torch.equal(inserted.image[1], alone.image[0]) and torch.equal(inserted.mask, alone.mask)
    assert inserted.image.shape == both.shape and inserted.mask.shape == label.shape
    changed = (inserted.image != both) | (inserted.mask > 0)
    assert torch.equal(changed[0], changed[1])
    for lead in (0, "dark"):
        other = InsertLesion(seed=1, axis=2, lead=lead)(both, both, label, **case)
        assert other.lead == 0 and other.placement != alone.placement
    with pytest.raises(ConSinGANError, match="t2"):
        InsertLesion(lead="t2")(both, both, label)
    with pytest.raises(ConSinGANError, match="host has 2 sequences"):
        InsertLesion()(both, both[:1], label)


def test_a_place_shows_tissue_in_all_sequences() -> None:
    both, label = _sequences(["dark", "bright"])
    part = both.clone()
    half = both.shape[1] // 2
    part[0, :half] = 0  # one sequence does not cover all of the head
    for seed in range(3):
        inserted = InsertLesion(seed=seed, axis=2, lead=1)(part, both, label, label * 0, donor_slice=4)
        assert not bool((inserted.mask[0, :half] > 0).any())
    with pytest.raises(ConSinGANError, match="outside the head"):
        InsertLesion(axis=2, lead=1)(part, both, label, label * 0, donor_slice=4, offset=(half - 150, 0), host_slice=4)


def test_sequences_under_keys_of_their_own() -> None:
    both, label = _sequences(["dark", "bright"])
    data = {"a": both[:1], "b": both[1:], "donor_label": label, "donor_slice": 4, "host_slice": 6}
    keys = {"host_key": ["a", "b"], "donor_key": ["a", "b"]}
    stacked = InsertLesion(seed=1, axis=2)(both, both, label, donor_slice=4, host_slice=6)
    for given in ({"lead": 1}, {}):
        out = InsertLesiond(**keys, image_key=["x", "y"], naive_key="naive", seed=1, axis=2)({**data, **given})
        assert torch.equal(torch.cat([out["x"], out["y"]]), stacked.image)
        assert torch.equal(out["naive"], stacked.naive) and torch.equal(out["training"], both)
        assert out["others"].shape == label.shape
    with pytest.raises(ConSinGANError, match="lack one of a, b"):
        InsertLesiond(**keys)({"a": both[:1], "donor_label": label})


@pytest.mark.parametrize("number", [1.5, float("nan"), float("inf")])
@pytest.mark.parametrize("how", ["at", "offset"])
def test_a_place_is_of_whole_voxels(number: float, how: str) -> None:
    image = load_scan(example().image)
    label = load_label(example().label, image=image)
    with pytest.raises(ConSinGANError, match=f"{how} is .*; give whole numbers of voxels"):
        InsertLesion()(image, image, label, **{how: (number, 60, 5)})
