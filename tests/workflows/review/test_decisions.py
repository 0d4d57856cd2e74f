from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.review import read_decisions
from monai_consingan.workflows.review.decisions import FORMAT

GOOD: dict[str, Any] = {"format": FORMAT, "run": "a", "decisions": {"s#1": "accept", "s#2": "unsure"}}


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "decisions.json"
    path.write_text(json.dumps({**GOOD, **changes}))
    return path


def test_decisions_of_this_run(tmp_path: Path) -> None:
    path = saved(tmp_path)
    found = read_decisions(path)
    assert found.verdicts == GOOD["decisions"]
    found.require("a", ["s#1", "s#2"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "have the format 'other'"),
        ({"run": None}, "lack the run or the decisions"),
        ({"decisions": ["s#1"]}, "lack the run or the decisions"),
        ({"decisions": {"s#1": "perhaps"}}, "the verdict 'perhaps' on s#1, not one of accept, reject, unsure"),
    ],
)
def test_damaged_decisions(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConSinGANError, match=words):
        read_decisions(saved(tmp_path, **changes))


def test_what_is_no_file_of_decisions(tmp_path: Path) -> None:
    for text, words in (("{", "cannot be read"), ("[1]", "holds no dictionary")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ConSinGANError, match=words):
            read_decisions(tmp_path / "x.json")
    with pytest.raises(ConSinGANError, match=r"none\.json"):
        read_decisions(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("run", "keys", "words"),
    [
        ("b", ["s#1", "s#2"], "are of another run"),
        ("a", ["s#1", "s#2", "t#1"], "say nothing of 1 of 3 lesions, such as t#1"),
        ("a", ["s#1"], "tell of 1 lesions that are not there, such as s#2"),
    ],
)
def test_decisions_that_do_not_fit(tmp_path: Path, run: str, keys: list[str], words: str) -> None:
    path = saved(tmp_path)
    with pytest.raises(ConSinGANError, match=words):
        read_decisions(path).require(run, keys)
