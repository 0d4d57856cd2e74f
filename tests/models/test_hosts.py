from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import Dataset, MetaTensor
from monai.transforms import LoadImaged

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings
from monai_consingan.models import HostModels, ModelBank, prepare_bank
from monai_consingan.settings import TrainingSettings

SMALL = {"stages": 2, "iterations": 2, "channels": 2}
HARMONIZATION = TrainingSettings("harmonization", **SMALL)  # type: ignore[arg-type]
EDITING = TrainingSettings("editing", **SMALL)  # type: ignore[arg-type]


def host(seed: int = 0, shape: tuple[int, ...] = (50, 40, 6)) -> MetaTensor:
    values = np.random.default_rng(seed).normal(100, 4, shape)
    values[:5] = values[-5:] = values[:, :5] = values[:, -5:] = 0
    return MetaTensor(torch.from_numpy(values[None].astype(np.float32)))


def test_prepares_every_host_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ModelBank(tmp_path)
    rule: dict[str, Any] = {"settings": HARMONIZATION, "crops": 2, "side": 16}
    names = prepare_bank([host(0), {"image": host(1)}, host(0)], bank, **rule)
    assert names[0] == names[2] != names[1] and bank.keys() == sorted(set(names))
    monkeypatch.setattr("monai_consingan.models.hosts.host_crops", None)  # nothing is trained again
    assert prepare_bank([host(1)], bank, **rule) == [names[1]]
    models = HostModels(tmp_path, "harmonization", **rule)
    assert models.key(host(0)) == names[0] and models.find(host(2)) is None
    model = models.find(np.asarray(host(1)))
    assert model is not None and model.image_size == (16, 16) and model.settings == HARMONIZATION
    assert models.find(host(1)) is model


@pytest.mark.parametrize("other", [{"crops": 3}, {"side": 17}, {"axis": 0}, {"seed": 1}, {"settings": EDITING}])
def test_another_rule_is_another_model(other: dict[str, Any], tmp_path: Path) -> None:
    rule: dict[str, Any] = {"settings": HARMONIZATION, "crops": 2, "side": 16}
    keys = [
        HostModels(tmp_path, given["settings"].task, **given).key(host(), host()) for given in (rule, {**rule, **other})
    ]
    assert keys[0] != keys[1]


def test_few_models_stay_in_memory(tmp_path: Path) -> None:
    models = HostModels(tmp_path, "harmonization", HARMONIZATION, crops=1, side=16, keep=2)
    prepare_bank([host(seed) for seed in range(3)], models)
    first, second = models.find(host(0)), models.find(host(1))
    assert models.find(host(0)) is first
    models.find(host(2))
    assert len(models._models) == 2 and models.find(host(0)) is first
    again = models.find(host(1))
    assert again is not None and again is not second


def test_files_are_the_hosts_of_a_pipeline_that_loads_them(tmp_path: Path) -> None:
    case = {"image": str(example().image), "label": str(example().label)}
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    rule: dict[str, Any] = {"task": "editing", "settings": EDITING, "crops": 1, "side": 24}
    names = [prepare_bank(hosts, tmp_path, **rule) for hosts in ([case], Dataset([case], load))]
    assert names[0] == names[1] and len(ModelBank(tmp_path)) == len(names[0]) == 1
    image = load(case)["image"]
    assert prepare_bank([{"image": image, "label": image * 0}], tmp_path, **rule) == []


def test_redraws_any_place_of_the_host(tmp_path: Path) -> None:
    scan = host(shape=(80, 70, 6))
    models = HostModels(tmp_path, "harmonization", HARMONIZATION, side=32)
    model = models.prepare(scan)
    for place in ((10, 10, 0), (60, 50, 3)):
        mask = torch.zeros(scan.shape, dtype=torch.uint8)
        mask[(0, *(slice(low, low + size) for low, size in zip(place, (6, 6, 2), strict=True)))] = 1
        naive = scan + 50 * mask
        redrawn = models.redraw(naive, mask, scan, model, BlendSettings())
        assert torch.equal(redrawn.affine, scan.affine) and redrawn.dtype == scan.dtype
        changed = (redrawn != naive)[0]
        assert 0 < int(changed.sum()) < 2 * 14**2 and changed.any(0).any(0).tolist() == mask[0].any(0).any(0).tolist()


def test_errors(tmp_path: Path) -> None:
    for task, settings in (("harmonization", EDITING), ("generation", None)):
        with pytest.raises(ConSinGANError, match="give harmonization or editing"):
            HostModels(tmp_path, task, settings)
    for name in ("crops", "side", "keep"):
        with pytest.raises(ConSinGANError, match=f"{name} is 0"):
            HostModels(tmp_path, "editing", **{name: 0})  # type: ignore[arg-type]
    with pytest.raises(ConSinGANError, match="for task 'editing', but 'harmonization' is asked for"):
        prepare_bank([host()], HostModels(tmp_path, "editing"))
    with pytest.raises(ConSinGANError, match="host is 2D, but the settings are for 3 spatial dims"):
        prepare_bank([host(shape=(50, 40))], tmp_path, settings=TrainingSettings("harmonization", spatial_dims=3))
    with pytest.raises(ConSinGANError, match="give their label"):
        prepare_bank([host()], tmp_path, "editing", EDITING)
    with pytest.raises(ConSinGANError, match="label has shape"):
        prepare_bank([{"image": host(), "label": np.ones((1, 4, 4, 4))}], tmp_path, "editing", EDITING)
    assert list(tmp_path.iterdir()) == []
