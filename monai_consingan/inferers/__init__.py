"""Inference with trained generators."""

from __future__ import annotations

from .inferer import ConSinGANInferer
from .region import ConSinGANRegionInferer, redraw_region

__all__ = ["ConSinGANInferer", "ConSinGANRegionInferer", "redraw_region"]
