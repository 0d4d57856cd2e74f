"""Everything random of a training, as a function of the seed and of where the training is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from monai.transforms import Randomizable

from monai_consingan.tasks import Task


class TrainingDraws:
    """Draws what is random in a training of ConSinGAN.

    A draw depends on the seed, on its purpose and on the iteration alone, never on the draws before it. So a training
    that was killed and resumed sees the same numbers as one that was not, and the global random states of Python,
    NumPy and PyTorch are neither used nor changed.

    Args:
        task: the task that is trained.
        augmentation: random transform of the slice at the size of stage 0, (C, H, W) in [-1, 1], for tasks whose input
            is an image; its ``set_random_state`` is called before every use.
    """

    def __init__(self, task: Task, augmentation: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        self.task = task
        self.augmentation = augmentation

    def slice_index(self, seed: int, iteration: int, count: int) -> int:
        """Which of ``count`` slices an iteration trains on."""
        return 0 if count == 1 else int(_random(seed, 0, iteration, 0).integers(count))

    def fixed_noise(self, seed: int, stage: int, like: torch.Tensor) -> torch.Tensor:
        """The noise of a stage that the reconstruction uses for ever, shaped like ``like``."""
        return _normal(like, seed, 1, stage, 0)

    def stage_input(self, seed: int, iteration: int, image: torch.Tensor) -> torch.Tensor:
        """Input of stage 0 for an iteration.

        Args:
            seed: the seed of the training.
            iteration: the iteration, from 1.
            image: the slice at the size of stage 0, (1, C, H, W) in [-1, 1].
        """
        if not self.task.image_input:
            return _normal(image, seed, 2, iteration, 0)
        if self.augmentation is not None:
            if isinstance(self.augmentation, Randomizable):
                self.augmentation.set_random_state(seed=int(_random(seed, 3, iteration, 0).integers(2**32)))
            image = torch.as_tensor(self.augmentation(image[0])).to(image)[None]
        if self.task.input_noise:
            image = image + self.task.input_noise * _normal(image, seed, 2, iteration, 0)
        return image

    def noise(self, seed: int, iteration: int, stage: int, like: torch.Tensor) -> torch.Tensor:
        """Input noise of a stage above the first, shaped like ``like``."""
        return _normal(like, seed, 4, iteration, stage)

    def alpha(self, seed: int, iteration: int, step: int, like: torch.Tensor) -> torch.Tensor:
        """Uniform interpolation weight of the gradient penalty in one step of the discriminator."""
        return like.new_tensor(_random(seed, 5, iteration, step).random())


def _random(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _normal(like: torch.Tensor, *key: int) -> torch.Tensor:
    generator = torch.Generator(like.device).manual_seed(int(_random(*key).integers(2**63)))
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
