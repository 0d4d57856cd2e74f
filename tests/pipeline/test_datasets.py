"""The transforms in MONAI's datasets: what is cached is what is computed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import CacheDataset, Dataset, MetaTensor, PersistentDataset
from monai.data.utils import pickle_hashing
from monai.transforms import Compose, LoadImaged, ScaleIntensityRangePercentilesd

from monai_consingan.transforms import (
    AlterationMaskd,
    BlendBackd,
    FillLesiond,
    LoadLesionLabeld,
    LoadScand,
    PasteLesiond,
    PrepareHostd,
    RandLesionRemovald,
    RandPasteLesiond,
    RemoveLesiond,
)

LOADERS = {
    "monai": [LoadImaged(["image", "label"], ensure_channel_first=True)],
    "consingan": [LoadScand("image"), LoadLesionLabeld("label", image_key="image")],
}


def chain(load: str, *steps: Any) -> Compose:
    return Compose([*LOADERS[load], *steps])


def assert_same(item: dict[str, Any], other: dict[str, Any]) -> None:
    """The same tensors, on the same grids."""
    assert item.keys() == other.keys()
    for key, value in item.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other[key]) and value.dtype == other[key].dtype
            assert isinstance(other[key], MetaTensor) and torch.equal(value.affine, other[key].affine)
        else:
            assert value == other[key]


def steps(name: str) -> list[Any]:
    """Transforms that chance has no part in."""
    if name == "remove":
        return [RemoveLesiond("image", methods=("mirror", "biharmonic"), axis=2, method_key="method")]
    if name == "fill":
        return [FillLesiond()]
    return [
        LoadImaged(["donor", "donor_label"], ensure_channel_first=True),
        PasteLesiond(offset=(-20, 2, 4), axis=2, output_key="pasted", match="gain"),
        AlterationMaskd("lesion_mask", output_keys="alteration", axis=2),
        BlendBackd("pasted", host_key="image", weight_key="alteration"),
    ]


@pytest.fixture
def case(scan: dict[str, str]) -> dict[str, str]:
    return {**scan, "donor": scan["image"], "donor_label": scan["label"]}


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["paste", "remove", "fill"])
def test_cached_is_uncached(case: dict[str, str], tmp_path: Path, load: str, name: str) -> None:
    transform = chain(load, *steps(name))
    plain = Dataset([case], transform)[0]
    memory = CacheDataset([case], transform, num_workers=2, progress=False)
    kept = PersistentDataset([case], transform, tmp_path, pickle_hashing, track_meta=True, weights_only=False)
    for dataset in (memory, kept):
        for _ in range(2):
            assert_same(plain, dataset[0])
    assert len(list(tmp_path.glob("*.pt"))) == 1


@pytest.mark.parametrize("load", LOADERS)
def test_chance_is_not_cached(scan: dict[str, str], paste_settings: dict[str, Any], tmp_path: Path, load: str) -> None:
    """What comes before the random paste is cached, and the paste drawn anew."""
    scale = ScaleIntensityRangePercentilesd("image", lower=0, upper=99.9, b_min=0, b_max=1)
    paste = RandPasteLesiond(**paste_settings)
    transform = chain(load, scale, paste)
    data = [scan]
    made = [
        Dataset(data, transform),
        CacheDataset(data, transform, num_workers=1, progress=False),
        PersistentDataset(data, transform, tmp_path, track_meta=True, weights_only=False),
    ]
    drawn = []
    for dataset in made:
        dataset[0]  # fills the cache
        paste.set_random_state(seed=3)
        drawn.append([dataset[0], dataset[0]])
    for first, second in drawn:
        assert first["lesion_mask"].any() and not torch.equal(first["lesion_mask"], second["lesion_mask"])
    for items in drawn[1:]:
        for item, other in zip(drawn[0], items, strict=True):
            assert_same(item, other)


def test_a_cache_item_survives_its_use(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    transform = chain("monai", RandPasteLesiond(**paste_settings)).set_random_state(seed=0)
    dataset = CacheDataset([scan], transform, num_workers=1, progress=False)
    kept = [dataset._cache[0][key].clone() for key in ("image", "label")]
    for _ in range(3):
        dataset[0]
    for key, before in zip(("image", "label"), kept, strict=True):
        after = dataset._cache[0][key]
        assert torch.equal(after, before) and str(after.meta) == str(before.meta)


def test_a_change_of_settings_is_another_cache(scan: dict[str, str], tmp_path: Path) -> None:
    results = []
    for margin in (0.0, 6.0, 0.0):
        transform = chain("monai", RemoveLesiond("image", methods="biharmonic", margin_mm=margin, axis=2))
        dataset = PersistentDataset(
            [scan], transform, tmp_path, hash_transform=pickle_hashing, track_meta=True, weights_only=False
        )
        results.append(dataset[0]["mask"])
    assert int(results[0].sum()) < int(results[1].sum())
    assert torch.equal(results[0], results[2])


def test_what_is_kept_of_prepared_hosts_serves_all_seeds(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    """Seeds and calls of the transforms that ask about a host, which follow, make it no other."""
    item = LOADERS["monai"][0](scan)

    def prepare(margin_mm: float, seed: int = 0) -> PrepareHostd:
        paste = RandPasteLesiond(**paste_settings)
        removal = RandLesionRemovald("image", axis=2, methods="biharmonic", margin_mm=margin_mm)
        made = PrepareHostd("image", uses=[paste, removal])
        if seed:
            Compose([made, removal, paste]).set_random_state(seed)(item)
        return made

    first, seeded, again, other = (pickle_hashing(prepare(*given)) for given in ((1.5,), (1.5, 1), (1.5, 2), (3.0,)))
    assert first == seeded == again != other
    assert len(pickle.dumps(prepare(1.5, 1))) < 10_000
