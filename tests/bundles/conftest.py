"""MONAI's own commands on the bundles, called in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fire
import monai.bundle
import pytest

from monai_consingan.data import BUNDLES, bundle_folder

SMALL = ["--stages", "2", "--iterations", "2", "--channels", "4", "--device", "cpu"]
"""Settings of a training of a second."""


@pytest.fixture(params=BUNDLES)
def folder(request: pytest.FixtureRequest) -> Path:
    """Every bundle's folder."""
    return bundle_folder(request.param)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Do what ``python -m monai.bundle`` does with these arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = list(root.handlers), root.level

    def run(*arguments: Any) -> Any:
        return fire.Fire(monai.bundle, command=[str(argument) for argument in arguments])

    yield run
    root.handlers[:], root.level = before


@pytest.fixture
def trained(call: Callable[..., Any], folder: Path) -> Path:
    """Weights of a short training of a bundle on the packaged example, in ``runs/<name>`` of the working folder."""
    call("run", "--config_file", folder / "configs" / "train.json", *SMALL)
    return Path("runs") / folder.name / "model.pt"
