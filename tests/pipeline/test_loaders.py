"""Random pastes in MONAI's loaders: the same seed gives the same batches, and every worker its own."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from monai.data import CacheDataset, DataLoader, Dataset, ThreadDataLoader
from monai.transforms import Compose, DeleteItemsd, LoadImaged, RandFlipd, RandGaussianNoised
from monai.utils import set_determinism

from monai_consingan.transforms import RandLesionBlobd, RandPasteLesiond, RandShuffleTilesd

KEYS = ["image", "label", "lesion_mask"]


def augmentation(settings: dict[str, Any]) -> Compose:
    return Compose(
        [
            LoadImaged(["image", "label"], ensure_channel_first=True),
            RandPasteLesiond(**settings),
            RandFlipd(KEYS, spatial_axis=0, prob=0.5),
            RandGaussianNoised("image", prob=0.5),
        ]
    )


def batches(loader: DataLoader, epochs: int = 2) -> list[torch.Tensor]:
    """All that a loader gives in some epochs, one tensor a batch."""
    return [torch.cat([batch[key].as_tensor() for key in KEYS]) for _ in range(epochs) for batch in loader]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", [DataLoader, ThreadDataLoader])
@pytest.mark.usefixtures("determinism")
def test_the_same_seed_gives_the_same_batches(
    scan: dict[str, str], paste_settings: dict[str, Any], workers: int, kind: type[DataLoader]
) -> None:
    runs = []
    for seed in (7, 7, 8):
        set_determinism(seed)
        dataset = Dataset([scan] * 3, augmentation(paste_settings))
        runs.append(batches(kind(dataset, batch_size=2, shuffle=True, num_workers=workers)))
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])
    assert not same(runs[0][:2], runs[0][2:])  # the second epoch is drawn anew


@pytest.mark.usefixtures("determinism")
def test_threads_only_move_the_work(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    runs = []
    for kind in (DataLoader, ThreadDataLoader):
        set_determinism(7)
        dataset = CacheDataset([scan] * 2, augmentation(paste_settings), num_workers=1, progress=False)
        runs.append(batches(kind(dataset, batch_size=1, num_workers=0)))
    assert same(*runs)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.usefixtures("determinism")
def test_every_item_is_drawn_by_itself(scan: dict[str, str], paste_settings: dict[str, Any], workers: int) -> None:
    """Workers that begin with the same state would repeat each other's lesions."""
    set_determinism(3)
    paste = Compose([LoadImaged(["image", "label"], ensure_channel_first=True), RandPasteLesiond(**paste_settings)])
    masks = [
        batch["lesion_mask"].as_tensor()
        for batch in DataLoader(Dataset([scan] * 4, paste), batch_size=1, num_workers=workers)
    ]
    assert all(mask.any() for mask in masks)
    assert not any(torch.equal(a, b) for i, a in enumerate(masks) for b in masks[:i])


@pytest.mark.usefixtures("determinism")
def test_workers_read_what_was_pasted(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    """Image, label and mask that come from a worker belong together, and the rest is the host's bits."""
    set_determinism(5)
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    host = load(scan)
    settings = {**paste_settings, "blend": "hard"}
    dataset = Dataset([scan] * 3, Compose([load, RandPasteLesiond(**settings)]))
    for batch in DataLoader(dataset, batch_size=3, num_workers=2):
        new = batch["lesion_mask"] > 0
        assert new.flatten(1).any(dim=1).all()
        assert bool((batch["label"][new] == 1).all()) and not bool((host["label"].expand_as(new)[new] > 0).any())
        for index in range(3):
            old = ~new[index]
            assert torch.equal(batch["image"][index][old], host["image"][old])
            assert torch.equal(batch["label"][index][old], host["label"][old])
            assert torch.equal(batch["image"].affine[index], host["image"].affine)


@pytest.mark.parametrize("name", ["paste", "blob", "tiles"])
def test_random_transforms_travel_to_workers(scan: dict[str, str], paste_settings: dict[str, Any], name: str) -> None:
    """They are pickled where workers are not forked, before and after their first use."""
    step = {
        "paste": lambda: RandPasteLesiond(**paste_settings),
        "blob": lambda: RandLesionBlobd("image"),
        "tiles": lambda: RandShuffleTilesd("image"),
    }[name]()
    chain = Compose([LoadImaged(["image", "label"], ensure_channel_first=True), step, DeleteItemsd("label")])
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(chain))
        first, second = (each.set_random_state(seed=2)(scan) for each in (chain, copy))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
