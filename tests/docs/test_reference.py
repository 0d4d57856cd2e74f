"""The reference has a page for every public package, and the citation names the version that is installed."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import monai_consingan

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PACKAGES = sorted(path.parent.name for path in (ROOT / "monai_consingan").glob("*/__init__.py"))


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "cli"])
def test_public_package_has_a_page(package: str) -> None:
    page = (REFERENCE / f"{package}.rst").read_text(encoding="utf-8")
    assert f".. automodule:: monai_consingan.{package}\n" in page
    assert f"   {package}\n" in (REFERENCE / "index.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["data", "engines", "workflows", "workflows.augmentation"])
def test_page_has_the_constants(package: str) -> None:
    page = (REFERENCE / f"{package.split('.')[-1]}.rst").read_text(encoding="utf-8")
    constants = [name for name in import_module(f"monai_consingan.{package}").__all__ if name.isupper()]
    assert re.findall(r"py:data:: (\S+)", page) == constants


@pytest.mark.parametrize("file", ["CITATION.cff", "docs/citing.md"])
def test_citation_has_the_version(file: str) -> None:
    found = re.findall(r"^ *version *[:=] *\{?([\w.]+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found == [monai_consingan.__version__]
