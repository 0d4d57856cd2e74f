"""What a workflow writes besides images and figures: the report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan import __version__
from monai_consingan.data import SequenceFiles, Stored, file_sha256
from monai_consingan.data.stored import public_name


def versions() -> dict[str, str]:
    """Versions of what the numbers of a run depend on; Numba's only where it is installed."""
    found = {"python": platform.python_version(), "monai-consingan": __version__}
    for name in ("torch", "monai", "numpy", "scipy", "nibabel", "numba"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_inputs(inputs: Mapping[str, str | Path | Stored | SequenceFiles | None]) -> dict[str, Any]:
    """Name (:py:func:`monai_consingan.data.stored.public_name`) and SHA-256 of every input that is given.

    Args:
        inputs: files by what they are, or what was read of them, which is not read again. Of several sequences, each
            from its own file, there is a list.
    """
    told: dict[str, Any] = {}
    for name, given in inputs.items():
        if isinstance(given, SequenceFiles | Stored):
            told[name] = given.described()
        elif given is not None:
            told[name] = {"file": public_name(given), "sha256": file_sha256(given)}
    return told


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON; what is not a finite number becomes ``null``."""
    Path(path).write_text(json.dumps(_plain(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.name
    return value


def shown_number(value: float | None, decimals: int | None = None, none: str = "-") -> str:
    """A number for a table: four digits, or with so many decimals; ``none`` where there is none."""
    if value is None or math.isnan(value):
        return none
    return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"
