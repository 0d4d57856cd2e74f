"""Files of tensors and plain values: written whole, read without running code."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import whole_file

__all__ = ["load_state", "save_state"]


def save_state(state: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values with ``torch.save``; the file appears whole or not at all."""
    buffer = io.BytesIO()  # torch.save hides what goes wrong in writing a file, such as a full disk
    torch.save(state, buffer)
    with whole_file(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: str | Path, expected: str) -> dict[str, Any]:
    """Read what :py:func:`save_state` wrote, without running any code that a file may hold.

    Args:
        path: the file.
        expected: its ``format`` entry.

    Raises:
        ConSinGANError: missing, unreadable, truncated or malicious, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise ConSinGANError(f"model {path} does not exist: give the folder of a run, or its model.pt.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickles of other programs, which are refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on files that are truncated, malicious or something else
        reason = type(error).__name__
        raise ConSinGANError(
            f"model {path} cannot be read safely ({reason}): it is truncated, holds more than weights, or is no model."
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != expected:
        raise ConSinGANError(f"model {path} has the format {found!r}, but {expected!r} is needed: give another file.")
    return state
