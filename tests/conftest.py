"""Settings and fixtures of the whole suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import settings
from monai.data import MetaTensor

from monai_consingan.settings import TrainingSettings

# The same examples in every run, and no limit on the time of one: the first call of a library may compile or load.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of pytorch-fid's Inception network, in a folder as PyTorch keeps its downloads (TORCH_HOME)."""
    from pytorch_fid import inception

    path = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints" / Path(inception.FID_WEIGHTS_URL).name
    path.parent.mkdir(parents=True)
    return save_random_inception(path)


def save_random_inception(path: Path) -> Path:
    """Write random weights of pytorch-fid's Inception network, always the same; gives their file."""
    from pytorch_fid import inception

    torch.manual_seed(0)
    with (
        mock.patch.object(inception, "load_state_dict_from_url", return_value={}),
        mock.patch.object(torch.nn.Module, "load_state_dict"),  # which would miss the weights
    ):
        network = inception.fid_inception_v3()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):  # keep signals from fading from layer to layer
            torch.nn.init.kaiming_normal_(layer.weight)
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def tiny() -> Callable[..., TrainingSettings]:
    """Settings of a training of seconds."""

    def of_task(task: str, **other: Any) -> TrainingSettings:
        return TrainingSettings(task, **{"stages": 2, "iterations": 2, "channels": 4, **other})

    return of_task


@pytest.fixture(scope="session")
def head_scan() -> Callable[..., dict[str, MetaTensor]]:
    """A head with a lesion beside its middle: image, label and mask of the brain, anew with every call."""

    def scan(affine: torch.Tensor | None = None) -> dict[str, MetaTensor]:
        grid = np.ogrid[:48, :52, :6]
        head = ((grid[0] - 24) / 22) ** 2 + ((grid[1] - 26) / 24) ** 2 < 1
        image = np.where(head, np.random.RandomState(0).normal(100, 4, (48, 52, 6)), 0)[None].astype(np.float32)
        label = np.zeros(image.shape, np.int16)
        label[0, 14:17, 24:27, 2:4] = 1
        image[label > 0] = 180
        values = {"image": image, "label": label, "brain": (image > 0).astype(np.uint8)}
        return {key: MetaTensor(torch.from_numpy(part), affine=affine) for key, part in values.items()}

    return scan


@pytest.fixture
def tiny_painter(monkeypatch: pytest.MonkeyPatch, tiny: Callable[..., TrainingSettings]) -> None:
    """Painters of lesions that are trained in a second."""
    from monai_consingan.models import lesion_painter

    monkeypatch.setattr(lesion_painter, "preset_settings", lambda preset, task, **how: tiny(task, **how))
    monkeypatch.setattr(lesion_painter, "_SIDE", 24)
    monkeypatch.setattr(lesion_painter, "_PAIRS", 3)
