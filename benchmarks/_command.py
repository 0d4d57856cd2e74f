"""What the command lines of the benchmarks have in common."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _measure import machine
from _patients import DATA_VARIABLE, Patient, find_patients
from _telling_apart import require_forest

from monai_consingan.errors import ConSinGANError

_SHARED: dict[str, dict[str, Any]] = {
    "data": {"type": Path, "help": "folder of the patients (default: see _patients.py)"},
    "windows": {"type": int, "help": "places of a patient, which share a model"},
    "limit": {"type": int, "help": "only so many pairs"},
    "seed": {"type": int, "default": 0},
    "cache": {"type": Path, "help": "folder that keeps what is done"},
    "json": {"type": Path, "metavar": "FILE", "help": "also write the numbers to a file"},
}


def command_line(doc: str | None, *shared: str, **defaults: Any) -> argparse.ArgumentParser:
    """A command line with some of the options that several commands have, and their defaults."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    for name in shared:
        parser.add_argument(f"--{name}", **_SHARED[name])
    parser.set_defaults(**defaults)
    return parser


@contextmanager
def in_a_sentence(command: str) -> Iterator[None]:
    """End a command with its error in a sentence instead of a traceback."""
    try:
        yield
    except ConSinGANError as error:
        raise SystemExit(f"{command}: {error}") from None


def patients_of(command: str, data: Path | None, *, forest: bool = False) -> list[Patient]:
    """The patients of a folder; where there are none, the command ends, as failed only if a folder was given.

    Args:
        command: the command's name.
        data: the folder, or None.
        forest: whether scikit-learn is needed, too.
    """
    try:
        patients = find_patients(data)
        if forest:
            require_forest()
    except ConSinGANError as error:
        if data or DATA_VARIABLE in os.environ:
            raise SystemExit(f"{command}: {error}") from None
        print(f"Nothing measured. {error}")
        raise SystemExit(0) from None
    return patients


def write_json(path: Path | None, **report: Any) -> None:
    """Write numbers and what they were measured on, if a file was given."""
    if path:
        path.write_text(json.dumps({"machine": machine(), **report}, indent=1) + "\n", encoding="utf-8")
