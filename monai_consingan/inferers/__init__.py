"""Inference with trained generators."""

from __future__ import annotations

from .inferer import ConSinGANInferer
from .region import ConSinGANRegionInferer, find_region, fit_scale, redraw_region

__all__ = ["ConSinGANInferer", "ConSinGANRegionInferer", "find_region", "fit_scale", "redraw_region"]
