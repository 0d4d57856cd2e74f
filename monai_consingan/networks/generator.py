"""The generator of ConSinGAN, which grows stage by stage."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.networks.blocks import conv_block, init_weights, pad_zeros, upsample
from monai_consingan.state_file import HASH_KEY


class ConSinGANStage(nn.Module):
    """One stage of :py:class:`ConSinGANGenerator`: its layers, and what its noise is.

    Args:
        spatial_dims, channels, negative_slope, norm: see :py:class:`ConSinGANGenerator`.
        num_layers: number of layers, each of which takes a pixel off every side.
        noise_border: whether the noise reaches into the border, which is zero otherwise.
        noise_channels: channels of the noise.
        noise_size: spatial size of the noise.
    """

    fixed_noise: torch.Tensor
    noise_amplitude: torch.Tensor

    def __init__(
        self,
        spatial_dims: int,
        channels: int,
        num_layers: int,
        negative_slope: float,
        norm: bool,
        noise_border: bool,
        noise_channels: int,
        noise_size: Sequence[int],
    ) -> None:
        super().__init__()
        self.noise_border = noise_border
        self.num_layers = num_layers
        self.layers = nn.Sequential(
            *[conv_block(spatial_dims, channels, channels, negative_slope, norm) for _ in range(num_layers)]
        )
        self.register_buffer("fixed_noise", torch.zeros(1, noise_channels, *noise_size))
        self.register_buffer("noise_amplitude", torch.zeros(()))

    def forward(self, y: torch.Tensor, noise: torch.Tensor, size: list[int]) -> torch.Tensor:
        """Enlarge the features of the stage before, add noise, and refine them by a residual.

        Args:
            y: features of the stage before, (N, channels, ...).
            noise: standard normal, at the size of the stage (with a noise border ``2 * num_layers`` wider).
            size: spatial size of the stage.
        """
        enlarged = upsample(y, size)
        if self.noise_border:
            wide = upsample(y, [side + 2 * self.num_layers for side in size]) + self.noise_amplitude * noise
        else:
            wide = pad_zeros(enlarged + self.noise_amplitude * noise, self.num_layers)
        return self.layers(wide) + enlarged


class ConSinGANGenerator(nn.Module):
    """Generator that is trained on a single image, coarse to fine (Hinz et al., WACV 2021).

    A head makes features of the stage-0 input; every stage enlarges the features of the stage before it, adds noise
    and refines them by a residual; a tail makes the image. All stages exist from the start, so that the keys of a
    checkpoint never change; ``stage`` says how many of them are in use.

    Stage, sizes, noise amplitudes and the fixed noise of the reconstruction are buffers: a state dict is the whole
    model, loads with ``weights_only=True``, and scripts with ``torch.jit.script``.

    Args:
        sizes: spatial size of the image at every stage, coarsest first
            (see :py:func:`monai_consingan.data.stage_sizes`).
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        channels: filters of every layer.
        num_layers: layers of a stage.
        negative_slope: slope of the LeakyReLUs below zero.
        norm: whether features are normalized (harmonization and editing).
        border: ``"zero"``, or ``"noise"``, which varies what is generated at the edges (generation and animation).

    Raises:
        ConSinGANError: fewer than two stages, an unknown border, or sizes of another dimension.

    Example::

        >>> generator = ConSinGANGenerator(sizes=[(24, 20), (32, 27)], channels=8)
        >>> generator(torch.zeros(1, 1, 24, 20)).shape
        torch.Size([1, 1, 32, 27])
    """

    stage: torch.Tensor
    sizes: torch.Tensor
    if TYPE_CHECKING:
        body: list[ConSinGANStage]

    def __init__(
        self,
        sizes: Sequence[Sequence[int]],
        spatial_dims: int = 2,
        in_channels: int = 1,
        channels: int = 64,
        num_layers: int = 3,
        negative_slope: float = 0.05,
        norm: bool = True,
        border: str = "zero",
    ) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ConSinGANError(f"sizes names {len(sizes)} stages, but a generator needs at least 2.")
        if spatial_dims not in (2, 3) or any(len(size) != spatial_dims for size in sizes):
            raise ConSinGANError(
                f"sizes {list(sizes)} must have {spatial_dims} numbers each, as spatial_dims is 2 or 3."
            )
        check_choice(("zero", "noise"), border=border)
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.channels = channels
        self.negative_slope = negative_slope
        self.num_layers = num_layers
        self.num_stages = len(sizes)
        self.noise_border = border == "noise"
        self.stage_sizes = [[int(side) for side in size] for size in sizes]
        self.head = conv_block(spatial_dims, in_channels, channels, negative_slope, norm)
        widen = 2 * num_layers if self.noise_border else 0
        self.body = nn.ModuleList()  # type: ignore[assignment]
        for index, size in enumerate(self.stage_sizes):
            noise_size = size if index == 0 else [side + widen for side in size]
            noise_channels = in_channels if index == 0 else channels
            self.body.append(
                ConSinGANStage(
                    spatial_dims,
                    channels,
                    num_layers,
                    negative_slope,
                    norm,
                    self.noise_border,
                    noise_channels,
                    noise_size,
                )
            )
        self.tail = nn.Sequential(Conv[Conv.CONV, spatial_dims](channels, in_channels, kernel_size=3), nn.Tanh())
        self.register_buffer("stage", torch.tensor(self.num_stages - 1))
        self.register_buffer("sizes", torch.tensor(self.stage_sizes))
        init_weights(self)
        self.register_load_state_dict_pre_hook(_leave_hash)
        self.register_load_state_dict_post_hook(_check_sizes)

    def forward(
        self,
        x: torch.Tensor,
        noise: list[torch.Tensor] | None = None,
        sizes: list[list[int]] | None = None,
        stage: int | None = None,
    ) -> torch.Tensor:
        """Generate an image.

        Args:
            x: input of stage 0, (N, C, H, W) or (N, C, H, W, D): an image in [-1, 1] at the size of stage 0, or noise.
            noise: inputs of stages 1 and up, standard normal, with as many channels as the generator has filters and
                the size of the stage (with a noise border ``2 * num_layers`` wider); by default the fixed noise, which
                makes the result a function of ``x`` alone.
            sizes: other spatial sizes of all stages than the trained ones; ``noise`` must then be given too.
            stage: index of the last stage to use; by default the buffer ``stage``.

        Returns:
            The image at the size of the last stage used, in [-1, 1].
        """
        last = int(self.stage.item()) if stage is None else stage
        return self.render(self.features(x, noise, sizes, last))

    def features(
        self, x: torch.Tensor, noise: list[torch.Tensor] | None, sizes: list[list[int]] | None, last: int
    ) -> torch.Tensor:
        """Features after stage ``last``; the arguments are those of :py:meth:`forward`."""
        y = self.head(pad_zeros(x, 1))
        if self.noise_border:
            y = pad_zeros(upsample(y, [side + 2 for side in y.shape[2:]]), self.num_layers - 1)
        else:
            y = pad_zeros(y, self.num_layers)
        for index, body in enumerate(self.body):
            if index == 0:
                y = body.layers(y)
        return self.refine(y, noise, sizes, 1, last)

    def refine(
        self,
        y: torch.Tensor,
        noise: list[torch.Tensor] | None,
        sizes: list[list[int]] | None,
        first: int,
        last: int,
    ) -> torch.Tensor:
        """Apply stages ``first`` (1 or more) to ``last`` to the features ``y`` of the stage before them."""
        for index, body in enumerate(self.body):
            if first <= index and index <= last:
                z = body.fixed_noise if noise is None else noise[index - 1]
                size = self.stage_sizes[index] if sizes is None else sizes[index]
                y = body(y, z, size)
        return y

    def render(self, features: torch.Tensor) -> torch.Tensor:
        """The image of features: the tail."""
        return self.tail(pad_zeros(features, 1))

    @torch.jit.unused
    def start_stage(self, index: int) -> None:
        """Begin a stage as a copy of the layers of the one before it.

        Args:
            index: the new stage, 1 or more.
        """
        self.body[index].layers.load_state_dict(self.body[index - 1].layers.state_dict())


def _leave_hash(_: object, state: dict[str, object], *__: object) -> None:
    """Pass over the hash that a file of weights has, so that MONAI's commands load it as it is."""
    state.pop(HASH_KEY, None)


def _check_sizes(generator: ConSinGANGenerator, _: object) -> None:
    """Refuse weights of other sizes, of which loaders that skip what does not fit would take a part."""
    loaded, own = generator.sizes.tolist(), generator.stage_sizes
    if loaded != own:
        raise ConSinGANError(
            f"The weights are of a generator with the stage sizes {loaded}, but this one has {own}: make it with those."
        )
