"""The five tasks of ConSinGAN: what tells one from another, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monai_consingan.errors import check_choice

if TYPE_CHECKING:
    import torch

__all__ = ["PRECISIONS", "TASKS", "Task", "get_task"]


@dataclass(frozen=True)
class Task:
    """What a task of ConSinGAN fixes (Hinz et al., WACV 2021, https://arxiv.org/abs/2003.11512).

    Args:
        name: the task's name.
        border: ``"zero"``: features are zero-padded; ``"noise"``: features are enlarged and the noise reaches into the
            border, which varies what is generated at the edges of an image.
        pyramid: rule for the sizes of the stages, ``"geometric"`` or ``"log"``.
        norm: whether the generator normalizes its features.
        image_input: whether the input of stage 0 is made of the training image (otherwise it is gaussian noise).
        input_noise: standard deviation of the gaussian noise on that image.
        fixed_input_is_noise: whether the reconstruction starts from noise (otherwise from the image).
        negative_slope: slope of the LeakyReLUs below zero.
        num_stages: usual number of stages.
        min_size: usual smaller side of the coarsest stage, in pixels.
        iterations: usual iterations a stage.
    """

    name: str
    border: str
    pyramid: str
    norm: bool
    image_input: bool
    input_noise: float
    fixed_input_is_noise: bool
    negative_slope: float
    num_stages: int
    min_size: int
    iterations: int

    def fixed_input(self, image: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Input of stage 0 that makes a result a function of an image alone.

        Args:
            image: (N, C, H, W) or (N, C, H, W, D) in [-1, 1], at the size of stage 0.
            noise: fixed standard normal noise, (1, C, ...) of that size.

        Returns:
            The image; for editing with a little of the noise on it; for animation the noise alone.
        """
        if self.fixed_input_is_noise:
            return noise.expand_as(image)
        return image + self.input_noise * noise if self.input_noise else image


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("generation", "noise", "log", False, False, 0.0, False, 0.05, 6, 25, 2000),
        Task("animation", "noise", "log", False, False, 0.0, True, 0.05, 6, 20, 2000),
        Task("retarget", "zero", "log", False, False, 0.0, False, 0.05, 6, 25, 2000),
        Task("harmonization", "zero", "geometric", True, True, 0.0, False, 0.3, 3, 120, 1000),
        Task("editing", "zero", "log", True, True, 0.1, False, 0.05, 6, 25, 1000),
    )
}
"""The tasks by name."""


def get_task(name: str) -> Task:
    """Look a task up by its name.

    Raises:
        ConSinGANError: there is no such task.
    """
    check_choice(TASKS, task=name)
    return TASKS[name]


PRECISIONS = ("float32", "tf32", "bf16")
"""Precisions of the arithmetic; the weights are always single."""
