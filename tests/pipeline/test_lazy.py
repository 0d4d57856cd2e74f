"""``lazy=True``: pending resampling is done before a lesion is pasted or removed, and the result is the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.transforms import (
    Compose,
    Flipd,
    LoadImaged,
    RandFlipd,
    RandRotate90d,
    ResizeWithPadOrCropd,
    Rotate90d,
    Spacingd,
)

from monai_consingan.transforms import (
    AlterationMaskd,
    BlendBackd,
    FillLesiond,
    InsertLesiond,
    LesionAlterationd,
    PasteLesiond,
    RandLesionBlobd,
    RandPasteLesiond,
    RandShuffleTilesd,
    RemoveLesiond,
)

KEYS = ["image", "label", "host", "host_label", "donor", "donor_label"]


def step(name: str, settings: dict[str, Any]) -> list[Any]:
    return {
        "paste": [
            PasteLesiond(offset=(2, -20, 4), axis=2, host_label_key="host_label", output_key="pasted"),
            AlterationMaskd("lesion_mask", output_keys="alteration", axis=2),
            BlendBackd("pasted", host_key="host", weight_key="alteration"),
        ],
        "random paste": [RandPasteLesiond(**settings)],
        "insert": [InsertLesiond(seed=1), LesionAlterationd(), BlendBackd("image", weight_key="weight")],
        "remove": [RemoveLesiond("image", methods="biharmonic", axis=2)],
        "fill": [FillLesiond()],
        "blob": [RandLesionBlobd("image")],
        "tiles": [RandShuffleTilesd("image")],
    }[name]


def tensors(item: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {key: value for key, value in item.items() if isinstance(value, torch.Tensor)}


@pytest.fixture
def case(scan: dict[str, str]) -> dict[str, str]:
    return {key: scan["label" if "label" in key else "image"] for key in KEYS}


@pytest.mark.parametrize("name", ["paste", "random paste", "insert", "remove", "fill", "blob", "tiles"])
def test_lazy_is_eager(case: dict[str, str], paste_settings: dict[str, Any], name: str) -> None:
    def run(lazy: bool) -> dict[str, torch.Tensor]:
        before = [RandFlipd(KEYS, prob=1.0, spatial_axis=0), RandRotate90d(KEYS, prob=1.0)]
        before.append(ResizeWithPadOrCropd(KEYS, spatial_size=(72, 72, 10)))
        after = [Flipd(["image", "label"], spatial_axis=1), Rotate90d(["image", "label"])]
        load = LoadImaged(KEYS, ensure_channel_first=True)
        chain = Compose([load, *before, *step(name, paste_settings), *after], lazy=lazy)
        return tensors(chain.set_random_state(seed=4)(case))

    eager, lazy = run(False), run(True)
    assert eager.keys() == lazy.keys()
    for key, value in eager.items():
        assert not lazy[key].pending_operations
        assert torch.equal(value, lazy[key]), key
        torch.testing.assert_close(value.affine, lazy[key].affine)


def test_the_paste_sees_the_resampled_images(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    """Image and label are on the new grid already; MONAI's lazy ``Spacingd`` takes its interpolation from overrides."""
    space = Spacingd(["image", "label"], pixdim=(3.0, 3.0, 6.5), mode=("bilinear", "nearest"))
    chain = [LoadImaged(["image", "label"], ensure_channel_first=True), space, RandPasteLesiond(**paste_settings)]
    host = Compose(chain[:2])(scan)
    nearest = {"label": {"mode": "nearest"}}
    item = Compose(chain, lazy=True, overrides=nearest).set_random_state(seed=0)(scan)
    new = item["lesion_mask"] > 0
    assert new.any() and item["image"].shape == host["image"].shape
    torch.testing.assert_close(item["image"].affine, host["image"].affine)
    assert set(item["label"].unique().tolist()) == {0, 1} and bool((item["label"][new] == 1).all())
    assert torch.equal(item["label"][~new], host["label"][~new])
