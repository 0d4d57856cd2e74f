"""The functions of a first training are compiled by two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba")

from monai_consingan.networks.fast import ahead, few_channels, winograd


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is compiled by this process, in place of compiling it."""
    found: list[Any] = []
    for module, name in ((few_channels, "expander"), (few_channels, "reducer")):
        monkeypatch.setattr(module, name, lambda *given, name=name: found.append((name, *given[:-1])))
    monkeypatch.setattr(winograd, "has_winograd", lambda channels, dtype: channels == 64)
    monkeypatch.setattr(ahead, "_helpers", {})
    return found


def _writing(path: Path) -> list[str]:
    return [sys.executable, "-c", f"import time; time.sleep(0.2); open({str(path)!r}, 'w').write('done')"]


def test_the_rest_is_compiled_and_the_helper_waited_for(compiled: list[Any], tmp_path: Path) -> None:
    ahead.begin(32, _writing(tmp_path / "a"))
    ahead.begin(32, _writing(tmp_path / "b"))
    ahead.compile_rest(64, 1, 1)
    assert not compiled and not (tmp_path / "a").exists()
    ahead.compile_rest(32, 1, 3)
    assert compiled == [("expander", 32), ("reducer", 32)]
    assert (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    ahead.compile_rest(32, 1, 3)
    assert len(compiled) == 2


def test_there_is_no_helper_for_what_is_kept_or_is_not_compiled(compiled: list[Any], tmp_path: Path) -> None:
    for channels in (64, 30):
        ahead.begin(channels, _writing(tmp_path / "a"))
        ahead.compile_rest(channels, 1, 1)
    assert not compiled and not (tmp_path / "a").exists()


@pytest.mark.parametrize("command", [["no such program"], [sys.executable, "-c", "raise SystemExit(1)"]])
def test_a_helper_that_fails_is_done_without(compiled: list[Any], command: list[str]) -> None:
    ahead.begin(32, command)
    ahead.compile_rest(32, 1, 1)
    assert bool(compiled) == (command[0] == sys.executable)


def test_the_helper_keeps_what_it_compiles(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai_consingan.cli.ahead", "4"]
    subprocess.run(command, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, check=True)
    kept = " ".join(path.name for path in tmp_path.rglob("*.nbi"))
    assert all(name in kept for name in ("_convolve_4_single", "_weight_gradient_4_single", "norm", "resample")), kept
