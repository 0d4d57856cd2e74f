"""On crops of a host that was prepared, lesions are put in and taken out as in the whole host."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.transforms import Compose, DeleteItemsd, Flipd, Orientationd, RandSpatialCropd, SpatialCropd

from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.methods import BlendSettings
from monai_consingan.models import HostModels, prepare_bank
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import (
    HostKnowledge,
    PrepareHostd,
    RandLesiond,
    RandLesionRemovald,
    RemoveLesiond,
)
from monai_consingan.transforms.redrawing import host_model, named_model
from monai_consingan.transforms.whole_voxels import Turn

KEYS = ["image", "label"]
SHAPE = (92, 84, 5)
SMALL: dict[str, Any] = {"stages": 2, "iterations": 2, "channels": 2}


def item(seed: int = 0) -> dict[str, MetaTensor]:
    """A head that mirrors to itself but for noise and a lesion of it, of thick slices."""
    rng = np.random.RandomState(seed)
    x, y = np.ogrid[: SHAPE[0], : SHAPE[1]]
    head = (((x - 45.5) / 41) ** 2 + ((y - 42) / 38) ** 2 < 1)[..., None] & np.ones(SHAPE[2], bool)
    bumps = 12 * np.sin(np.abs(x - 45.5) / 5) * np.cos(y / 6)
    image = np.where(head, 100 + bumps[..., None] + rng.normal(0, 3, SHAPE), 0)
    label = np.zeros(SHAPE)
    label[22:28, 40:47, 1:4] = 1
    image[label > 0] = 190
    affine = torch.diag(torch.tensor([-1.0, 1.0, 3.0, 1.0], dtype=torch.float64))
    return {
        key: MetaTensor(torch.from_numpy(part[None].astype(np.float32)), affine=affine)
        for key, part in zip(KEYS, (image, label), strict=True)
    }


# All of the lesion's hemisphere and what mirrors to the lesion, of which the middle is elsewhere.
CROP = SpatialCropd(KEYS, roi_start=(2, 12, 0), roi_end=(88, 78, 5))
PARTS = [
    [CROP],
    [CROP, Flipd(KEYS, 0)],
    [Flipd(KEYS, (0, 1)), CROP],
    [CROP, Orientationd(KEYS, "SPL", labels=None)],
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModels]:
    """Models of the item for both tasks."""
    folder: Path = tmp_path_factory.mktemp("bank")
    found = {}
    for task in ("harmonization", "editing"):
        found[task] = HostModels(folder, task, TrainingSettings(task, **SMALL), side=24)
        prepare_bank([item()], found[task], task)
    return found


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("method", ["mirror", "matched_mirror", "poisson_mirror", "moved_mirror"])
def test_a_filling_in_a_part_is_that_of_the_whole(part: list[Any], method: str) -> None:
    if method == "moved_mirror" and len(part) > 1:
        pytest.skip("like matched_mirror")
    removal = RemoveLesiond("image", methods=method)
    prepare = PrepareHostd("image", uses=[removal])
    whole = Compose([prepare, removal, *part])(item())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConSinGANWarning)
        parts = Compose([prepare, *part, removal])(item())
    assert int(parts["mask"].sum()) > 100
    for key in ("label", "mask"):
        assert torch.equal(parts[key].as_tensor(), part_of(whole, key, part).as_tensor()), key
    mask = np.asarray(parts["mask"]) > 0
    np.testing.assert_array_equal(np.asarray(parts["image"])[~mask], np.asarray(whole["image"])[~mask])
    if method == "matched_mirror" and len(part) > 1:  # sums run in another order in a turned part
        np.testing.assert_array_max_ulp(parts["image"].numpy(), whole["image"].numpy(), maxulp=1)
    else:
        np.testing.assert_array_equal(parts["image"].numpy(), whole["image"].numpy())


def part_of(whole: dict[str, Any], key: str, part: list[Any]) -> MetaTensor:
    """What is in a part, of something that the part's transforms do not name."""
    if key in KEYS:
        return whole[key]
    data = {"image": whole[key], "label": whole[key]}
    return Compose(part)(data)["image"]


@pytest.mark.parametrize("part", PARTS)
def test_a_model_redraws_in_a_part_what_it_redraws_in_the_whole(part: list[Any], models: dict[str, HostModels]) -> None:
    removal = RandLesionRemovald(KEYS, models["editing"], methods="biharmonic")
    prepare = PrepareHostd("image", uses=[removal])
    whole = Compose([prepare, removal, *part])(item())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConSinGANWarning)
        parts = Compose([prepare, *part, removal])(item())
    assert removal.remove.log["redrawn"] == 1
    np.testing.assert_array_equal(parts["image"].numpy(), whole["image"].numpy())
    filled = Compose([*part, RandLesionRemovald(KEYS, methods="biharmonic")])(item())
    assert np.abs(filled["image"].numpy() - parts["image"].numpy()).max() > 1


@pytest.mark.parametrize("part", PARTS)
def test_lesions_in_a_part_are_redrawn(part: list[Any], models: dict[str, HostModels]) -> None:
    lesion = RandLesiond(KEYS, [item(7)], models["harmonization"], scale_range=(0.6, 0.8), fallback=None)
    prepare = PrepareHostd("image", uses=[lesion])
    for seed in range(2):
        lesion.set_random_state(seed)
        out = Compose([prepare, *part, lesion])(item())
        assert out["lesion_mask"].any() and {entry["how"] for entry in lesion.paste.log} == {"tissue-consingan"}
        assert out["image"].affine.equal(Compose(part)(item())["image"].affine)
    lesion.set_random_state(0)
    with pytest.raises(ConSinGANError, match="have none of this host"):
        lesion(Compose([PrepareHostd("image"), *part])(item()))
    # the same lesion, in a part and in the whole
    host = item()
    known = prepare(host)["host_known"]
    mask = torch.zeros_like(host["label"])
    mask[0, 60:66, 40:48, 1:3] = 1
    marked = {"image": host["image"] + 60 * mask, "label": mask}
    blend = BlendSettings("whole")
    redrawn = {}
    for name, data in (("whole", marked), ("part", Compose(part)(marked))):
        clean = host["image"] if name == "whole" else Compose(part)({**host})["image"]
        here = known.of_image(clean)
        redraw = host_model(models["harmonization"], clean, None, here)
        assert redraw is not None
        redrawn[name] = redraw(data["image"], data["label"], clean, blend)
    of_whole = Compose(part)({"image": redrawn["whole"], "label": mask})["image"]
    np.testing.assert_array_equal(redrawn["part"].numpy(), of_whole.numpy())
    assert redrawn["part"].affine.equal(of_whole.affine)
    assert np.abs(of_whole.numpy() - Compose(part)(marked)["image"].numpy()).max() > 1


def test_where_nothing_is_known_what_needs_nothing_is_used_and_that_is_said_once() -> None:
    half = SpatialCropd(KEYS, roi_start=(0, 10, 0), roi_end=(44, 84, 5))  # of one hemisphere
    removal = RandLesionRemovald(KEYS, methods=("mirror", "biharmonic"))
    transform = Compose([half, removal])
    with pytest.warns(ConSinGANWarning, match=r"not taken where the image does not mirror to itself .* PrepareHostd"):
        transform(item())
    assert removal.remove.log["method"] == "biharmonic" and list(removal.remove.log["tried"]) == ["mirror"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConSinGANWarning)
        transform(item(1))


def test_a_cached_data_set_of_crops_in_batches(models: dict[str, HostModels]) -> None:
    removal = RandLesionRemovald(KEYS, models["editing"], methods=("mirror", "biharmonic"))
    lesion = RandLesiond(KEYS, [item(7)], models["harmonization"], scale_range=(0.6, 0.8))
    prepare = PrepareHostd("image", uses=[removal, lesion])
    crop = RandSpatialCropd(KEYS, (80, 70, 5), random_size=False)
    for last in ([lesion], [DeleteItemsd("host_known")]):
        data = CacheDataset([item()] * 2, Compose([prepare, crop, removal, *last]), progress=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConSinGANWarning)
            batch = next(iter(DataLoader(data, batch_size=2)))
        assert batch["image"].shape == (2, 1, 80, 70, 5)
        assert removal.remove.log["redrawn"] == 1 and removal.remove.log["method"] == "mirror"


def test_facts_go_to_other_processes_and_agree(models: dict[str, HostModels], tmp_path: Path) -> None:
    lesion = RandLesiond(KEYS, [item(7)], models["harmonization"])
    known = PrepareHostd("image", uses=[lesion, RandLesionRemovald(KEYS, models["editing"])])(item())["host_known"]
    assert set(known.facts) == {("model", "harmonization"), ("model", "editing"), ("plane", "centre", None)}
    assert pickle.loads(pickle.dumps(known)).facts == known.facts
    assert not HostKnowledge.of(item()["image"]).facts and named_model(None, None, None) == {}
    other = HostModels(tmp_path, "harmonization", TrainingSettings("harmonization", **SMALL), side=25)
    with pytest.raises(ConSinGANError, match="different answers to"):
        PrepareHostd("image", uses=[lesion, RandLesiond(KEYS, [item(7)], other)])(item())


@pytest.mark.parametrize("codes", ["RAS", "LIP", "SAL", "PRI"])
def test_turns_are_undone(codes: str) -> None:
    host = item()["image"]
    known = HostKnowledge.of(host)
    turned = Orientationd("image", codes, labels=None)({"image": host})["image"]
    here = known.of_image(turned)
    assert here is not None
    upright = here.turn.upright(turned)
    assert torch.equal(upright.as_tensor(), host.as_tensor()) and torch.allclose(upright.affine, host.affine)
    np.testing.assert_array_equal(here.turn.turned(host.numpy()), turned.numpy())
    again = here.of_image(host)
    assert again is not None and again.turn == Turn.none(3) and again.turn.upright(host) is host
