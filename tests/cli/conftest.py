"""The command line, called in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner, Result

from monai_consingan.cli import main
from monai_consingan.data import example

SMALL = ["--stages", "2", "--iterations", "2", "--channels", "4", "--quiet"]


@pytest.fixture(scope="session")
def call() -> Callable[..., Result]:
    """Run a command; what it did not catch is raised here."""

    def run(*args: Any) -> Result:
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def refused(call: Any) -> Callable[..., str]:
    """Run a command that must fail with one sentence and no output folder; give the sentence."""

    def run(*args: Any, out: Path, code: int = 1) -> str:
        before = sorted(out.parent.iterdir())
        result = call(*args, "--output", out)
        assert result.exit_code == code, result.output
        lines = result.output.strip().splitlines()  # click ends the line of a ^C
        assert len(lines) == 1, lines
        assert lines[0].startswith("Error: ")
        assert lines[0].endswith(".")
        assert sorted(out.parent.iterdir()) == before
        return str(lines[0])

    return run


@pytest.fixture(scope="session")
def insert() -> list[Any]:
    """A harmonization of seconds, without its output."""
    files = example()
    scans = ["--host", files.image, "--donor", files.image, "--donor-label", files.label]
    return ["harmonize", *scans, "--donor-slice", 4, "--host-slice", 6, *SMALL]


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Stored numbers of the packaged scan and of its label."""
    return tuple(np.asarray(nib.load(path).dataobj) for path in (example().image, example().label))  # type: ignore[return-value]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, call: Any) -> Path:
    """A trained model of the task harmonization, for whole slices."""
    folder = tmp_path_factory.mktemp("model") / "run"
    result = call("train", example().image, "--task", "harmonization", "--slice", 6, "--output", folder, *SMALL)
    assert result.exit_code == 0, result.output
    return folder
