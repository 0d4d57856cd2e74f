from __future__ import annotations

from pathlib import Path

import pytest

from monai_consingan.whole_file import leftovers, whole_file


def test_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert not path.exists() and temporary.parent == tmp_path and temporary.name.endswith(".nii.gz")
        assert leftovers(path) == [temporary]
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["a.nii.gz"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="half"), whole_file(path) as temporary:
        temporary.write_text("ne")
        raise ValueError("half")
    assert path.read_text() == "old"
    assert leftovers(path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "no" / "a") as temporary:
        temporary.write_text("x")
