"""Where the compiled functions for the CPU can be used, and where they pay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.networks.discriminator import ConSinGANDiscriminator
from monai_consingan.networks.generator import ConSinGANGenerator

if TYPE_CHECKING:
    from monai_consingan.networks.fast.networks import FastDiscriminator, FastGenerator

SMALLEST = {2: (32, 40), 3: (16, 24)}
"""Filters and side, in the plane and in space; below either, the compiled functions gain little, and their compilation
may cost more than it saves."""


@dataclass(frozen=True)
class FastNetworks:
    """Both networks on the compiled functions."""

    generator: FastGenerator
    discriminator: FastDiscriminator

    @staticmethod
    @contextmanager
    def one_pool() -> Iterator[None]:
        """Let the compiled functions have PyTorch's threads, and PyTorch one: two pools would wait for each other."""
        import numba

        threads = torch.get_num_threads()
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def fast_networks(
    generator: ConSinGANGenerator, discriminator: ConSinGANDiscriminator, fast: bool | None = None
) -> FastNetworks | None:
    """The networks on functions compiled for the CPU by Numba (``pip install monai-consingan[fast]``), if possible.

    They are for a number of filters that can be divided by 4, and up to 4 image channels. The first use on a machine
    compiles them, which takes some seconds.

    Args:
        generator: the generator.
        discriminator: the discriminator.
        fast: ``True`` to have them or an error, ``False`` not to, ``None`` to have them where they can and pay.

    Returns:
        The fast networks, or ``None``, for the networks themselves.

    Raises:
        ConSinGANError: ``fast`` is ``True``, but they are not for these networks.
    """
    if fast is False:
        return None
    reason = _hindrance(generator, discriminator)
    filters, side = SMALLEST[generator.spatial_dims]
    pays = generator.channels >= filters and min(generator.stage_sizes[-1]) >= side
    if fast is None and (reason or not pays):
        return None
    if not reason:
        try:
            from monai_consingan.networks.fast.ahead import compile_rest
            from monai_consingan.networks.fast.networks import FastDiscriminator, FastGenerator
        except ImportError as error:  # not installed, or at odds with the installed NumPy
            reason = f"Numba cannot be imported ({error}): pip install monai-consingan[fast]"
    if reason and fast is None:
        return None
    if reason:
        raise ConSinGANError(f"The fast networks cannot be used: {reason}; leave fast at None.")
    compile_rest(generator.channels, generator.in_channels, 3 ** (generator.spatial_dims - 2))
    return FastNetworks(FastGenerator(generator), FastDiscriminator(discriminator))


def _hindrance(generator: ConSinGANGenerator, discriminator: ConSinGANDiscriminator) -> str:
    weights = [*generator.parameters(), *discriminator.parameters()]
    if any(weight.device.type != "cpu" for weight in weights):
        return f"the networks are on {weights[0].device}, not on the CPU"
    if len({weight.dtype for weight in weights}) > 1 or weights[0].dtype not in (torch.float32, torch.float64):
        return "the weights are neither all of single nor all of double precision"
    filters = {generator.channels, discriminator.channels}
    if any(count % 4 for count in filters):
        return f"the filters, {max(filters)}, cannot be divided by 4"
    if max(generator.in_channels, discriminator.in_channels) > 4:
        return f"the images have {generator.in_channels} channels, but 4 is the most"
    return ""
