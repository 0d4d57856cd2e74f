"""Inference with trained generators."""

from __future__ import annotations

from .inferer import ConSinGANInferer, coarse_input, noise_of, painted
from .region import ConSinGANRegionInferer

__all__ = ["ConSinGANInferer", "ConSinGANRegionInferer", "coarse_input", "noise_of", "painted"]
