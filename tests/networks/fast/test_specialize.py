"""Compiled functions are kept on the disk where that can be, and work where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_consingan.errors import ConSinGANWarning

pytest.importorskip("numba")

from numba.core import caching, config

from monai_consingan.networks.fast.specialize import bits, is_kept, specialize

N = 0
floats: Any = None
doubles: Any = None
wholes: Any = None
number: Any = None


def _add(part, parts, table):  # type: ignore[no-untyped-def]
    x, y, k = floats(table, 0), doubles(table, 1), wholes(table, 2)
    x[part] += N * parts + number(table, 7)
    y[part] = table[6]
    k[part] = x.size


def added(extra: int, dtype: torch.dtype = torch.float64) -> float:
    x, y, k = torch.ones(2, dtype=dtype), np.zeros(3), torch.zeros(2, dtype=torch.int64)
    add = specialize(globals(), {"N": extra}, [], ["_add"], dtype=dtype, suffix=str(extra))["_add"]
    add(2, x, y, k, 5, bits(0.25))
    assert y.tolist() == [5, 5, 0] and k.tolist() == [2, 2] and x[0] == x[1]
    return float(x[1]) - 0.25


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_single_precision_is_another_function(folder: Path) -> None:
    assert added(7) == added(7, torch.float32) == 15
    assert len([path for path in folder.rglob("*.nbi") if "_add_" in path.name]) == 2


@pytest.mark.filterwarnings("error")
def test_kept_on_the_disk_and_read_again(folder: Path) -> None:
    assert added(3) == 7
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")}
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    assert added(3) == 7
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb*")} == files


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_files_are_replaced(folder: Path, suffix: str) -> None:
    added(4)
    (path,) = (path for path in folder.rglob(f"*{suffix}") if "_add_" in path.name)
    path.write_bytes(path.read_bytes()[:50])
    assert added(4) == 9
    written = path.read_bytes()
    assert len(written) > 50
    assert added(4) == 9
    assert path.read_bytes() == written


def test_what_is_on_the_disk_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {"dtype": torch.float64, "suffix": "7"}
    assert not is_kept(_add, **asked)
    added(7)
    assert is_kept(_add, **asked) and not is_kept(_add, **{**asked, "suffix": "8"})
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.warns(ConSinGANWarning, match="NUMBA_CACHE_DIR"):
        assert is_kept(_add, **{**asked, "suffix": "8"})


def test_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.warns(ConSinGANWarning, match="NUMBA_CACHE_DIR"):
        assert added(5) == 11


def test_no_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_dump", full)
    with pytest.warns(ConSinGANWarning, match="NUMBA_CACHE_DIR"):
        assert added(6) == 13
