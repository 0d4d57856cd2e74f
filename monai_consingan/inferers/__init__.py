"""Inference with trained generators."""

from __future__ import annotations

from .inferer import ConSinGANInferer, noise_of, painted
from .region import ConSinGANRegionInferer

__all__ = ["ConSinGANInferer", "ConSinGANRegionInferer", "noise_of", "painted"]
