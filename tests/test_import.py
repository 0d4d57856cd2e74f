"""Importing the package must stay quick: `--help` must not wait for torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import monai_consingan


@pytest.mark.parametrize("module", ["monai_consingan", "monai_consingan.cli"])
def test_package_and_command_line_import_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'monai', 'numpy', 'matplotlib'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "first", "policy"), [(None, "", "PASSIVE"), ("ACTIVE", "", "ACTIVE"), (None, "import torch", None)]
)
def test_idle_threads_wait_passively(given: str | None, first: str, policy: str | None) -> None:
    """Set before the runtime is loaded, unless the user has a value of his own or it is too late."""
    code = f"{first}\nimport os, monai_consingan; print(os.environ.get('OMP_WAIT_POLICY'))"
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    env |= {} if given is None else {"OMP_WAIT_POLICY": given}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, env=env)
    assert done.stdout.strip() == str(policy)


def test_version_is_a_release_number() -> None:
    assert [part.isdigit() for part in monai_consingan.__version__.split(".")] == [True, True, True]


def test_a_class_name_stands_for_one_class() -> None:
    """MONAI looks classes up by their bare names."""
    places: dict[str, list[str]] = {}
    for path in Path(monai_consingan.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.name)
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
