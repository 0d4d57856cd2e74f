"""Weights of networks: those that a training begins with, and generators and discriminators of those that one left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_consingan.errors import ConSinGANError, is_out_of_memory
from monai_consingan.networks.blocks import init_weights
from monai_consingan.networks.discriminator import ConSinGANDiscriminator
from monai_consingan.networks.generator import ConSinGANGenerator
from monai_consingan.state_file import read_weights
from monai_consingan.tasks import Task, get_task

_RUNNING_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


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
            slope = kind.negative_slope if slope is None else slope
            generator = _generator(head, stages, len(layers), slope, kind)
        generator.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        if isinstance(error, ConSinGANError) or is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0]
        raise ConSinGANError(f"model {path} holds no generator of ConSinGAN ({first}): give another file.") from error
    return generator.eval()


def _generator(
    head: torch.Tensor, sizes: Sequence[Sequence[int]], num_layers: int, negative_slope: float, kind: Task
) -> ConSinGANGenerator:
    """A generator of a task, for weights of which those of the head are given."""
    return ConSinGANGenerator(
        sizes,
        spatial_dims=head.ndim - 2,
        in_channels=head.shape[1],
        channels=head.shape[0],
        num_layers=num_layers,
        negative_slope=negative_slope,
        norm=kind.norm,
        border=kind.border,
    )


def _read(path: Path) -> tuple[dict[str, Any], float | None]:
    """The generator's state dict in a file, and the slope of its LeakyReLUs if that is noted."""
    state = read_weights(path)
    if not isinstance(state, dict):
        return {}, None
    settings = state.get("settings")
    slope = settings.get("negative_slope") if isinstance(settings, dict) else None
    inner = state.get("generator", state)
    return inner if isinstance(inner, dict) else {}, slope


def load_reference_generator(
    state_dict: Mapping[str, torch.Tensor],
    *,
    task: str,
    sizes: Sequence[Sequence[int]],
    noise_amplitudes: Sequence[float] | torch.Tensor,
    negative_slope: float,
) -> ConSinGANGenerator:
    """Make a generator of a state dict of the published implementation (its ``netG.pth``).

    Channels, filters, layers and dimensions are read off the weights. Running statistics are ignored, as the published
    network never uses them.

    Args:
        state_dict: names as in ``head.conv.weight``, ``body.0.block0.conv.weight``, ``tail.0.weight``.
        task: the task it was trained for.
        sizes: spatial size of the image at every stage, coarsest first.
        noise_amplitudes: amplitude of the noise at every stage.
        negative_slope: slope of the LeakyReLUs below zero.

    Returns:
        The generator, ready to call with the stage-0 input and ``noise=[...]`` for the stages above; its own fixed
        noise is zero, since the state dict holds none.

    Raises:
        ConSinGANError: the state dict is not one of such a generator, or does not fit the task or the sizes.

    Example::

        state = torch.load("netG.pth", map_location="cpu", weights_only=True)
        generator = load_reference_generator(
            state, task="harmonization", sizes=[(120, 120), (174, 174), (250, 250)],
            noise_amplitudes=[1.0, 0.01, 0.008], negative_slope=0.3,
        )
    """
    kind = get_task(task)
    blocks = {
        match.groups() for key in state_dict if (match := re.match(r"body\.(\d+)\.block(\d+)\.conv\.weight", key))
    }
    if "head.conv.weight" not in state_dict or "tail.0.weight" not in state_dict or not blocks:
        raise ConSinGANError(
            "The state dict is not of a ConSinGAN generator: it lacks head.conv.weight, body.0.block0.conv.weight or "
            "tail.0.weight; give the contents of a netG.pth."
        )
    num_stages = 1 + max(int(stage) for stage, _ in blocks)
    num_layers = 1 + max(int(layer) for _, layer in blocks)
    if len(sizes) != num_stages or len(noise_amplitudes) != num_stages:
        raise ConSinGANError(
            f"The state dict has {num_stages} stages, but {len(sizes)} sizes and {len(noise_amplitudes)} noise "
            f"amplitudes are given: give {num_stages} of each."
        )
    norm = "head.norm.weight" in state_dict
    if norm != kind.norm:
        raise ConSinGANError(
            f"The state dict has {'a' if norm else 'no'} norm, but a generator for task {task!r} has "
            f"{'one' if kind.norm else 'none'}: give the task that it was trained for."
        )
    head = state_dict["head.conv.weight"]
    stages = [tuple(int(side) for side in size)[-(head.ndim - 2) :] for size in sizes]
    generator = _generator(head, stages, num_layers, negative_slope, kind)
    renamed = {}
    for key, value in state_dict.items():
        if key.endswith(_RUNNING_STATISTICS):
            continue
        renamed[re.sub(r"\.block(\d+)\.", r".layers.\1.", key).replace(".norm.", ".adn.N.")] = value
    _load(generator, renamed, "generator")
    for body, amplitude in zip(generator.body, noise_amplitudes, strict=True):
        body.noise_amplitude.fill_(float(amplitude))
    return generator


def load_reference_discriminator(
    state_dict: Mapping[str, torch.Tensor], *, negative_slope: float
) -> ConSinGANDiscriminator:
    """Make a discriminator of a state dict of the published implementation (its ``netD.pth``).

    Args:
        state_dict: names as in ``head.conv.weight``, ``body.block0.conv.weight``, ``tail.weight``.
        negative_slope: slope of the LeakyReLUs below zero.

    Raises:
        ConSinGANError: the state dict is not one of such a discriminator.
    """
    layers = [int(match[1]) for key in state_dict if (match := re.match(r"body\.block(\d+)\.conv\.weight", key))]
    if "head.conv.weight" not in state_dict or "tail.weight" not in state_dict or not layers:
        raise ConSinGANError(
            "The state dict is not of a ConSinGAN discriminator: it lacks head.conv.weight, body.block0.conv.weight or "
            "tail.weight; give the contents of a netD.pth."
        )
    head = state_dict["head.conv.weight"]
    discriminator = ConSinGANDiscriminator(
        spatial_dims=head.ndim - 2,
        in_channels=head.shape[1],
        channels=head.shape[0],
        num_layers=1 + max(layers),
        negative_slope=negative_slope,
    )
    renamed = {re.sub(r"body\.block(\d+)\.", r"body.\1.", key): value for key, value in state_dict.items()}
    _load(discriminator, renamed, "discriminator")
    return discriminator


def _load(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], name: str) -> None:
    trained = {key for key, _ in network.named_parameters()}
    if trained != set(weights):
        wrong = ", ".join(sorted(trained ^ set(weights))[:3])
        raise ConSinGANError(
            f"The state dict is not of a ConSinGAN {name}: missing or unknown weights, such as {wrong}."
        )
    try:
        network.load_state_dict(dict(weights), strict=False)
    except RuntimeError as error:
        raise ConSinGANError(f"The weights of the {name} do not fit each other: {error}.") from error
