"""Files of tensors and plain values: written whole, read without running code, and only as they were written."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_consingan.errors import ConSinGANError, is_out_of_memory
from monai_consingan.whole_file import whole_file

HASH_KEY = "sha256"
"""Key of the hash that every file has."""


def save_state(state: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values with ``torch.save``, and their hash; the file appears whole or not at all."""
    buffer = io.BytesIO()  # torch.save hides what goes wrong in writing a file, such as a full disk
    torch.save({**state, HASH_KEY: _hash_of(state)}, buffer)
    with whole_file(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: str | Path, expected: str) -> dict[str, Any]:
    """Read what :py:func:`save_state` wrote, without running any code that a file may hold.

    Args:
        path: the file.
        expected: its ``format`` entry.

    Raises:
        ConSinGANError: as :py:func:`read_weights`, or of another format.
    """
    state = _unpickled(path, "model")
    found = state.get("format") if isinstance(state, dict) else None
    if found != expected:
        raise ConSinGANError(f"model {path} has the format {found!r}, but {expected!r} is needed: give another file.")
    return dict(_unchanged(state, path, "model"))


def read_weights(path: str | Path, name: str = "model") -> Any:
    """Read what ``torch.save`` wrote, without running any code that a file may hold.

    PyTorch looks neither at the checksums that it keeps in a file nor at the hash that :py:func:`save_state` adds: both
    are checked here. A file without the hash, of another program or an earlier version, has only the checksums.

    Args:
        path: the file.
        name: what it is to the user, for errors.

    Raises:
        ConSinGANError: missing, unreadable, truncated or malicious, or other contents than were written.
    """
    return _unchanged(_unpickled(path, name), path, name)


def _unpickled(path: str | Path, name: str) -> Any:
    path = Path(path)
    if not path.is_file():
        raise ConSinGANError(f"{name} {path} does not exist: give the folder of a run, or its model.pt.")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickles of other programs, which are refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise ConSinGANError(f"{name} {path} cannot be opened ({error.strerror}): check its permissions.") from error
    except Exception as error:  # torch raises many kinds on files that are truncated, malicious or something else
        if is_out_of_memory(error):
            raise ConSinGANError(f"{name} {path} does not fit into memory: use a machine with more.") from error
        reason = type(error).__name__
        raise ConSinGANError(
            f"{name} {path} cannot be read safely ({reason}): it is damaged, truncated, holds more than weights, or is "
            "no model."
        ) from error
    return state


def _unchanged(state: Any, path: str | Path, name: str) -> Any:
    """What was read, without its hash, which it has to match."""
    if not isinstance(state, dict) or HASH_KEY not in state:
        return state
    contents = {key: value for key, value in state.items() if key != HASH_KEY}
    if _hash_of(contents) != state[HASH_KEY]:
        raise ConSinGANError(
            f"{name} {path} does not match the hash in it, so it was changed: fetch or train it again."
        )
    return contents


def _hash_of(state: Any) -> str:
    """SHA-256 of tensors and plain values, in their order."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        """Hash a value and all that is in it."""
        if isinstance(value, torch.Tensor):
            digest.update(f"tensor {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Mapping):
            digest.update(f"mapping {len(value)}".encode())
            for key, item in value.items():
                digest.update(f"key {key!r}".encode())
                add(item)
        elif isinstance(value, (list, tuple)):
            digest.update(f"sequence {len(value)}".encode())
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    add(state)
    return digest.hexdigest()
