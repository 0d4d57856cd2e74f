"""Passing naive or painted images through a trained generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer

from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANGenerator
from monai_consingan.tasks import get_task


class ConSinGANInferer(Inferer):
    """Harmonize or edit: a naive image goes in at the size of stage 0, and the generator redraws it.

    The noise of all stages is the fixed one of the reconstruction, so the result is a function of the image.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        batch_size: images that go through the network together.

    Raises:
        ConSinGANError: a task whose input is noise.

    Example::

        redrawn = ConSinGANInferer("harmonization")(naive, generator)  # both (N, 1, H, W) in [-1, 1]
    """

    def __init__(self, task: str, batch_size: int = 1) -> None:
        self.task = get_task(task)
        if not self.task.image_input:
            raise ConSinGANError(f"task {task!r} makes images of noise: only harmonization and editing take an image.")
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Redraw images.

        Args:
            inputs: (N, C, H, W) or (N, C, H, W, D) in [-1, 1], of the size that the generator was trained on.
            network: the trained :py:class:`~monai_consingan.networks.ConSinGANGenerator`.
            args: not used.
            kwargs: not used.

        Returns:
            A tensor of the shape of ``inputs``, in [-1, 1] (enlarged, if the last stages are not trained yet).

        Raises:
            ConSinGANError: images of another size.
        """
        images = torch.as_tensor(inputs).as_subclass(torch.Tensor)
        if list(images.shape[2:]) != network.stage_sizes[-1]:
            raise ConSinGANError(
                f"The images have the size {tuple(images.shape[2:])}, but the generator was trained on "
                f"{tuple(network.stage_sizes[-1])}: resize or crop them to it."
            )
        parts = coarse_input(network, images, self.task.name).split(self.batch_size)
        redrawn = torch.cat([network(part) for part in parts])
        return resize(redrawn, images.shape[2:]).to(images.device)


def coarse_input(generator: Any, images: torch.Tensor, task: str) -> torch.Tensor:
    """The input of stage 0 by which what a generator makes is a function of the images alone.

    Args:
        generator: the trained generator.
        images: (N, C, \\*spatial) in [-1, 1].
        task: the generator's task.
    """
    noise = generator.body[0].fixed_noise
    coarse = resize(images, generator.stage_sizes[0]).clamp(-1, 1).to(noise.device)
    return get_task(task).fixed_input(coarse, noise)


@torch.no_grad()
def painted(
    generator: ConSinGANGenerator,
    picture: torch.Tensor,
    task: str,
    seed: int = 0,
    number: int = 0,
    stage: int = 0,
) -> torch.Tensor:
    """What a generator makes of a painted picture (Shaham et al., ICCV 2019; Hinz et al., WACV 2021).

    The picture, made as small as a stage, takes the place of the image that the reconstruction starts from. Stages
    below work at the size of that stage, so that what is finer than they are is kept, too.

    Args:
        generator: the trained generator.
        picture: (1, C, \\*spatial) in [-1, 1]; of another size than the trained one all stages are as much larger or
            smaller.
        task: the generator's task.
        seed: seed of new noise.
        number: number of the image; 0 takes the noise of the reconstruction where stages have their trained size.
        stage: the stage whose size the picture gets, from 0, the coarsest.

    Returns:
        (C, \\*spatial) in [-1, 1].

    Raises:
        ConSinGANError: there is no such stage, or the picture is too small.
    """
    trained = generator.stage_sizes
    if not 0 <= stage < generator.num_stages:
        raise ConSinGANError(f"stage is {stage}, but the model has the stages 0 to {generator.num_stages - 1}.")
    factors = [new / old for new, old in zip(picture.shape[2:], trained[-1], strict=True)]
    sizes = [[round(side * factor) for side, factor in zip(size, factors, strict=True)] for size in trained]
    if min(sizes[0]) < 3:
        raise ConSinGANError(
            f"The picture has the size {tuple(picture.shape[2:])}, which is {tuple(sizes[0])} at the coarsest stage of "
            "the model, too small: give a larger one."
        )
    sizes[: stage + 1] = [sizes[stage]] * (stage + 1)
    noise = [
        body.fixed_noise if number == 0 and size == old else noise_of(generator, index, size, seed, number, 0)
        for index, (body, size, old) in enumerate(zip(generator.body, sizes, trained, strict=True))
    ]
    coarse = get_task(task).fixed_input(resize(picture, sizes[0]).clamp(-1, 1), noise[0])
    return resize(generator(coarse, noise[1:], sizes), picture.shape[2:])[0].clamp(-1, 1)


def noise_of(
    generator: ConSinGANGenerator, stage: int, size: Sequence[int], seed: int, number: int, frame: int
) -> torch.Tensor:
    """Standard normal noise for a stage, a function of seed, number, stage and frame."""
    widen = 2 * generator.num_layers if generator.noise_border and stage > 0 else 0
    channels = torch.as_tensor(generator.body[stage].fixed_noise).shape[1]
    shape = (1, channels, *[side + widen for side in size])
    state = int(np.random.SeedSequence((seed, number, stage, frame)).generate_state(1, np.uint64)[0]) >> 1
    return torch.randn(shape, generator=torch.Generator().manual_seed(state))
