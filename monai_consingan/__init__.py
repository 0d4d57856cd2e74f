"""ConSinGAN for MONAI: put brain metastases into MR scans, and take them out."""

from __future__ import annotations

__version__ = "0.1.0"
