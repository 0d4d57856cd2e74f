from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.utils import set_determinism
from scipy import ndimage

from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import USUAL_FILLINGS
from monai_consingan.models import HostModels, prepare_bank
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import (
    LesionAlteration,
    RandLesionRemoval,
    RandLesionRemovalD,
    RandLesionRemovald,
    RandLesionRemovalDict,
    RemoveLesion,
)

SMALL = TrainingSettings("editing", stages=2, iterations=2, channels=2)
SHAPES = {2: (60, 64), 3: (60, 64, 4)}
AXES = {2: None, 3: 2}


def case(ndim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A head with lesions of the values 2 and 5, on one side."""
    shape = SHAPES[ndim]
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    radius = sum(((g - n / 2) / (n / 2 - 3)) ** 2 for g, n in zip(grid[:2], shape, strict=False))
    image = np.where(radius < 1, np.random.RandomState(seed).normal(100, 4, shape), 0)[None].astype(np.float32)
    label = np.zeros(image.shape, np.int16)
    depth = [slice(1, 3)] * (ndim - 2)
    label[(0, slice(14, 18), slice(20, 25), *depth)] = 2
    label[(0, slice(14, 18), slice(40, 44), *depth)] = 5
    image[label > 0] = 180
    return image, label


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> HostModels:
    models = HostModels(tmp_path_factory.mktemp("bank"), "editing", SMALL, side=32)
    prepare_bank([dict(zip(("image", "label"), case(ndim), strict=True)) for ndim in (2, 3)], models, "editing")
    return models


def told(log: dict[str, Any]) -> dict[str, Any]:
    """The log without the checks, which it has whenever something was removed, by the first method here."""
    assert set(log["checks"]) == {"cnr", "visibility", "contrast_kept", "black_gained"} and log["tried"] == {}
    return {key: value for key, value in log.items() if key not in ("checks", "tried")}


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("ndim", [2, 3])
def test_removes_and_redraws_only_what_it_marks(models: HostModels, ndim: int) -> None:
    image, label = case(ndim)
    removal = RandLesionRemoval(models, axis=AXES[ndim])
    out = removal(image, label)
    assert told(removal.log) == {"method": "matched_mirror", "redrawn": 2, "filled": 0}
    filled = RemoveLesion(USUAL_FILLINGS, axis=AXES[ndim])(image, label)
    assert np.array_equal(out.mask, filled.mask) and not out.label.any()
    assert not np.array_equal(out.image, filled.image)
    reach = LesionAlteration("whole", 1.0, 2.0, AXES[ndim])(out.mask).mask > 0
    assert out.image.dtype == image.dtype and out.image[~reach].tobytes() == image[~reach].tobytes()
    assert out.image[label > 0].max() < 150


@pytest.mark.parametrize("ndim", [2, 3])
def test_without_a_model_the_filling_stays(models: HostModels, ndim: int) -> None:
    image, label = case(ndim, seed=1)
    removal = RandLesionRemoval(models, axis=AXES[ndim], methods="biharmonic", lesion_labels=[5, 6])
    out = removal(image, label)
    assert told(removal.log) == {"method": "biharmonic", "redrawn": 0, "filled": 1}
    assert same(out[:3], RemoveLesion("biharmonic", axis=AXES[ndim])(image, label, [5])[:3])
    assert set(np.unique(out.label)) == {0, 2}


def test_a_model_is_that_of_the_host_and_its_lesions(models: HostModels) -> None:
    image, label = case(2)
    assert models.find(image, label) is not None
    assert models.find(image, (label > 0).astype(np.float32)) is not None  # the outline counts, not the value
    assert models.find(image, label * 0) is None
    with pytest.raises(ConSinGANError, match="give their label"):
        models.find(image)


def test_what_cannot_be_removed_is_left_alone(models: HostModels) -> None:
    image, label = case(2)
    for marks, options, reason in (
        (label * 0, {}, "marks no lesion"),
        (label, {"lesion_labels": [9]}, "lesion_labels"),
        (np.maximum(label, label[:, ::-1]), {"methods": "mirror"}, "cannot be removed"),
    ):
        removal = RandLesionRemoval(models, **options)  # type: ignore[arg-type]
        out = removal(image, marks)
        assert out.image is image and out.label is marks and not out.mask.any() and out.method == "none"
        assert reason in removal.log["reason"]


def test_lesions_too_large_for_the_model_stay_filled(models: HostModels, monkeypatch: pytest.MonkeyPatch) -> None:
    image, label = case(2)
    redraw = models.redraw

    def only_low(naive: Any, mask: Any, *more: Any) -> Any:
        if mask[0, :, 32:].any():
            raise NoPlaceError("too large.")
        return redraw(naive, mask, *more)

    monkeypatch.setattr(models, "redraw", only_low)
    removal = RandLesionRemoval(models)
    out = removal(image, label)
    assert told(removal.log) == {"method": "matched_mirror", "redrawn": 1, "filled": 1}
    filled = RemoveLesion("matched_mirror")(image, label)
    assert np.array_equal(out.image[..., 32:], filled.image[..., 32:])
    assert not np.array_equal(out.image[..., :32], filled.image[..., :32])


def item(seed: int = 0) -> dict[str, Any]:
    return {
        key: MetaTensor(torch.from_numpy(part)) for key, part in zip(("image", "label"), case(3, seed), strict=True)
    }


def test_probability_and_seed(models: HostModels) -> None:
    remove = RandLesionRemovald("image", models, prob=0.5, axis=2)
    done = [bool(remove.set_random_state(seed)(item())["removed_mask"].any()) for seed in (*range(8), *range(8))]
    assert done[:8] == done[8:] and len(set(done)) == 2
    untouched = RandLesionRemoval(models, prob=0.0)
    image, label = case(2)
    out = untouched(image, label)
    assert out.image is image and out.label is label and untouched.log == {}


def test_in_workers_and_pickled(models: HostModels) -> None:
    remove = RandLesionRemovald(["image", "label"], models, prob=0.5, axis=2)
    try:
        runs = []
        for _ in range(2):
            set_determinism(1)
            loader = DataLoader(Dataset([item(), item(1)] * 2, remove), batch_size=4, num_workers=2)
            runs.append(next(iter(loader)))
    finally:
        set_determinism(None)
    assert same([runs[0][key] for key in sorted(runs[0])], [runs[1][key] for key in sorted(runs[0])])
    removed = runs[0]["removed_mask"].flatten(1).any(dim=1)
    assert torch.equal(removed, ~(runs[0]["label"] > 0).flatten(1).any(dim=1))
    copy = pickle.loads(pickle.dumps(remove))
    assert len(copy.remove.models._models) == 0
    first, second = (each.set_random_state(3)(item()) for each in (remove, copy))
    assert same([first[key] for key in first], [second[key] for key in first])


def test_names_and_tasks(tmp_path: Path) -> None:
    assert RandLesionRemovalD is RandLesionRemovalDict is RandLesionRemovald
    with pytest.raises(ConSinGANError, match="'editing' is needed"):
        RandLesionRemoval(HostModels(tmp_path, "harmonization"))
    for given in ({"models": "my/bank"}, {"bank": "my/bank"}):
        with pytest.raises(ConSinGANError, match=r'give models=HostModels\("my/bank", "editing"\)'):
            RandLesionRemovald("image", **given)
    renamed = RandLesionRemovald(["scan", "truth"], HostModels(tmp_path, "editing"), mask_key=None, axis=2)
    data = dict(zip(("scan", "truth"), item().values(), strict=True))
    out = renamed(data)
    assert not out["truth"].any() and data["truth"].any()
    assert RandLesionRemovald("image", allow_missing_keys=True)({"other": 1}) == {"other": 1}


def test_without_models_it_only_fills() -> None:
    removal = RandLesionRemoval()
    out = removal(*case(2))
    assert told(removal.log) == {"method": "matched_mirror", "redrawn": 0, "filled": 2}
    assert same(out[:3], RemoveLesion(USUAL_FILLINGS)(*case(2))[:3])


def test_several_sequences_as_keys() -> None:
    image, label = case(2)
    data = {"t1": image, "t2": 500 - image, "seg": label}
    together = RandLesionRemoval()(np.concatenate([data["t1"], data["t2"]]), label)
    for transform in (
        RandLesionRemovald(["t1", "t2", "seg"]),
        RandLesionRemovald(["t1", "t2"], label_key="seg"),
        RandLesionRemovald(["seg", "t1", "t2"], label_key="seg"),
    ):
        out = transform(data)
        assert same((out["t1"][0], out["t2"][0]), together.image) and not out["seg"].any()
        assert np.array_equal(out["removed_mask"], together.mask)
    kept = RandLesionRemovald(["t1", "t2", "seg"], prob=0.0)(data)
    assert all(kept[key] is data[key] for key in data)
    with pytest.raises(ConSinGANError, match="give the key of an image"):
        RandLesionRemovald("seg", label_key="seg")


def test_checks_tell_whether_the_lesion_is_gone() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (2, 40, 40)).astype(np.float32)
    label = np.zeros((1, 40, 40), np.int16)
    label[0, 10:16, 26:32] = 1
    image[1, 10:16, 26:32] += 100
    removal = RandLesionRemoval(methods="biharmonic")
    removal(image, label)
    checks = removal.log["checks"]
    assert abs(checks["contrast_kept"]) < 0.1 and checks["black_gained"] == 0  # in the second channel, where it was
    assert checks["visibility"] < 2
    kept = removal._checks(image, image, label, removal.remove(image, label))
    assert kept["contrast_kept"] == 1 and kept["visibility"] > 10


def test_checks_are_none_where_only_lesions_are_around() -> None:
    image, label = case(2)
    label[label == 5] = 0
    near = ndimage.binary_dilation(label[0] == 2, iterations=14)
    label[0, near & (label[0] == 0)] = 7  # stays, and leaves no tissue to measure the removed lesion by
    removal = RandLesionRemoval(lesion_labels=[2], methods="biharmonic")
    out = removal(image, label)
    assert out.mask.any() and set(np.unique(out.label)) == {0, 7}
    assert removal.log["checks"] == {"cnr": None, "visibility": None, "contrast_kept": None, "black_gained": 0.0}
