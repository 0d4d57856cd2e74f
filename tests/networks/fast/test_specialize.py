"""Compiled functions are kept on the disk where that can be, and work where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_consingan.errors import ConSinGANWarning

pytest.importorskip("numba")

from numba import prange
from numba.core import caching, config

from monai_consingan.networks.fast.specialize import specialize

N = 0


def _add(x):  # type: ignore[no-untyped-def]
    for k in prange(x.size):
        x[k] += N


def added(number: int) -> float:
    x = np.ones(2)
    specialize(globals(), {"N": number}, [], ["_add"], suffix=str(number))["_add"](x)
    return float(x[1])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.filterwarnings("error")
def test_kept_on_the_disk_and_read_again(folder: Path) -> None:
    assert added(3) == 4
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")}
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    assert added(3) == 4
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")} == files


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_files_are_replaced(folder: Path, suffix: str) -> None:
    added(4)
    (path,) = folder.rglob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:50])
    assert added(4) == 5
    written = path.read_bytes()
    assert len(written) > 50
    assert added(4) == 5
    assert path.read_bytes() == written


def test_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.warns(ConSinGANWarning, match="NUMBA_CACHE_DIR"):
        assert added(5) == 6


def test_no_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_dump", full)
    with pytest.warns(ConSinGANWarning, match="NUMBA_CACHE_DIR"):
        assert added(6) == 7
