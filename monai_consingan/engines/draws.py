"""Everything random of a training, as a function of the seed and of where it is, and the slices that it draws from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable
from monai.utils.enums import CommonKeys as Keys

from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANGenerator
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


def read_slices(loader: Iterable[Any], generator: ConSinGANGenerator) -> torch.Tensor:
    """All slices of a data loader, (S, C, H, W) or (S, C, H, W, D), in the generator's precision.

    Args:
        loader: batches (N, C, H, W), or dictionaries with them as ``image``.
        generator: the generator that they are for.

    Raises:
        ConSinGANError: no slice, slices of different shapes, or of another size than the generator's.
    """
    batches = [batch[Keys.IMAGE] if isinstance(batch, dict) else batch for batch in loader]
    if not batches:
        raise ConSinGANError("train_data_loader gives no slice: give at least one.")
    shapes = sorted({tuple(batch.shape[1:]) for batch in batches})
    if len(shapes) > 1:
        found = ", ".join(str(shape) for shape in shapes)
        raise ConSinGANError(f"The slices have different shapes, {found}: resize or crop them to one.")
    slices = torch.cat([torch.as_tensor(batch) for batch in batches])
    _check_shape(slices, generator)
    return slices.as_subclass(torch.Tensor).to(generator.body[0].fixed_noise.dtype)


def _check_shape(slices: torch.Tensor, generator: ConSinGANGenerator) -> None:
    found, wanted = tuple(slices.shape[1:]), (generator.in_channels, *generator.stage_sizes[-1])
    shrink = min(max(wanted[1:]) / max(found[1:]), 1) if len(found) > 1 else 1
    sides = [abs(side * shrink - size) for side, size in zip(found[1:], wanted[1:], strict=False)]
    if len(found) != len(wanted) or found[0] != wanted[0] or max(sides) >= 1:
        raise ConSinGANError(
            f"The slices have the shape {found}, but the generator is for {wanted} (channels, then the size of its "
            "last stage): make the generator with the stage sizes of the slices."
        )


class DrawnSlices:
    """What an engine sees of its slices: one for every iteration, for ever.

    Args:
        draws: source of the numbers.
        state: state of the engine, of which seed and iteration are read.
    """

    def __init__(self, draws: TrainingDraws, state: Any) -> None:
        self.draws = draws
        self.state = state
        self.slices = torch.empty(0)
        """The slices, once they are read."""

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            index = self.draws.slice_index(self.state.seed, self.state.iteration + 1, len(self.slices))
            yield {Keys.IMAGE: self.slices[index : index + 1], "index": torch.tensor([index])}
