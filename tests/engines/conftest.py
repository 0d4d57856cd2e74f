from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch

from monai_consingan.data import stage_sizes
from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings
from monai_consingan.tasks import get_task

MakeTrainer = Callable[..., ConSinGANTrainer]


@pytest.fixture
def make_trainer() -> MakeTrainer:
    return _make_trainer


@pytest.fixture
def fingerprint() -> Callable[[ConSinGANTrainer], str]:
    return _fingerprint


def _make_trainer(
    slices: torch.Tensor | int = 1,
    *,
    task: str = "harmonization",
    dims: int = 2,
    stages: int = 3,
    min_size: int = 8,
    iterations: int = 3,
    trainer: type[ConSinGANTrainer] = ConSinGANTrainer,
    **kwargs: Any,
) -> ConSinGANTrainer:
    """A trainer of tiny networks on random slices of 14 x 12 (x 11) pixels, all the same in every call."""
    if isinstance(slices, int):
        generator = torch.Generator().manual_seed(3)
        slices = torch.rand(slices, 1, *(14, 12, 11)[:dims], generator=generator) * 2 - 1
    kind = get_task(task)
    sizes = stage_sizes(slices.shape[2:], min_size=min_size, max_size=250, num_stages=stages, task=task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        shape: dict[str, Any] = {"spatial_dims": dims, "channels": 2, "num_layers": 1, "negative_slope": 0.1}
        networks = (
            ConSinGANGenerator(sizes, norm=kind.norm, border=kind.border, **shape),
            ConSinGANDiscriminator(**shape),
        )
    names = {field.name for field in fields(TrainingSettings)}
    chosen = {name: kwargs.pop(name) for name in names & kwargs.keys()}
    settings = TrainingSettings(task, stages=stages, iterations=iterations, **{"augment": False, **chosen})
    return trainer("cpu", [{"image": slices}], *networks, settings, **kwargs)


def _fingerprint(trainer: ConSinGANTrainer) -> str:
    """Hash of all that a training leaves: weights, noise, amplitudes, moments and rates."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(value.detach().contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in value:
                digest.update(str(key).encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    for name, item in trainer.checkpoint_objects().items():
        add((name, item.state_dict()))
    return digest.hexdigest()
