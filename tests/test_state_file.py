from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.state_file import load_state, save_state

STATE = {"format": "a format", "numbers": [1, 2.5, "three"], "weights": {"w": torch.arange(400.0)}}


class Attack:
    """Runs a shell command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_round_trip_with_weights_only(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    for state in (load_state(path, "a format"), torch.load(path, weights_only=True)):
        assert state["numbers"] == [1, 2.5, "three"]
        assert torch.equal(state["weights"]["w"], torch.arange(400.0))
    assert os.listdir(tmp_path) == ["state.pt"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=r"none\.pt does not exist"):
        load_state(tmp_path / "none.pt", "a format")
    with pytest.raises(ConSinGANError, match="does not exist"):
        load_state(tmp_path, "a format")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ConSinGANError, match=r"state\.pt cannot be read safely"):
        load_state(path, "a format")


@pytest.mark.parametrize("writer", ["pickle", "torch", "torch legacy"])
def test_malicious_is_refused_and_not_run(tmp_path: Path, writer: str) -> None:
    path, trace = tmp_path / "state.pt", tmp_path / "trace"
    state = {"format": "a format", "weights": Attack(f"touch {trace}")}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(state, protocol=2))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(ConSinGANError, match=r"state\.pt cannot be read safely"):
        load_state(path, "a format")
    assert not trace.exists()
    if writer == "pickle":
        pickle.loads(path.read_bytes())
        assert trace.exists(), "the attack itself must work, or its refusal proves nothing"


@pytest.mark.parametrize("state", [{"format": "another"}, {"weights": torch.zeros(1)}, [1, 2], torch.zeros(2)], ids=str)
def test_other_format(tmp_path: Path, state: Any) -> None:
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(ConSinGANError, match=r"state\.pt has the format .*, but 'a format' is needed"):
        load_state(tmp_path / "state.pt", "a format")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n"], ids=repr)
def test_no_state_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ConSinGANError, match="cannot be read safely"):
        load_state(tmp_path / "state.pt", "a format")


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    before = path.read_bytes()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_state({"format": "a format", "weights": torch.zeros(100), "bad": lambda: None}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state.pt"]


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    before = path.read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        save_state({"format": "a format"}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["state.pt"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_state(STATE, tmp_path / "none" / "state.pt")


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("hashed", [True, False])
def test_a_flipped_bit_of_the_weights_is_refused(tmp_path: Path, bit: int, hashed: bool) -> None:
    """By the hash, and in files without one by the checksums that PyTorch keeps and does not look at."""
    path = tmp_path / "state.pt"
    if hashed:
        save_state(STATE, path)
    else:
        torch.save(STATE, path)
    content = bytearray(path.read_bytes())
    place = bytes(content).index(torch.arange(400.0).numpy().tobytes()) + 800
    content[place] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(ConSinGANError, match=r"state\.pt cannot be read safely .*damaged"):
        load_state(path, "a format")


@pytest.mark.parametrize(
    "changed",
    [
        {"numbers": [1, 2.5, "four"]},
        {"numbers": [1, [2.5, "three"]]},
        {"weights": {"w": torch.arange(400.0) + 1e-4}},
        {"weights": {"w": torch.arange(400.0).reshape(20, 20)}},
        {"weights": {"w": torch.arange(400.0), "v": 1}},
    ],
)
def test_contents_that_do_not_match_the_hash(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = tmp_path / "state.pt"
    save_state(STATE, path)
    torch.save({**torch.load(path, weights_only=True), **changed}, path)
    with pytest.raises(ConSinGANError, match=r"state\.pt does not match the hash in it"):
        load_state(path, "a format")


def test_every_kind_of_value_is_hashed_as_it_is_read(tmp_path: Path) -> None:
    state = {
        "format": "a format",
        3: (None, True, float("nan"), b"bytes", torch.Size([2, 3])),
        "tensors": [torch.tensor(1.0), torch.zeros(0), torch.ones(2, 3).t(), torch.ones(3, dtype=torch.bfloat16)],
        "bool": torch.tensor([True, False]),
    }
    save_state(state, tmp_path / "state.pt")
    assert load_state(tmp_path / "state.pt", "a format").keys() == state.keys()


def test_without_a_hash_as_written_before(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pt")
    assert load_state(tmp_path / "old.pt", "a format")["numbers"] == STATE["numbers"]


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(STATE, tmp_path / "state.pt")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.is_zipfile", refuse)
    with pytest.raises(ConSinGANError, match=r"state\.pt cannot be opened \(Permission denied\): check"):
        load_state(tmp_path / "state.pt", "a format")
