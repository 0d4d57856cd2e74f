"""Inference with trained generators."""

from __future__ import annotations

from .inferer import ConSinGANInferer
from .painted import noise_of, painted
from .region import ConSinGANRegionInferer, redraw_region

__all__ = ["ConSinGANInferer", "ConSinGANRegionInferer", "noise_of", "painted", "redraw_region"]
