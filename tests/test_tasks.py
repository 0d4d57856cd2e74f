from __future__ import annotations

import pytest
import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.tasks import TASKS, get_task


@pytest.mark.parametrize(
    ("name", "border", "pyramid", "image_input", "norm", "stages", "min_size", "slope", "iterations"),
    [
        ("generation", "noise", "log", False, False, 6, 25, 0.05, 2000),
        ("animation", "noise", "log", False, False, 6, 20, 0.05, 2000),
        ("retarget", "zero", "log", False, False, 6, 25, 0.05, 2000),
        ("harmonization", "zero", "geometric", True, True, 3, 120, 0.3, 1000),
        ("editing", "zero", "log", True, True, 6, 25, 0.05, 1000),
    ],
)
def test_tasks_are_as_published(
    name: str,
    border: str,
    pyramid: str,
    image_input: bool,
    norm: bool,
    stages: int,
    min_size: int,
    slope: float,
    iterations: int,
) -> None:
    task = get_task(name)
    assert (task.name, task.border, task.pyramid) == (name, border, pyramid)
    assert (task.image_input, task.norm) == (image_input, norm)
    assert (task.num_stages, task.min_size, task.negative_slope, task.iterations) == (
        stages,
        min_size,
        slope,
        iterations,
    )


def test_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(ConSinGANError, match=r"task is 'harmonisation'.*generation.*harmonization.*editing"):
        get_task("harmonisation")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_fixed_input(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 1, 5, 4, generator=generator)
    noise = torch.randn(1, 1, 5, 4, generator=generator)
    expected = {"editing": image + 0.1 * noise, "animation": noise.expand(2, 1, 5, 4)}.get(name, image)
    assert torch.equal(get_task(name).fixed_input(image, noise), expected)
