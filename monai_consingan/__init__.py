"""ConSinGAN for MONAI: put brain metastases into MR scans, and take them out."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_PARTS = {
    "data",
    "engines",
    "figures",
    "inferers",
    "losses",
    "methods",
    "metrics",
    "models",
    "networks",
    "settings",
    "transforms",
    "workflows",
}


if "torch" not in sys.modules:  # the runtime reads it when it is loaded; idle threads shall not spin on a busy machine
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> ModuleType:
    """Parts are imported when they are first used, as ``import monai_consingan`` alone is to take no time."""
    if name in _PARTS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
