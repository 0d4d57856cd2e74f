"""What happens to a lesion on its way back through the inverses of MONAI's transforms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    Invertd,
    Lambdad,
    LoadImaged,
    RandFlipd,
    RandRotate90d,
    RandZoomd,
    SpatialPadd,
)

from monai_consingan.transforms import AlterationMask, AlterationMaskd, BlendBackd, RandPasteLesiond, RemoveLesiond

KEYS = ["image", "label", "lesion_mask"]
LOAD = LoadImaged(["image", "label"], ensure_channel_first=True)


def exact(keys: list[str]) -> list[Any]:
    """Transforms that interpolate nothing."""
    return [
        RandFlipd(keys, prob=1.0, spatial_axis=0),
        RandRotate90d(keys, prob=1.0, max_k=1),
        SpatialPadd(keys, spatial_size=(80, 80, 12)),
    ]


def test_what_was_pasted_comes_back_whole(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    paste = RandPasteLesiond(**paste_settings)
    chain = Compose([LOAD, paste, *exact(KEYS)])
    pasted = Compose([LOAD, paste]).set_random_state(seed=1)(scan)
    chain.set_random_state(seed=1)
    moved = chain(scan)
    assert pasted["lesion_mask"].any() and moved["image"].shape == (1, 80, 80, 12)
    back = chain.inverse(moved)
    for key in KEYS:
        assert torch.equal(back[key], pasted[key])
        torch.testing.assert_close(back[key].affine, pasted[key].affine)


def test_a_lesion_pasted_after_the_transforms_comes_back_with_them(
    scan: dict[str, str], paste_settings: dict[str, Any]
) -> None:
    chain = Compose([LOAD, *exact(["image", "label"]), RandPasteLesiond(**paste_settings)]).set_random_state(seed=1)
    out = chain(scan)
    invert = Invertd(["lesion_mask", "label", "image"], transform=chain, orig_keys="image")  # uses the image's up
    back, loaded = invert(out), LOAD(scan)
    lesion = back["lesion_mask"] > 0
    assert int(lesion.sum()) == int(out["lesion_mask"].sum()) > 0
    near = AlterationMask(dilation_mm=8, softness_mm=0, axis=2)(back["lesion_mask"]) > 0  # where the blend reaches
    assert torch.equal(back["image"][~near], loaded["image"][~near])
    assert torch.equal(back["label"][~lesion], loaded["label"][~lesion]) and bool((back["label"][lesion] == 1).all())
    torch.testing.assert_close(back["lesion_mask"].affine, loaded["image"].affine)


def test_predictions_are_inverted_with_the_pasted_image(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    chain = Compose([LOAD, RandPasteLesiond(**paste_settings), *exact(KEYS)]).set_random_state(seed=1)
    item = chain(scan)
    item["pred"] = MetaTensor(item["lesion_mask"].as_tensor().float())
    back = Invertd("pred", transform=chain, orig_keys="image", nearest_interp=True)(item)
    assert torch.equal(back["pred"].as_tensor(), chain.inverse(item)["lesion_mask"].as_tensor().float())


def test_the_label_keeps_its_own_way_back(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    """Its interpolation, and none of the operations that only the image has had."""
    zoom = RandZoomd(["image", "label"], prob=1.0, min_zoom=0.8, max_zoom=0.9, mode=("bilinear", "nearest"))
    scale = Lambdad("image", func=lambda image: image / 2, inv_func=lambda image: image * 2)
    chain = Compose([LOAD, zoom, scale, RandPasteLesiond(**paste_settings)]).set_random_state(seed=0)
    out = chain(scan)
    assert out["lesion_mask"].any()
    assert out["label"].meta["filename_or_obj"] == scan["label"]
    back = chain.inverse(out)
    assert back["image"].shape == back["label"].shape == (1, 64, 75, 10)
    assert set(back["label"].unique().tolist()) == {0, 1}


@pytest.mark.parametrize("key", ["lesion_mask", "alteration", "whole"])
def test_an_inverse_of_one_image_leaves_those_made_of_it_alone(
    scan: dict[str, str], paste_settings: dict[str, Any], key: str
) -> None:
    """MONAI's inverses change the operations that they read, so that images must not share any."""
    zoom = RandZoomd(["image", "label"], prob=1.0, min_zoom=0.8, max_zoom=0.9, allow_missing_keys=True)
    chain = Compose(
        [
            LOAD,
            zoom,
            RandPasteLesiond(**paste_settings),
            AlterationMaskd("lesion_mask", output_keys="alteration", axis=2),
            BlendBackd("image", host_key="image", weight_key="alteration", output_keys="whole"),
        ]
    ).set_random_state(seed=0)
    out = chain(scan)
    before = str(out[key].applied_operations)
    chain.inverse(out)
    assert str(out[key].applied_operations) == before
    assert zoom.inverse({"image": out[key]})["image"].shape == (1, 64, 75, 10)


def test_a_removal_comes_back(scan: dict[str, str]) -> None:
    remove = RemoveLesiond("image", methods="biharmonic", axis=2)
    keys = ["image", "label", "mask"]
    chain = Compose([LOAD, remove, *exact(keys)]).set_random_state(seed=2)
    back, removed = chain.inverse(chain(scan)), remove(LOAD(scan))
    assert removed["mask"].any() and not removed["label"].any()
    assert all(torch.equal(back[key], removed[key]) for key in keys)
