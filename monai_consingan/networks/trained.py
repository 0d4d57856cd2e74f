"""Initial weights of a training, and generators from the weights that a training left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_consingan.errors import ConSinGANError, is_out_of_memory
from monai_consingan.networks.blocks import init_weights
from monai_consingan.networks.discriminator import ConSinGANDiscriminator
from monai_consingan.networks.generator import ConSinGANGenerator
from monai_consingan.state_file import read_weights
from monai_consingan.tasks import get_task


def draw_weights(
    generator: ConSinGANGenerator, discriminator: ConSinGANDiscriminator, seed: int
) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    """Draw the initial weights of both networks anew, as a function of the seed alone.

    Convolutions are N(0, 0.02), norm weights N(1, 0.02), norm biases 0 as published, biases of convolutions PyTorch's
    own. The global random state is neither used nor changed.

    Args:
        generator: changed in place.
        discriminator: changed in place.
        seed: the seed.

    Returns:
        The two networks.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for network in (generator, discriminator):
            for module in network.modules():
                if isinstance(module, (nn.Conv2d, nn.Conv3d)):
                    module.reset_parameters()
            init_weights(network)
    return generator, discriminator


def load_generator(path: str | Path, *, task: str) -> ConSinGANGenerator:
    """Make a generator of the weights in a file; its sizes, filters and layers are read off them.

    Args:
        path: the generator's state dict, as a bundle's training leaves it, or the ``model.pt`` of
            :py:class:`monai_consingan.models.TrainedModel`, as the command line leaves it.
        task: the task it was trained for.

    Returns:
        The generator, on the CPU.

    Raises:
        ConSinGANError: no file, one that is truncated or holds other things, or weights of another task.
    """
    kind = get_task(task)
    state, slope = _read(Path(path))
    try:
        head, stages = state["head.conv.weight"], state["sizes"].tolist()
        layers = {int(found[1]) for key in state if (found := re.match(r"body\.0\.layers\.(\d+)\.conv\.weight", key))}
        norm = "head.adn.N.weight" in state
        if norm != kind.norm:
            raise ConSinGANError(f"model {path} was trained for another task than {task!r}: give another model.")
        with torch.random.fork_rng(devices=[]):
            generator = ConSinGANGenerator(
                stages,
                spatial_dims=head.ndim - 2,
                in_channels=head.shape[1],
                channels=head.shape[0],
                num_layers=len(layers),
                negative_slope=kind.negative_slope if slope is None else slope,
                norm=norm,
                border=kind.border,
            )
        generator.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        if isinstance(error, ConSinGANError) or is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0]
        raise ConSinGANError(f"model {path} holds no generator of ConSinGAN ({first}): give another file.") from error
    return generator.eval()


def _read(path: Path) -> tuple[dict[str, Any], float | None]:
    """The generator's state dict in a file, and the slope of its LeakyReLUs if that is noted."""
    state = read_weights(path)
    if not isinstance(state, dict):
        return {}, None
    settings = state.get("settings")
    slope = settings.get("negative_slope") if isinstance(settings, dict) else None
    inner = state.get("generator", state)
    return inner if isinstance(inner, dict) else {}, slope
