from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import unwritable
from monai_consingan.workflows.outputs import REPORT_NAME, check_output, output_folder


def test_files_appear_at_the_end(tmp_path: Path) -> None:
    with output_folder(tmp_path / "a" / "out") as folder:
        (folder / "x").write_text("1")
        (folder / REPORT_NAME).write_text("{}")
        assert [path.name for path in (tmp_path / "a" / "out").iterdir()] == [".partial"]
    assert sorted(path.name for path in (tmp_path / "a" / "out").iterdir()) == [REPORT_NAME, "x"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, ConSinGANError])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), output_folder(tmp_path / "a" / "out") as folder:
        (folder / "x").write_text("1")
        raise error("stop")
    assert list(tmp_path.iterdir()) == []


def test_earlier_results_survive_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with pytest.raises(ValueError, match="stop"), output_folder(tmp_path, overwrite=True) as folder:
        (folder / "x").write_text("new")
        raise ValueError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_full_folder_is_refused_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConSinGANError, match=r"not empty: .*--overwrite\.$"), output_folder(tmp_path):
        pass
    with output_folder(tmp_path, overwrite=True) as folder:
        (folder / "x").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x": "new", "mine": "mine"}


def test_what_a_kill_left_is_found_again(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "checkpoint.pt").write_text("state")
    with output_folder(tmp_path) as folder:
        assert (folder / "checkpoint.pt").read_text() == "state"
        (folder / "checkpoint.pt").unlink()
        (folder / "x").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConSinGANError, match="file is a file: give a folder"):
        check_output(tmp_path / "file")
    with pytest.raises(ConSinGANError, match="cannot be written"), output_folder(tmp_path / "file" / "out"):
        pass


def test_no_space_is_said(tmp_path: Path) -> None:
    said = r"out cannot be written \(No space left on device\): free some space"
    with pytest.raises(ConSinGANError, match=said), output_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("1")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_said(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ConSinGANError, match="Permission denied"), output_folder(tmp_path / "locked" / "out"):
        pass


def test_error_without_a_reason_from_the_system() -> None:
    assert "(odd)" in str(unwritable("out", OSError("odd")))
