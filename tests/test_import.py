"""Importing the package must stay quick: `--help` must not wait for torch."""

from __future__ import annotations

import subprocess
import sys

import monai_consingan


def test_package_imports_nothing_heavy() -> None:
    code = "import sys, monai_consingan; print(sorted({'torch', 'monai', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_a_release_number() -> None:
    assert [part.isdigit() for part in monai_consingan.__version__.split(".")] == [True, True, True]
