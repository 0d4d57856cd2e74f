"""Weights of the published implementation of ConSinGAN."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.networks.discriminator import ConSinGANDiscriminator
from monai_consingan.networks.generator import ConSinGANGenerator
from monai_consingan.tasks import get_task

_RUNNING_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


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
    spatial_dims = head.ndim - 2
    generator = ConSinGANGenerator(
        sizes=[tuple(int(side) for side in size)[-spatial_dims:] for size in sizes],
        spatial_dims=spatial_dims,
        in_channels=head.shape[1],
        channels=head.shape[0],
        num_layers=num_layers,
        negative_slope=negative_slope,
        norm=norm,
        border=kind.border,
    )
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
