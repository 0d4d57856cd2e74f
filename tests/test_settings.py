from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.settings import (
    PRESETS,
    TrainingByScan,
    TrainingSettings,
    preset_settings,
    training_from_dict,
    training_preset,
)
from monai_consingan.tasks import TASKS, get_task


@pytest.mark.parametrize("task", ["harmonization", "editing"])
@pytest.mark.parametrize(("number", "stages", "fine"), [(1, 6, False), (2, 3, False), (3, 6, True), (4, 3, True)])
def test_the_eight_published_settings(task: str, number: int, stages: int, fine: bool) -> None:
    settings = preset_settings(f"{task}-{number}", task)
    coarse = {"harmonization": 120, "editing": 25}[task]
    assert (settings.stages, settings.min_size) == (stages, 240 if fine else coarse)
    assert (settings.iterations, settings.channels, settings.num_layers) == (1000, 64, 3)
    assert (settings.region, settings.max_size, settings.concurrent_stages) == ("slice", 250, 3)
    assert (settings.learning_rate, settings.lr_scale) == (5e-4, 0.1)
    assert settings.slope == {"harmonization": 0.3, "editing": 0.05}[task]
    sizes = settings.sizes((250, 250))
    assert len(sizes) == stages and sizes[-1] == (250, 250) and min(sizes[0]) in (settings.min_size, 241)


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("name", ["quick", "standard"])
def test_presets_for_every_task(name: str, task: str) -> None:
    settings = preset_settings(name, task)
    kind = get_task(task)
    assert settings.task == task
    assert settings.region == ("roi" if kind.image_input else "slice")
    if name == "quick":
        assert settings.iterations <= 300 and settings.channels <= 32
    else:
        assert (settings.iterations, settings.stages, settings.channels) == (kind.iterations, kind.num_stages, 64)
    if not kind.image_input:
        assert settings.min_size == kind.min_size


def test_presets_are_listed() -> None:
    eight = [f"{task}-{number}" for task in ("harmonization", "editing") for number in range(1, 5)]
    assert sorted(PRESETS) == sorted(["quick", "standard", "quick-3d", "standard-3d", *eight])


def test_overrides() -> None:
    settings = preset_settings("harmonization-2", "harmonization", iterations=7, channels=None, lr_scale=0.5)
    assert (settings.iterations, settings.channels, settings.lr_scale) == (7, 64, 0.5)
    assert settings.stages == 3


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("fast", "editing", "preset is 'fast', but must be one of quick, standard"),
        ("editing-1", "harmonization", "preset 'editing-1' is for task 'editing', but the task is 'harmonization'"),
        ("quick", "painting", "task is 'painting'"),
        ("quick-3d", "animation", "'animation' makes moving slices"),
    ],
)
def test_wrong_presets(name: str, task: str, message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        preset_settings(name, task)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "painting"}, "task is 'painting'"),
        ({"region": "head"}, "region is 'head', but must be one of roi, slice"),
        ({"spatial_dims": 4}, "spatial dims is 4, but must be 2 "),
        ({"stages": 1}, "stages is 1, but must be 2 or more"),
        ({"max_size": 0}, "max size is 0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"discriminator_steps": 0}, "discriminator steps is 0"),
        ({"settle": 1.5}, "settle is 1.5, but must be above 0 and below 1"),
        ({"precision": "fp8"}, "precision is 'fp8', but must be one of float32, tf32, bf16"),
        ({"channels": 0}, "channels is 0"),
        ({"num_layers": 0}, "num layers is 0"),
        ({"concurrent_stages": 0}, "concurrent stages is 0"),
        ({"min_size": 0}, "min size is 0"),
        ({"learning_rate": 0.0}, "learning rate is 0.0"),
        ({"learning_rate": math.nan}, "learning rate is nan"),
        ({"lr_scale": -0.1}, "scaling -0.1"),
        ({"lr_scale": 1.5}, "scaling 1.5"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        TrainingSettings(**{"task": "editing", **changes})
    with pytest.raises(ConSinGANError, match=message):
        TrainingSettings.from_dict({"task": "editing", **changes})


@pytest.mark.parametrize("task", ["harmonization", "editing", "generation", "retarget"])
@pytest.mark.parametrize("name", ["quick", "standard"])
def test_presets_for_volumes(name: str, task: str) -> None:
    settings = preset_settings(f"{name}-3d", task, iterations=7)
    assert (settings.spatial_dims, settings.task, settings.iterations) == (3, task, 7)
    assert preset_settings(name, task, iterations=7, spatial_dims=3) == settings
    assert settings.max_size >= 48 and settings.sizes((48, 48, 48))[0] in ((24,) * 3, (25,) * 3)
    with pytest.raises(ConSinGANError, match=r"size \(48, 48\), but the settings are for 3 spatial dims"):
        settings.sizes((48, 48))
    for preset, dims in ((f"{name}-3d", 2), (f"{task}-1", 3)):
        if preset in PRESETS:
            with pytest.raises(ConSinGANError, match=f"is for {5 - dims} spatial dims, not {dims}: choose"):
                preset_settings(preset, task, spatial_dims=dims)


def test_dims_are_those_of_the_model() -> None:
    for dims, does in ((2, "slices"), (3, "in space")):
        settings = TrainingSettings("editing", spatial_dims=dims)
        assert settings.for_dims(None) is settings.for_dims(dims) is settings
        with pytest.raises(ConSinGANError, match=f"dims is {5 - dims}, but the model redraws {does}"):
            settings.for_dims(5 - dims)


@pytest.mark.parametrize("task", ["harmonization", "editing"])
@pytest.mark.parametrize("name", ["quick", "standard"])
def test_the_scan_decides_where_nothing_else_does(name: str, task: str) -> None:
    either = training_preset(name, task, iterations=7, channels=None)
    slices, space = (preset_settings(f"{name}{end}", task, iterations=7) for end in ("", "-3d"))
    assert (either.spatial_dims, either.task) == (None, task)
    assert (either.for_dims(2), either.for_dims(3), either.for_dims(None)) == (slices, space, slices)
    assert training_from_dict(json.loads(json.dumps(either.as_dict()))) == either
    assert training_from_dict(slices.as_dict()) == slices
    for dims, settings in ((2, slices), (3, space)):
        assert training_preset(name, task, iterations=7, spatial_dims=dims) == settings
    assert training_preset(f"{name}-3d", task, iterations=7) == space
    assert training_preset(name, task, iterations=7, region="slice") == replace(slices, region="slice")
    assert training_preset(f"{task}-1", task) == preset_settings(f"{task}-1", task)
    assert training_preset(name, "generation") == preset_settings(name, "generation")
    for wrong in ((space, slices), (slices, preset_settings("quick-3d", "retarget"))):
        with pytest.raises(ConSinGANError, match="give those of one task for 2 and 3"):
            TrainingByScan(*wrong)


def test_slope() -> None:
    assert TrainingSettings("harmonization").slope == 0.3
    assert TrainingSettings("harmonization", negative_slope=0.0).slope == 0.0


@given(
    layers=st.integers(1, 4),
    stages=st.integers(2, 7),
    image=st.tuples(st.integers(13, 300), st.integers(13, 300)),
    max_size=st.integers(60, 250),
    task=st.sampled_from(["harmonization", "editing"]),
)
def test_default_min_size_always_fits(
    layers: int, stages: int, image: tuple[int, int], max_size: int, task: str
) -> None:
    settings = TrainingSettings(task, stages=stages, num_layers=layers, max_size=max_size)
    smaller = math.ceil(min(image) * min(max_size / max(image), 1))
    if smaller < settings.field_of_view:
        with pytest.raises(ConSinGANError, match=f"the image at its full size .* is {smaller}"):
            settings.sizes(image)
        return
    sizes = settings.sizes(image)
    assert min(sizes[-1]) == smaller
    assert settings.field_of_view <= min(sizes[0])
    assert (smaller + 1) // 2 <= min(sizes[0]) <= max(settings.field_of_view, (smaller + 1) // 2) + 1


def test_field_of_view() -> None:
    assert TrainingSettings("editing").field_of_view == 11
    with pytest.raises(
        ConSinGANError, match=r"min size is 10 pixels.*\(10, 10\).*patches of 11 pixels: raise min size"
    ):
        TrainingSettings("editing", min_size=10).sizes((40, 40))
    assert TrainingSettings("editing", min_size=11).sizes((40, 40))[0] == (11, 11)


def test_min_size_above_the_image() -> None:
    with pytest.raises(ConSinGANError, match=r"min size is 41 pixels.*at most 40"):
        TrainingSettings("editing", min_size=41).sizes((40, 60))


def test_dictionary_round_trip() -> None:
    settings = preset_settings("editing-3", "editing", negative_slope=0.2, augment=False)
    assert TrainingSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    with pytest.raises(ConSinGANError, match="unknown ones: depth"):
        TrainingSettings.from_dict({**settings.as_dict(), "depth": 3})
    with pytest.raises(ConSinGANError, match="lack a task"):
        TrainingSettings.from_dict({"stages": 3})
