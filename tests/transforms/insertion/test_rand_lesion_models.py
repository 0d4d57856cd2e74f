from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.transforms import Compose, RandFlipd
from monai.utils import set_determinism

from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import BlendSettings
from monai_consingan.models import HostModels, prepare_bank
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import (
    LesionAlteration,
    RandLesion,
    RandLesionD,
    RandLesiond,
    RandLesionDict,
    RandPasteLesion,
)

SMALL = TrainingSettings("harmonization", stages=2, iterations=2, channels=2)
SHAPES = {2: (60, 64), 3: (60, 64, 5)}
AXES = {2: None, 3: 2}
WHOLE: dict[str, Any] = {"method": "consingan-band", "redrawn": BlendSettings("whole")}
PLAIN: dict[str, Any] = {"rotate_range": 0.0, "scale_range": (1.0, 1.0), "flip_prob": 0.0}


def brain(ndim: int, seed: int = 0) -> np.ndarray:
    """Noisy tissue in empty space: a disk, or a cylinder along the last axis."""
    shape = SHAPES[ndim]
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    radius = sum(((g - n / 2) / (n / 2 - 3)) ** 2 for g, n in zip(grid[:2], shape, strict=False))
    values = np.random.RandomState(seed).normal(100, 4, shape)
    return np.asarray(np.where(radius < 1, values, 0)[None], np.float32)


def donor(ndim: int) -> tuple[np.ndarray, np.ndarray]:
    image = brain(ndim, 9)
    label = np.zeros(image.shape, np.int16)
    label[(0, slice(28, 33), slice(30, 36), *([slice(1, 3)] * (ndim - 2)))] = 3
    image[label > 0] = 180
    return image, label


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> HostModels:
    """Models of the 2D and the 3D host."""
    models = HostModels(tmp_path_factory.mktemp("bank"), "harmonization", SMALL)
    prepare_bank([brain(2), {"image": brain(3)}], models)
    return models


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("ndim", [2, 3])
def test_changes_only_what_it_marks(models: HostModels, ndim: int) -> None:
    host, axis = brain(ndim), AXES[ndim]
    old = np.zeros(host.shape, np.int16)
    old[0, 40:44, 20:24] = 7
    paste = RandLesion([donor(ndim)], models, number=2, axis=axis, **WHOLE, **PLAIN).set_random_state(0)
    out = paste(host, old)
    assert [entry["how"] for entry in paste.log] == ["consingan-band"] * 2
    reach = LesionAlteration("whole", 1.0, 2.0, axis)(out.mask).mask > 0
    assert out.image.dtype == host.dtype and out.image[~reach].tobytes() == host[~reach].tobytes()
    assert (out.image[out.mask > 0] != host[out.mask > 0]).mean() > 0.9
    # labels: the donor's value where the masks are, and those of the host elsewhere
    assert int(out.mask.sum()) == 2 * int((donor(ndim)[1] > 0).sum())
    assert (out.label == np.where(out.mask > 0, 3, old)).all()
    # the model has redrawn what the same draw merely pastes
    options = {"axis": axis, **PLAIN}
    out = RandLesion([donor(ndim)], models, **WHOLE, **options).set_random_state(0)(host, old)
    naive = RandPasteLesion([donor(ndim)], blend="hard", **options).set_random_state(0)(host, old)
    assert same(out[1:], naive[1:]) and not np.array_equal(naive.image, out.image)


@pytest.mark.parametrize("ndim", [2, 3])
def test_chance_comes_from_the_state_alone(models: HostModels, ndim: int) -> None:
    paste = RandLesion([donor(ndim)], models, axis=AXES[ndim])
    np.random.seed(1)
    torch.manual_seed(1)
    before, before_torch = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index, union-attr]
    first, again, other = (paste.set_random_state(seed)(brain(ndim)) for seed in (4, 4, 5))
    assert same(first, again) and not same(first, other)
    paste.set_random_state(5)
    assert same(paste(brain(ndim)), other) and same(paste(brain(ndim), randomize=False), other)
    assert (np.random.get_state()[1] == before).all() and torch.equal(torch.get_rng_state(), before_torch)  # type: ignore[index]


@pytest.mark.parametrize("fallback", ["poisson", "feather", "naive", "tissue"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_without_a_model_the_fallback_pastes(models: HostModels, ndim: int, fallback: str) -> None:
    host, options = brain(ndim, seed=1), {"axis": AXES[ndim]}
    paste = RandLesion([donor(ndim)], models, fallback=fallback, **options).set_random_state(2)
    out = paste(host)
    assert paste.log[0]["how"] == fallback
    blend = {"naive": "hard"}.get(fallback, fallback)
    assert same(out, RandPasteLesion([donor(ndim)], blend=blend, **options).set_random_state(2)(host))
    # one voxel more or less makes another host
    changed = brain(ndim)
    changed[0, 0, 0] += 1
    paste(changed)
    assert paste.log[0]["how"] == fallback
    paste(brain(ndim))
    assert paste.log[0]["how"] == "tissue-consingan"


def test_what_the_model_cannot_redraw_is_pasted(models: HostModels, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise NoPlaceError("too large.")

    monkeypatch.setattr(models, "redraw", refuse)
    paste = RandLesion([donor(2)], models).set_random_state(0)
    out = paste(brain(2))
    assert paste.log[0]["how"] == "tissue" and paste.log[0]["not_redrawn"] == "too large."
    assert same(out, RandPasteLesion([donor(2)]).set_random_state(0)(brain(2)))


def test_without_a_fallback(models: HostModels, monkeypatch: pytest.MonkeyPatch) -> None:
    paste = RandLesion([donor(2)], models, fallback=None).set_random_state(0)
    assert same(paste(brain(2)), RandLesion([donor(2)], models).set_random_state(0)(brain(2)))
    with pytest.raises(ConSinGANError, match="prepare it"):
        paste(brain(2, seed=1))

    def refuse(*given: Any) -> None:
        raise NoPlaceError("too large.")

    monkeypatch.setattr(models, "redraw", refuse)
    out = paste(brain(2))
    assert paste.log[0]["reason"] == "too large." and not out.mask.any() and np.array_equal(out.image, brain(2))


def test_probability_zero(models: HostModels) -> None:
    host = brain(2)
    out = RandLesion([donor(2)], models, prob=0.0)(host)
    assert out.image is host and not out.label.any() and not out.mask.any()


def test_kinds_and_types_of_hosts(models: HostModels, tmp_path: Path) -> None:
    affine = torch.diag(torch.tensor([1.0, 1.0, 3.0, 1.0], dtype=torch.float64))
    host = MetaTensor(torch.from_numpy(brain(3).astype(np.int16)), affine=affine)
    thick = HostModels(models.bank, "harmonization", SMALL)
    prepare_bank([host], thick)
    paste = RandLesion([donor(3)], thick, axis=2, spacing=(1.0, 1.0, 3.0), **PLAIN).set_random_state(0)
    out = paste(host)
    assert paste.log[0]["how"] == json.loads(out.image.meta["pasted_lesions"])[0]["how"] == "tissue-consingan"
    assert out.image.dtype == host.dtype and torch.equal(out.image.affine, affine)
    # an array with its spacing is the same host
    given = HostModels(models.bank, "harmonization", SMALL, spacing=(1.0, 1.0, 3.0))
    array = RandLesion([donor(3)], given, axis=2, spacing=(1.0, 1.0, 3.0), **PLAIN).set_random_state(0)
    assert same(array(np.asarray(host)), out)


def items(count: int = 2) -> list[dict[str, Any]]:
    label = np.zeros((1, *SHAPES[3]), np.int16)
    hosts = [MetaTensor(torch.from_numpy(brain(3, seed))) for seed in range(count)]
    return [{"image": host, "label": MetaTensor(torch.from_numpy(label.copy()))} for host in hosts]


def chain(bank: Any) -> Compose:
    paste = RandLesiond(["image", "label"], donors=[donor(3)], models=bank, prob=0.9, axis=2)
    return Compose([paste, RandFlipd(["image", "label", "lesion_mask"], prob=0.5, spatial_axis=0)])


@pytest.mark.parametrize("workers", [0, 2])
def test_in_caches_and_workers(models: HostModels, workers: int) -> None:
    dataset = CacheDataset(items(), chain(models), progress=False, num_workers=1)
    runs = []
    try:
        for seed in (3, 3, 4):
            set_determinism(seed)
            loader = DataLoader(dataset, batch_size=1, num_workers=workers)
            runs.append([batch for _ in range(2) for batch in loader])
    finally:
        set_determinism(None)
    keys = ("image", "label", "lesion_mask")
    values = [[[batch[key].as_tensor().numpy() for key in keys] for batch in run] for run in runs]
    assert all(same(a, b) for a, b in zip(*values[:2], strict=True))
    assert not all(same(a, b) for a, b in zip(*values[1:], strict=True))
    told = [json.loads(batch["image"].meta["pasted_lesions"][0]) for batch in runs[0] if batch["lesion_mask"].any()]
    assert {entry[0]["how"] for entry in told} == {"tissue-consingan", "tissue"}  # the second host has no model
    assert all(((label == 3) == (mask > 0)).all() for run in values for _, label, mask in run)


def test_travels_without_its_models(models: HostModels) -> None:
    transform = chain(models)
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(transform))
        assert len(copy.transforms[0].paste.models._models) == 0
        first, second = (each.set_random_state(0)(items(1)[0]) for each in (transform, copy))
        assert same([first[key] for key in first], [second[key] for key in first])
    assert len(models._models) > 0


def test_keys(models: HostModels) -> None:
    assert RandLesionD is RandLesionDict is RandLesiond
    given: dict[str, Any] = {"donors": [donor(3)], "models": models, "axis": 2}
    item = items(1)[0]
    first = RandLesiond("image", **given).set_random_state(0)(item)
    renamed = {"scan": item["image"]}
    second = RandLesiond(["scan", "truth"], mask_key="new", **given).set_random_state(0)(renamed)
    assert torch.equal(first["image"], second["scan"]) and torch.equal(first["lesion_mask"], second["new"])
    assert torch.equal(first["label"], second["truth"]) and list(renamed) == ["scan"]
    region = torch.zeros(1, *SHAPES[3])
    region[:, 10:40, 10:40] = 1
    placed = RandLesiond("image", region_key="brain", **given).set_random_state(0)({**item, "brain": region})
    assert placed["lesion_mask"].any() and bool(region[placed["lesion_mask"] > 0].all())
    assert RandLesiond("image", allow_missing_keys=True, **given)({"other": 1}) == {"other": 1}


def test_wrong_models_are_refused(models: HostModels, tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="'harmonization' is needed"):
        RandLesion([donor(2)], HostModels(tmp_path, "editing"))
    for given in ({"models": "my/bank"}, {"bank": "my/bank"}, {"bank": Path("my/bank")}):
        with pytest.raises(ConSinGANError, match=r'give models=HostModels\("my/bank", "harmonization"\)'):
            RandLesiond("image", [donor(2)], **given)
    with pytest.raises(ConSinGANError, match=r"bank is <.*give models=HostModels"):
        RandLesion([donor(2)], bank=models)
    for name, given, reason in (
        ("method 'poisson'", {"models": models, "method": "poisson"}, "uses no model, but models are given"),
        ("method 'consingan'", {"method": "consingan"}, "uses a model, but models is None"),
        ("fallback 'consingan'", {"models": models, "fallback": "consingan"}, "uses a model"),
    ):
        with pytest.raises(ConSinGANError, match=f"{name} {reason}"):
            RandLesion([donor(2)], **given)


class Brighter:
    """Models that know every host, and are of another kind than the package's."""

    task = "harmonization"

    def find(self, host: Any, label: Any = None) -> float:
        return 2.0

    def redraw(self, naive: Any, mask: Any, host: Any, model: float, blend: BlendSettings) -> Any:
        return np.where(mask > 0, model * naive, naive)


def test_other_models_do_as_well() -> None:
    given: dict[str, Any] = {"method": "consingan-band", "models": Brighter(), **PLAIN}
    out = RandLesion([donor(2)], **given).set_random_state(0)(brain(2))
    naive = RandPasteLesion([donor(2)], blend="hard", **PLAIN).set_random_state(0)(brain(2))
    assert same(out, (np.where(naive.mask > 0, 2 * naive.image, naive.image), naive.label, naive.mask))
    own = RandLesion([donor(2)], **given, match="none").set_random_state(0)(brain(2))
    assert (own.image[own.mask > 0] == 360).all()
