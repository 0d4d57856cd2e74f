"""Generator and discriminator of ConSinGAN in 2D and 3D."""

from __future__ import annotations

from .discriminator import ConSinGANDiscriminator
from .fast import FastNetworks, fast_networks
from .generator import ConSinGANGenerator, ConSinGANStage
from .weights import draw_weights, load_generator, load_reference_discriminator, load_reference_generator

__all__ = [
    "ConSinGANDiscriminator",
    "ConSinGANGenerator",
    "ConSinGANStage",
    "FastNetworks",
    "draw_weights",
    "fast_networks",
    "load_generator",
    "load_reference_discriminator",
    "load_reference_generator",
]
