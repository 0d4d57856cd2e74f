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


def scan() -> dict[str, MetaTensor]:
    """A head with a lesion beside its middle."""
    grid = np.ogrid[:48, :52, :6]
    head = ((grid[0] - 24) / 22) ** 2 + ((grid[1] - 26) / 24) ** 2 < 1
    image = np.where(head, np.random.RandomState(0).normal(100, 4, (48, 52, 6)), 0)[None].astype(np.float32)
    label = np.zeros(image.shape, np.int16)
    label[0, 14:17, 24:27, 2:4] = 1
    image[label > 0] = 180
    return {"image": MetaTensor(torch.from_numpy(image)), "label": MetaTensor(torch.from_numpy(label))}


DONORS = [(scan()["image"], scan()["label"])]
PASTE: dict[str, Any] = {"donors": DONORS, "axis": 2, "scale_range": (1, 1), "clearance_mm": 2}
CLASHES: dict[str, Callable[[], Any]] = {
    "label_key and mask_key are both 'lesion_mask'": lambda: RandPasteLesiond(
        "image", label_key="lesion_mask", **PASTE
    ),
    "mask_key and region_key are both 'brain'": lambda: RandPasteLesiond(
        "image", mask_key="brain", region_key="brain", **PASTE
    ),
    "label_key and mask_key are both 'removed_mask'": lambda: RandLesionRemovald("image", label_key="removed_mask"),
    "output_label_key and mask_key are both 'mask'": lambda: RemoveLesiond("image", label_key="mask"),
    "output_keys and method_key are both 'image'": lambda: RemoveLesiond("image", method_key="image"),
    "label_key and mask_key are both 'm'": lambda: PasteLesiond("image", label_key="m", mask_key="m"),
    "naive_key and added are both 'lesion'": lambda: InsertLesiond(naive_key="lesion"),
    "host_key and added are both 'label'": lambda: FillLesiond(host_key="label"),
    "keys and keys are both 't1'": lambda: RandPasteLesiond(["t1", "t1"], label_key="label", **PASTE),
}


@pytest.mark.parametrize("told", CLASHES)
def test_two_results_under_one_key_are_refused(told: str) -> None:
    """One of them would be lost in silence: a label would be what was filled, or the new lesions alone."""
    with pytest.raises(ConSinGANError, match=f"{told}; give each a key of its own"):
        CLASHES[told]()


@pytest.mark.parametrize("mass_effect", [0.0, 0.5])
def test_two_pastes_in_a_row_tell_of_both(mass_effect: float) -> None:
    host = scan()
    first, second = (RandPasteLesiond("image", **PASTE, mass_effect=mass_effect) for _ in range(2))
    once = first.set_random_state(3)(host)
    both = second.set_random_state(8)(once)
    new, label = (both[key].numpy() > 0 for key in ("lesion_mask", "label"))
    assert not (new & ~label).any()
    alone = RandPasteLesiond("image", **PASTE, mass_effect=mass_effect, mask_key=None).set_random_state(8)
    without = alone({key: once[key] for key in host})
    assert None not in without and "lesion_mask" not in without
    assert torch.equal(without["image"], both["image"]) and torch.equal(without["label"], both["label"])
    entries = json.loads(both["image"].meta["pasted_lesions"])
    assert entries == first.paste.log + second.paste.log and all("placement" in entry for entry in entries)
    count = once["lesion_mask"].sum()
    assert count > 0 and new.sum() > 1.5 * count
    if not mass_effect:
        assert (new == (label & ~(host["label"].numpy() > 0))).all()


def test_a_mask_that_lies_elsewhere_is_refused() -> None:
    paste = RandPasteLesiond("image", **PASTE)
    removal = RandLesionRemovald("image", methods="biharmonic", axis=2, mask_key="lesion_mask")
    for transform in (paste, removal):
        with pytest.raises(ConSinGANError, match="mask has shape"):
            transform(scan() | {"lesion_mask": torch.zeros(1, 5, 5, 5)})


def test_a_removal_adds_to_the_mask_that_is_there() -> None:
    removal = RandLesionRemovald("image", methods="biharmonic", axis=2, mask_key="changed")
    alone = removal(scan())["changed"].numpy()
    there = torch.zeros(1, 48, 52, 6)
    there[0, 0, 0, 0] = 1
    both = removal(scan() | {"changed": there})["changed"].numpy()
    assert alone.any() and both.dtype == alone.dtype == np.uint8
    assert np.argwhere(both != alone).tolist() == [[0, 0, 0, 0]]


def test_one_of_them_makes_batches() -> None:
    """With one key for their masks; what was pasted is told of every item, also where nothing was."""
    steps = [
        RandPasteLesiond("image", mask_key="changed", **PASTE),
        RandLesionRemovald("image", mask_key="changed", methods="biharmonic", axis=2),
        RandPasteLesiond("image", mask_key="changed", prob=0.0, **PASTE),
    ]
    chain = Compose([OneOf(steps)]).set_random_state(seed=1)
    batch = next(iter(DataLoader(Dataset([scan()] * 8, chain), batch_size=8)))
    changed = batch["changed"].flatten(1).any(1)
    assert batch["changed"].shape == (8, 1, 48, 52, 6) and changed.any() and not changed.all()


def test_a_batch_tells_what_was_pasted_also_where_an_item_has_nothing() -> None:
    chain = Compose([RandPasteLesiond("image", prob=0.5, **PASTE)]).set_random_state(seed=1)
    batch = next(iter(DataLoader(Dataset([scan()] * 6, chain), batch_size=6)))
    logs = [json.loads(log) for log in batch["image"].meta["pasted_lesions"]]
    assert [bool(log) for log in logs] == batch["lesion_mask"].flatten(1).any(1).tolist()
    assert {len(log) for log in logs} == {0, 1}
