"""Keys that dictionary transforms put their results under."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.transforms import Compose, OneOf

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import (
    FillLesiond,
    InsertLesiond,
    PasteLesiond,
    RandLesionRemovald,
    RandPasteLesiond,
    RemoveLesiond,
)

Scan = Callable[..., dict[str, MetaTensor]]
Paste = Callable[..., RandPasteLesiond]


@pytest.fixture
def scan(head_scan: Scan) -> Scan:
    """Image and label of a head with a lesion."""
    return lambda: {key: head_scan()[key] for key in ("image", "label")}


@pytest.fixture
def paste(scan: Scan) -> Paste:
    """A random paste of that lesion."""
    donors = [(scan()["image"], scan()["label"])]

    def of_keys(keys: Any = "image", **other: Any) -> RandPasteLesiond:
        return RandPasteLesiond(keys, donors=donors, axis=2, scale_range=(1, 1), clearance_mm=2, **other)

    return of_keys


CLASHES: dict[str, Callable[[Paste], Any]] = {
    "label_key and mask_key are both 'lesion_mask'": lambda paste: paste(label_key="lesion_mask"),
    "mask_key and region_key are both 'brain'": lambda paste: paste(mask_key="brain", region_key="brain"),
    "label_key and mask_key are both 'removed_mask'": lambda _: RandLesionRemovald("image", label_key="removed_mask"),
    "output_label_key and mask_key are both 'mask'": lambda _: RemoveLesiond("image", label_key="mask"),
    "output_keys and method_key are both 'image'": lambda _: RemoveLesiond("image", method_key="image"),
    "label_key and mask_key are both 'm'": lambda _: PasteLesiond("image", label_key="m", mask_key="m"),
    "naive_key and added are both 'lesion'": lambda _: InsertLesiond(naive_key="lesion"),
    "host_key and added are both 'label'": lambda _: FillLesiond(host_key="label"),
    "keys and keys are both 't1'": lambda paste: paste(["t1", "t1"], label_key="label"),
}


@pytest.mark.parametrize("told", CLASHES)
def test_two_results_under_one_key_are_refused(told: str, paste: Paste) -> None:
    """One of them would be lost in silence: a label would be what was filled, or the new lesions alone."""
    with pytest.raises(ConSinGANError, match=f"{told}; give each a key of its own"):
        CLASHES[told](paste)


@pytest.mark.parametrize("mass_effect", [0.0, 0.5])
def test_two_pastes_in_a_row_tell_of_both(mass_effect: float, scan: Scan, paste: Paste) -> None:
    host = scan()
    first, second = (paste(mass_effect=mass_effect) for _ in range(2))
    once = first.set_random_state(3)(host)
    both = second.set_random_state(8)(once)
    new, label = (both[key].numpy() > 0 for key in ("lesion_mask", "label"))
    assert not (new & ~label).any()
    alone = paste(mass_effect=mass_effect, mask_key=None).set_random_state(8)
    without = alone({key: once[key] for key in host})
    assert None not in without and "lesion_mask" not in without
    assert torch.equal(without["image"], both["image"]) and torch.equal(without["label"], both["label"])
    entries = json.loads(both["image"].meta["pasted_lesions"])
    assert entries == first.paste.log + second.paste.log and all("placement" in entry for entry in entries)
    count = once["lesion_mask"].sum()
    assert count > 0 and new.sum() > 1.5 * count
    if not mass_effect:
        assert (new == (label & ~(host["label"].numpy() > 0))).all()


def test_a_mask_that_lies_elsewhere_is_refused(scan: Scan, paste: Paste) -> None:
    removal = RandLesionRemovald("image", methods="biharmonic", axis=2, mask_key="lesion_mask")
    for transform in (paste(), removal):
        with pytest.raises(ConSinGANError, match="mask has shape"):
            transform(scan() | {"lesion_mask": torch.zeros(1, 5, 5, 5)})


def test_a_removal_adds_to_the_mask_that_is_there(scan: Scan) -> None:
    removal = RandLesionRemovald("image", methods="biharmonic", axis=2, mask_key="changed")
    alone = removal(scan())["changed"].numpy()
    there = torch.zeros(1, 48, 52, 6)
    there[0, 0, 0, 0] = 1
    both = removal(scan() | {"changed": there})["changed"].numpy()
    assert alone.any() and both.dtype == alone.dtype == np.uint8
    assert np.argwhere(both != alone).tolist() == [[0, 0, 0, 0]]


def test_one_of_them_makes_batches(scan: Scan, paste: Paste) -> None:
    """With one key for their masks; what was pasted is told of every item, also where nothing was."""
    steps = [
        paste(mask_key="changed"),
        RandLesionRemovald("image", mask_key="changed", methods="biharmonic", axis=2),
        paste(mask_key="changed", prob=0.0),
    ]
    chain = Compose([OneOf(steps)]).set_random_state(seed=1)
    batch = next(iter(DataLoader(Dataset([scan()] * 8, chain), batch_size=8)))
    changed = batch["changed"].flatten(1).any(1)
    assert batch["changed"].shape == (8, 1, 48, 52, 6) and changed.any() and not changed.all()


def test_a_batch_tells_what_was_pasted_also_where_an_item_has_nothing(scan: Scan, paste: Paste) -> None:
    chain = Compose([paste(prob=0.5)]).set_random_state(seed=1)
    batch = next(iter(DataLoader(Dataset([scan()] * 6, chain), batch_size=6)))
    logs = [json.loads(log) for log in batch["image"].meta["pasted_lesions"]]
    assert [bool(log) for log in logs] == batch["lesion_mask"].flatten(1).any(1).tolist()
    assert {len(log) for log in logs} == {0, 1}
