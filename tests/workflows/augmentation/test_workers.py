from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import workers


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


def test_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(workers.for_each(double, [1, 2, 3])) == [2, 4, 6]
    assert list(workers.for_each(double, [], jobs=2)) == []
    items = [(tmp_path / "died", number) for number in range(6)]
    assert sorted(workers.for_each(die_once, items, jobs=2)) == [0, 2, 4, 6, 8, 10]
    assert (tmp_path / "died").exists()
    monkeypatch.setattr(workers, "_DEATHS", 1)
    with pytest.raises(ConSinGANError, match="killed 1 times"):
        list(workers.for_each(die, [1, 2], jobs=2))
