"""ConSinGAN for MONAI: put brain metastases into MR scans, and take them out."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_PACKAGES = {
    "data",
    "engines",
    "figures",
    "inferers",
    "losses",
    "metrics",
    "models",
    "networks",
    "transforms",
    "workflows",
}


def __getattr__(name: str) -> ModuleType:
    """Packages are imported when they are first used, as ``import monai_consingan`` alone is to take no time."""
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
