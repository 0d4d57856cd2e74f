"""Passing naive images through a trained generator."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer

from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError
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
        noise = network.body[0].fixed_noise
        coarse = resize(images, network.stage_sizes[0]).clamp(-1, 1).to(noise.device)
        redrawn = torch.cat([network(self.task.fixed_input(part, noise)) for part in coarse.split(self.batch_size)])
        return resize(redrawn, images.shape[2:]).to(images.device)
