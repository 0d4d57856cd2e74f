from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import monai_consingan
from monai_consingan.workflows.augmentation import AugmentSettings, augment, work
from monai_consingan.workflows.augmentation.make import ScanMaker
from monai_consingan.workflows.augmentation.run_folder import RunFolder

PROGRAM = """
import os, signal, sys
from types import SimpleNamespace
from monai_consingan.workflows.augmentation import AugmentSettings, augment, run_folder, work

class Dying:
    def __init__(self, function, calls):
        self.function, self.calls = function, calls

    def __call__(self, *args, **options):
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls -= 1
        return self.function(*args, **options)

settings = AugmentSettings(method="poisson", lesions=(1, 1), sizes={"small": 1, "medium": 1})
for place, name, calls in (
    (work, "survey_scan", 2),  # while scans are read
    (run_folder, "write_report", 1),  # when the files of the second scan are moved, but not what is told of them
    (run_folder.os, "replace", 2),  # between the moves of its files
    (run_folder.shutil, "rmtree", 1),  # when the third is complete, before its workplace is gone
):
    child = os.fork()
    if child == 0:
        if place is os:  # this module's only
            place = run_folder.os = SimpleNamespace(replace=os.replace, getpid=os.getpid)
        setattr(place, name, Dying(getattr(place, name), calls))
        augment(sys.argv[1], "out", settings)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != -signal.SIGKILL:
        sys.exit(f"{name}: ended with {ended}")
"""
SETTINGS = AugmentSettings(method="poisson", lesions=(1, 1), sizes={"small": 1, "medium": 1})


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_killed_again_and_again_it_ends_alike(data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(Path(monai_consingan.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([place, os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-c", PROGRAM, str(data_set)], cwd=tmp_path, check=True, env=env)
    killed = tmp_path / "out"
    assert list((killed / ".augment" / "tmp").iterdir())
    done = [path.stem for part in ("images", "dropped") for path in (killed / part).glob("*.json")]
    calls: Counter[str] = Counter()

    def counted(self: ScanMaker, task: Any, folder: Path, make: Any = ScanMaker.make) -> Any:
        calls[task.name] += 1
        return make(self, task, folder)

    monkeypatch.setattr(ScanMaker, "make", counted)
    monkeypatch.setattr(work, "survey_scan", None)
    summary = augment(data_set, killed, SETTINGS)
    assert len(done) == 3
    assert set(calls.values()) == {1}
    assert set(calls) | set(done) == {f"image{number}_syn-000" for number in range(4)}
    assert not set(calls) & set(done)
    monkeypatch.undo()
    assert augment(data_set, tmp_path / "undisturbed", SETTINGS) == summary
    assert tree(killed) == tree(tmp_path / "undisturbed")
    assert RunFolder(killed).token == RunFolder(tmp_path / "undisturbed").token
