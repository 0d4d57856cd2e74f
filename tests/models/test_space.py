"""Models of volumes and of several sequences, through the doors that all users come in by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from monai_consingan.errors import ConSinGANError
from monai_consingan.inferers import ConSinGANRegionInferer
from monai_consingan.methods import REMOVAL_BLEND, BlendSettings
from monai_consingan.models import HostModels, TrainedModel, train_model
from monai_consingan.models.host_crops import host_crops
from monai_consingan.models.redraw import Redrawing
from monai_consingan.networks import ConSinGANGenerator
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import RandLesion, RandLesionRemoval

from .test_training import Stop, content

SHAPE = (20, 18, 16)
NAMES = ["t1", "t1ce"]


def settings(task: str = "harmonization", **other: Any) -> TrainingSettings:
    small = {"stages": 2, "iterations": 2, "channels": 2, "num_layers": 1, "min_size": 8, "spatial_dims": 3}
    return TrainingSettings(task, **{**small, **other})


def boxes(channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(2, channels, 12, 11, 10, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scan(channels: int = 1, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> MetaTensor:
    """A head of noise in a border of zeros."""
    values = np.random.default_rng(seed).normal(100, 4, (channels, *shape)).astype(np.float32)
    inner = np.zeros(shape, bool)
    inner[(slice(2, -2),) * len(shape)] = True
    image = MetaTensor(torch.from_numpy(np.where(inner, values * np.arange(1, channels + 1)[:, None, None, None], 0)))
    if channels == 2:
        image.meta["sequences"] = NAMES
    return image


def lesion(place: tuple[int, int, int] = (8, 7, 6)) -> MetaTensor:
    mask = MetaTensor(torch.zeros(1, *SHAPE, dtype=torch.uint8))
    mask[(0, *(slice(low, low + 4) for low in place))] = 1
    return mask


@pytest.mark.parametrize("task", ["harmonization", "editing", "generation", "retarget"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_task_is_trained_saved_and_scripted(task: str, channels: int, tmp_path: Path) -> None:
    names = NAMES if channels == 2 else []
    model = train_model(boxes(channels), settings(task), seed=1, sequences=names)
    model.save(tmp_path / "model.pt")
    loaded = TrainedModel.load(tmp_path, task=task)
    assert content(loaded) == content(model)
    assert (loaded.image_size, loaded.in_channels, loaded.sequences) == ((12, 11, 10), channels, tuple(names))
    x = torch.randn(1, channels, *model.generator.stage_sizes[0])
    with torch.no_grad():
        assert torch.equal(torch.jit.script(loaded.generator)(x), model.generator(x))


def test_killed_and_resumed_is_the_same_to_the_byte(tmp_path: Path) -> None:
    chosen, path = settings(iterations=26), tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_model(boxes(2), chosen, checkpoint=path, handlers=[Stop(27)])
    assert path.exists()
    resumed = train_model(boxes(2), chosen, checkpoint=path)
    assert content(resumed) == content(train_model(boxes(2), chosen))


def test_a_training_starts_from_a_model_of_the_same_sequences_only() -> None:
    start = train_model(boxes(2), settings(), sequences=NAMES)
    for names in (NAMES, ()):
        assert train_model(boxes(2), settings(), start=start, sequences=names).sequences == tuple(names)
    for channels, names, found in ((2, NAMES[::-1], "t1ce, t1"), (1, (), "1 of unknown names")):
        with pytest.raises(ConSinGANError, match=f"trained on the sequences t1, t1ce, but the image has {found}: give"):
            train_model(boxes(channels), settings(), start=start, sequences=names)


def test_a_model_refuses_other_sequences() -> None:
    model = train_model(boxes(2), settings(), sequences=NAMES)
    model.check_sequences(scan(2))
    unnamed = scan(2)
    del unnamed.meta["sequences"]
    model.check_sequences(unnamed)
    train_model(boxes(2), settings()).check_sequences(scan(2))
    turned = scan(2)
    turned.meta["sequences"] = NAMES[::-1]
    for image, found in ((turned, "t1ce, t1"), (scan(1), "1 of unknown names"), (scan(3), "3 of unknown names")):
        with pytest.raises(ConSinGANError, match=f"trained on the sequences t1, t1ce, but the image has {found}: give"):
            model.check_sequences(image)
    with pytest.raises(ConSinGANError, match="trained on the sequences 1 of unknown names, but the image has t1, t1ce"):
        train_model(boxes(1), settings()).check_sequences(scan(2))


def test_models_of_before_know_neither_dims_nor_sequences(tmp_path: Path) -> None:
    model = train_model(boxes()[..., 0], settings(spatial_dims=2))
    model.save(tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert "sequences" not in state
    del state["settings"]["spatial_dims"], state["sha256"]
    torch.save(state, tmp_path / "model.pt")
    loaded = TrainedModel.load(tmp_path)
    assert content(loaded) == content(model) and loaded.settings == model.settings


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("region", ["roi", "slice"])
def test_redraws_in_space_what_it_marks_and_no_more(channels: int, region: str) -> None:
    host, mask = scan(channels), lesion()
    naive = host + 50 * mask
    blend = BlendSettings("band", dilation_mm=1.0, softness_mm=2.0)
    how = Redrawing(settings(region=region, max_size=14), blend)
    made = how(naive, mask, host, axis=2)
    assert made.region.axis is None and max(made.region.size) == 14
    assert (made.region.size == (14,) * 3) is (region == "slice")
    altered = (made.alteration > 0).expand(naive.shape)
    assert torch.equal(made.image[~altered], naive[~altered])
    assert bool((made.image != naive).any(0).any(0).any(0)[5]) and bool((made.image != naive)[..., 9].any())
    assert made.model.sequences == (tuple(NAMES) if channels == 2 else ())
    how = replace(how, model=made.model)
    again = how(naive, mask, host, axis=2)
    assert torch.equal(again.image, made.image)
    if channels == 2:
        first, second = made.scale.upper  # type: ignore[misc]
        assert first < 170 < second < 270
        with pytest.raises(ConSinGANError, match="trained on the sequences t1, t1ce"):
            how(naive[:1], mask, host[:1], axis=2)


def test_each_sequence_has_its_own_intensities() -> None:
    host, mask = scan(2), lesion()
    how = Redrawing(settings(spatial_dims=2), BlendSettings("whole"))
    first = how(host + 50 * mask, mask, host, axis=2)
    factor = torch.tensor([1.0, 1000.0])[:, None, None, None]
    scaled = MetaTensor((host * factor).as_tensor(), affine=host.affine)
    second = how(scaled + 50 * factor * mask, mask, scaled, axis=2)
    torch.testing.assert_close(second.image.as_tensor(), (first.image * factor).as_tensor(), rtol=1e-4, atol=0.5)


def _planar(plane: ConSinGANGenerator, depths: list[int]) -> ConSinGANGenerator:
    """The generator in 3D that does the same with every plane."""
    sizes = [(*size, depth) for size, depth in zip(plane.stage_sizes, depths, strict=True)]
    volume = ConSinGANGenerator(sizes, 3, 1, plane.channels, plane.num_layers, plane.negative_slope, norm=False)
    flat = plane.state_dict()
    with torch.no_grad():
        for name, weight in volume.named_parameters():
            if weight.dim() == 5:
                nn.init.zeros_(weight)[..., 1] = flat[name]
            else:
                weight.copy_(flat[name])
    for one, other in zip(plane.body, volume.body, strict=True):
        other.fixed_noise.copy_(one.fixed_noise.unsqueeze(-1).expand(other.fixed_noise.shape))
        other.noise_amplitude.copy_(one.noise_amplitude)
    return volume


@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_planes_are_redrawn_in_space_as_in_2d(task: str) -> None:
    """Of a volume that is the same in every plane, by kernels that are zero outside their middle plane."""
    torch.manual_seed(0)
    plane = ConSinGANGenerator([(10, 9), (20, 18)], channels=3, num_layers=1, norm=False)
    for parameter in plane.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    for body in plane.body:
        body.fixed_noise.normal_()
        body.noise_amplitude.fill_(0.3)
    one, mark = scan(1)[..., 8:9], lesion()[..., 8:9]
    host, mask = (MetaTensor(x.expand(1, *SHAPE).clone()) for x in (one, mark))
    naive = host + 50 * mask
    how: dict[str, Any] = {"level_mm": 3.0, "detail_mm": 1.0}
    batch = (naive[None], mask[None], mask[None], host[None])
    flat = ConSinGANRegionInferer(task, axis=2, **how)(batch[0], plane, *batch[1:])
    deep = ConSinGANRegionInferer(task, dims=3, **how)(batch[0], _planar(plane, [8, 16]), *batch[1:])
    assert not torch.equal(flat, batch[0])
    torch.testing.assert_close(deep, flat, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("channels", [1, 2])
def test_crops_are_boxes_within_the_head(channels: int) -> None:
    crops = host_crops(scan(channels), settings(), crops=3, side=9, seed=2)
    assert crops.shape == (3, channels, 9, 9, 9) and -1 <= float(crops.min()) < float(crops.max()) <= 1
    assert torch.equal(crops, host_crops(scan(channels), settings(), crops=3, side=9, seed=2))
    label = torch.zeros(1, *SHAPE)
    label[:, 12:] = 1
    marked = scan()
    marked[label > 0] = 100.0
    clear = host_crops(marked, settings(), label=label, crops=1, side=9)
    assert len(clear.unique()) > 600 > len(host_crops(marked, settings(), crops=1, side=9).unique())
    whole = host_crops(scan(channels), settings(region="slice", max_size=12))
    assert whole.shape == (1, channels, 12, 12, 12)


@pytest.mark.parametrize("channels", [1, 2])
def test_models_of_hosts_redraw_in_space(channels: int, tmp_path: Path) -> None:
    host, mask = scan(channels), lesion()
    models = HostModels(tmp_path, "harmonization", settings(), crops=2, side=14)
    model = models.prepare(host)
    assert model.image_size == (14, 14, 14) and models.find(host) is not None
    assert model.sequences == (tuple(NAMES) if channels == 2 else ())
    naive = host + 50 * mask
    redrawn = models.redraw(naive, mask, host, model, BlendSettings())
    changed = (redrawn != naive).any(0)
    assert bool(changed[..., 5].any()) and not bool(changed[..., :2].any()) and not bool(changed[..., 14:].any())
    assert torch.equal(redrawn.affine, host.affine) and redrawn.dtype == host.dtype


def test_random_lesions_are_redrawn_in_space(tmp_path: Path) -> None:
    host, label = scan(shape=(30, 30, 30)), torch.zeros(1, 30, 30, 30)
    label[0, 12:16, 12:16, 12:16] = 1
    donor = host + 60 * label
    models = HostModels(tmp_path, "harmonization", settings(), crops=1, side=28)
    models.prepare(host)
    put = RandLesion([(donor, label)], models=models, method="consingan-band", fallback=None, match="none")
    made = put.set_random_state(0)(host)
    assert [told.get("how") for told in put.log] == ["consingan-band"], put.log
    assert made.mask.any() and not torch.equal(made.image, host)
    editing = HostModels(tmp_path, "editing", settings("editing"), crops=1, side=28)
    editing.prepare(donor, label)
    out = RandLesionRemoval(editing, methods="biharmonic", redrawn=REMOVAL_BLEND).set_random_state(0)
    removed = out(donor, label)
    assert (out.log["redrawn"], out.log["filled"]) == (1, 0)
    assert float(removed.image[label > 0].mean()) < float(donor[label > 0].mean()) - 40
