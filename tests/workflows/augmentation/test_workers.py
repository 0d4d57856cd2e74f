from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import workers

DOUBLED = [0, 2, 4, 6, 8, 10]


def double(number: int) -> int:
    return 2 * number


def die_once(item: tuple[Path, int]) -> int:
    path, number = item
    if number == 3 and not path.exists():
        path.touch()
        os.kill(os.getpid(), 9)
    return 2 * number


def die(number: int) -> int:
    os.kill(os.getpid(), 9)
    return number


def test_in_this_process() -> None:
    with workers.start_workers(workers.Execution()) as these:
        assert list(these.each(double, [1, 2, 3])) == [2, 4, 6]


def test_in_processes_that_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with workers.start_workers(workers.Execution(jobs=2)) as these:
        assert list(these.each(double, [])) == []
        assert sorted(these.each(die_once, [(tmp_path / "died", number) for number in range(6)])) == DOUBLED
        assert (tmp_path / "died").exists()
        monkeypatch.setattr(workers, "_DEATHS", 1)
        with pytest.raises(ConSinGANError, match="killed 1 times"):
            list(these.each(die, [1, 2]))


def test_a_backend_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    wanted = r"needs the package distributed: install monai-consingan\[dask\]"
    with pytest.raises(ConSinGANError, match=wanted), workers.start_workers(workers.Execution(backend="dask")):
        pass
