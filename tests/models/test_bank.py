from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import monai_consingan
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import ModelBank, TrainedModel, train_model
from monai_consingan.settings import TrainingSettings

SLICES = torch.rand(2, 1, 24, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
SMALL = TrainingSettings("harmonization", stages=2, iterations=2, channels=2)


def same(one: TrainedModel, other: TrainedModel) -> bool:
    states = [{**model.generator.state_dict(), **model.discriminator.state_dict()} for model in (one, other)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[TrainingSettings]:
    """The settings of every training that the bank starts."""
    started = []

    def counted(slices: torch.Tensor, settings: TrainingSettings, **other: Any) -> TrainedModel:
        started.append(settings)
        return train_model(slices, settings, **other)

    monkeypatch.setattr("monai_consingan.models.bank.train_model", counted)
    return started


def test_trains_once_what_a_training_would(tmp_path: Path, trainings: list[Any]) -> None:
    bank = ModelBank(tmp_path / "new" / "bank")
    assert bank.load(bank.key(SLICES, SMALL, seed=3)) is None and bank.keys() == [] and not bank.folder.exists()
    first = bank.model_for(SLICES, SMALL, seed=3)
    again = ModelBank(bank.folder).model_for(SLICES, SMALL, seed=3)
    found = bank.load(bank.key(SLICES, SMALL, seed=3))
    assert len(trainings) == 1
    assert found is not None and found.settings == SMALL and found.seed == 3
    assert same(first, train_model(SLICES, SMALL, seed=3)) and same(first, again) and same(first, found)
    assert bank.keys() == [bank.key(SLICES, SMALL, seed=3)] and len(bank) == 1
    assert [path.name for path in bank.folder.iterdir()] == [f"{bank.keys()[0]}.pt"]


def test_a_model_is_found_by_all_that_it_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ModelBank(tmp_path)
    start = train_model(SLICES, SMALL, seed=1)
    settings = TrainingSettings("harmonization", stages=2, iterations=2, channels=2, learning_rate=1e-4)
    keys = [
        bank.key(SLICES, SMALL),
        bank.key(SLICES + 1e-6, SMALL),
        bank.key(SLICES.reshape(2, 1, 20, 24), SMALL),
        bank.key([SLICES, SLICES], SMALL),
        bank.key(SLICES, SMALL, seed=1),
        bank.key(SLICES, settings),
        bank.key(SLICES, SMALL, start=start),
    ]
    monkeypatch.setattr("monai_consingan.models.bank.__version__", "0")
    assert len({*keys, bank.key(SLICES, SMALL)}) == len(keys) + 1
    warm = bank.model_for(SLICES, SMALL, start=start)
    assert same(warm, train_model(SLICES, SMALL, start=start))


def test_found_by_what_determines_the_slices(tmp_path: Path, trainings: list[Any]) -> None:
    bank, scan = ModelBank(tmp_path), torch.arange(10.0)
    model = bank.model_for(SLICES, SMALL, content=scan)
    found = bank.load(bank.key(scan, SMALL))
    assert found is not None and same(found, model)
    assert bank.load(bank.key(SLICES, SMALL)) is None
    bank.model_for(SLICES, SMALL, content=[scan])
    assert len(trainings) == 1


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    bank = ModelBank(tmp_path)
    bank.model_for(SLICES, SMALL)
    bank.model_for(SLICES, SMALL, seed=1)
    damaged = bank.key(SLICES, SMALL)
    path = bank.path(damaged)
    path.write_bytes(path.read_bytes()[:-200])
    assert bank.load(bank.key(SLICES, SMALL, seed=1)) is not None
    for ask in (lambda: bank.load(damaged), lambda: bank.model_for(SLICES, SMALL)):
        with pytest.raises(ConSinGANError, match=f"{path.name} of the bank is damaged: delete it"):
            ask()
    path.unlink()
    assert same(bank.model_for(SLICES, SMALL), train_model(SLICES, SMALL))


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConSinGANError, match="is a file"):
        ModelBank(file)
    with pytest.raises(ConSinGANError, match="cannot be written"):
        ModelBank(file / "below").model_for(SLICES, SMALL)


def test_a_failed_training_leaves_no_model(tmp_path: Path) -> None:
    bank = ModelBank(tmp_path)
    with pytest.raises(ConSinGANError, match="patches"):
        bank.model_for(SLICES[:, :, :5], SMALL)
    assert bank.keys() == [] and bank.load(bank.key(SLICES[:, :, :5], SMALL)) is None
    assert not list(tmp_path.iterdir())


def test_a_model_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ModelBank(tmp_path)
    bank.model_for(SLICES, SMALL)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.is_zipfile", refuse)
    with pytest.raises(ConSinGANError, match=r"cannot be opened .*: check its permissions"):
        bank.load(bank.key(SLICES, SMALL))


PROCESSES = """
import json, os, signal, sys, time
from pathlib import Path
import torch
from ignite.engine import Events
from monai_consingan.engines import TrainingCheckpoint
from monai_consingan.workflows import ModelBank, TrainingSettings

torch.set_num_threads(1)
slices = torch.rand(2, 1, 24, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
settings = TrainingSettings("harmonization", stages=2, iterations=2, channels=2)

class Count:
    def __init__(self, name):
        self.name = name
    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
    def __call__(self, engine):
        with open(self.name, "a") as file:
            file.write(f"{engine.state.iteration} ")

def ask(bank, name):
    ModelBank(bank).model_for(slices, settings, handlers=[Count(name)])

def start(*given, **changed):
    child = os.fork()
    if child == 0:
        if changed:
            TrainingCheckpoint.__call__ = changed["save"]
        ask(*given)
        os._exit(0)
    return child

def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

# two at once
together = [ended(child) for child in [start("both", f"both-{number}") for number in range(2)]]

# one that holds the lock is killed while another waits for it
def save_and_stay(self, engine, save=TrainingCheckpoint.__call__):
    save(self, engine)
    Path("saved").touch()
    time.sleep(60)

first = start("one", "killed", save=save_and_stay)
while not Path("saved").exists():
    time.sleep(0.01)
second = start("one", "waited")
time.sleep(0.2)
waiting = not Path("waited").exists() and ModelBank("one").keys() == []
os.kill(first, signal.SIGKILL)
print(json.dumps({"together": together, "waiting": waiting, "killed": ended(first), "waited": ended(second)}))
"""


def test_processes_share_a_bank(tmp_path: Path) -> None:
    package = str(Path(monai_consingan.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-c", PROCESSES],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert json.loads(run.stdout) == {"together": [0, 0], "waiting": True, "killed": -9, "waited": 0}
    both = [file.read_text() for file in tmp_path.glob("both-*")]
    assert both == ["1 2 3 4 "]  # one of the two trained
    assert (tmp_path / "killed").read_text() == "1 2 "
    assert (tmp_path / "waited").read_text() == "3 4 "  # from the checkpoint
    undisturbed = train_model(SLICES, SMALL)
    for name in ("both", "one"):
        bank = ModelBank(tmp_path / name)
        found = bank.load(bank.key(SLICES, SMALL))
        assert found is not None and same(found, undisturbed)
        assert [file.suffix for file in bank.folder.iterdir()] == [".pt"]
