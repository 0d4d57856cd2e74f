"""Losses of ConSinGAN."""

from __future__ import annotations

from .wasserstein import WassersteinLoss, gradient_penalty

__all__ = ["WassersteinLoss", "gradient_penalty"]
