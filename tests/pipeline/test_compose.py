"""Exactly what changes, and where, when the transforms stand in a ``Compose`` behind MONAI's ``LoadImaged``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, CopyItemsd, GaussianSmoothd, LoadImaged

from monai_consingan.transforms import AlterationMaskd, BlendBackd, PasteLesiond, RandPasteLesiond, RemoveLesiond, move

OFFSET = (-20, 0, 4)
KEYS = ["host", "label", "donor", "donor_label"]


@pytest.fixture
def case(scan: dict[str, str]) -> dict[str, str]:
    return {key: scan["label" if "label" in key else "image"] for key in KEYS}


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_paste_and_blend(case: dict[str, str], dtype: Any) -> None:
    load = LoadImaged(KEYS, ensure_channel_first=True, dtype=dtype)
    chain = Compose(
        [
            load,
            PasteLesiond("host", offset=OFFSET, axis=2, output_key="naive"),
            AlterationMaskd("lesion_mask", output_keys="alteration", axis=2),
            CopyItemsd("naive", names="redrawn"),
            GaussianSmoothd("redrawn", sigma=2.0),
            BlendBackd("redrawn", host_key="naive", weight_key="alteration", output_keys="result"),
        ]
    )
    item, loaded = chain(case), load(case)
    host, lesion = loaded["host"], move(loaded["donor_label"], OFFSET) > 0
    assert lesion.any() and torch.equal(item["lesion_mask"] > 0, lesion)
    assert torch.equal(item["naive"][lesion], move(loaded["donor"], OFFSET)[lesion])
    assert torch.equal(item["naive"][~lesion], host[~lesion])
    assert torch.equal(item["label"], torch.where(lesion, 1, loaded["label"]))
    untouched = item["alteration"] == 0
    assert torch.equal(item["result"][untouched], host[untouched])
    assert not torch.equal(item["result"][~untouched], item["naive"][~untouched])
    assert item["result"].dtype == item["naive"].dtype == host.dtype
    for key in ("naive", "label", "lesion_mask", "alteration", "result"):
        assert torch.equal(item[key].affine, host.affine)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("blend", ["hard", "feather", "poisson"])
def test_random_paste(scan: dict[str, str], paste_settings: dict[str, Any], dtype: Any, blend: str) -> None:
    load = LoadImaged(["image", "label"], ensure_channel_first=True, dtype=dtype)
    paste = RandPasteLesiond(**paste_settings, number=2, blend=blend, feather_mm=4.0)
    item, host = Compose([load, paste]).set_random_state(seed=0)(scan), load(scan)
    new = item["lesion_mask"] > 0
    log = json.loads(item["image"].meta["pasted_lesions"])
    assert new.any() and len(log) == 2
    assert torch.equal(item["label"], torch.where(new, 1, host["label"])) and not (host["label"][new] > 0).any()
    near = AlterationMaskd("mask", dilation_mm=0, softness_mm=4.0 if blend == "feather" else 0, axis=2)
    outside = near({"mask": item["lesion_mask"]})["mask"] == 0
    assert torch.equal(item["image"][outside], host["image"][outside])
    assert not torch.equal(item["image"][new], host["image"][new])
    assert item["image"].dtype == host["image"].dtype and item["label"].dtype == host["label"].dtype


@pytest.mark.parametrize("methods", ["biharmonic", "mirror", "poisson_mirror"])
def test_remove(scan: dict[str, str], methods: str) -> None:
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    item, host = Compose([load, RemoveLesiond("image", methods=methods, axis=2)])(scan), load(scan)
    filled = item["mask"] > 0
    assert bool(filled[host["label"] > 0].all()) and not item["label"].any()
    assert torch.equal(item["image"][~filled], host["image"][~filled])
    assert not torch.equal(item["image"][filled], host["image"][filled])
    assert torch.equal(item["image"].affine, host["image"].affine)
