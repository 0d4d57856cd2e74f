"""The five tasks of ConSinGAN: what tells one from another, in one place, and how large their stages are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monai_consingan.errors import ConSinGANError, check_choice

if TYPE_CHECKING:
    import torch

__all__ = ["PRECISIONS", "TASKS", "Task", "get_task", "stage_sizes"]


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


def stage_sizes(
    image_size: Sequence[int], *, min_size: int, max_size: int, num_stages: int, task: str
) -> list[tuple[int, ...]]:
    r"""Size of the image at every stage, coarsest first.

    The image is first scaled down, never up, so that its larger side is at most ``max_size``. With
    :math:`N` = ``num_stages`` - 1 and :math:`r` = (``min_size`` / smaller side) :sup:`1/N`, stage :math:`N` is that
    image, and stage :math:`i < N` is scaled by :math:`r^{e(i)}`, where :math:`e(i) = N - i` for harmonization
    (geometric rule) and :math:`e(i) = (N - 1) / \ln N \cdot \ln(N - i) + 1` for all other tasks (log rule of
    Hinz et al., WACV 2021, section 3; for two stages its limit, 1). Every size is rounded up.

    Args:
        image_size: size of the image in pixels (2 or 3 dimensions).
        min_size: smaller side of the coarsest stage, in pixels.
        max_size: the largest side allowed, in pixels.
        num_stages: number of stages, 2 or more.
        task: one of the tasks of :py:data:`monai_consingan.tasks.TASKS`.

    Returns:
        A tuple of ints for each stage.

    Raises:
        ConSinGANError: a setting is out of range.

    Example::

        >>> stage_sizes((250, 250), min_size=120, max_size=250, num_stages=3, task="harmonization")
        [(120, 120), (174, 174), (250, 250)]
    """
    rule = get_task(task).pyramid
    if num_stages < 2:
        raise ConSinGANError(f"stages is {num_stages}, but a pyramid needs at least 2 stages: raise stages.")
    if min_size < 1 or max_size < 1 or min(image_size) < 1:
        raise ConSinGANError(
            f"min size {min_size}, max size {max_size} and image size {tuple(image_size)} must all be 1 pixel or more."
        )
    shrink = min(max_size / max(image_size), 1)
    full = [math.ceil(side * shrink) for side in image_size]
    if min_size > min(full):
        raise ConSinGANError(
            f"min size is {min_size} pixels, but the smaller side of the image at its full size {tuple(full)} is "
            f"{min(full)}: choose a min size of at most {min(full)}."
        )
    last = num_stages - 1
    ratio = math.pow(min_size / min(full), 1 / last)

    def exponent(stage: int) -> float:
        """The power of the ratio by which a stage is scaled."""
        if rule == "geometric":
            return last - stage
        if last == 1:
            return 1
        return (last - 1) / math.log(last) * math.log(last - stage) + 1

    scales = [math.pow(ratio, exponent(stage)) for stage in range(last)]
    return [tuple(math.ceil(side * scale) for side in full) for scale in scales] + [tuple(full)]
