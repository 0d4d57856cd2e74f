"""Folders of results, and their reports."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import monai_consingan
from monai_consingan import folder_lock
from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import unwritable
from monai_consingan.workflows import LesionSource, harmonize
from monai_consingan.workflows.outputs import (
    REPORT_NAME,
    check_inputs,
    check_output,
    describe_inputs,
    output_folder,
    refuse_links,
    versions,
    write_report,
)


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


def test_a_training_that_was_ended_may_go_on(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_text("state")
    with pytest.raises(ConSinGANError, match="is not empty: go on with the training that was ended by --resume, give"):
        check_output(tmp_path)


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


HOLD = """
import sys, time
from monai_consingan import folder_lock
from monai_consingan.workflows.outputs import output_folder
with output_folder(sys.argv[1]) as folder:
    (folder / "x").write_text("1")
    print("here", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("by_file", [False, True])
def test_one_run_at_a_time_and_a_kill_frees_the_folder(
    tmp_path: Path, by_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    hold = HOLD.replace("with ", "folder_lock.fcntl = None\nwith ", 1) if by_file else HOLD
    place = str(Path(monai_consingan.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([place, os.environ.get("PYTHONPATH", "")])}
    if by_file:
        monkeypatch.setattr(folder_lock, "fcntl", None)
    with subprocess.Popen([sys.executable, "-c", hold, str(out)], stdout=subprocess.PIPE, env=env) as other:
        assert other.stdout is not None and other.stdout.readline() == b"here\n"
        for overwrite in (False, True):
            said = "out is in use by another run: wait"
            with pytest.raises(ConSinGANError, match=said), output_folder(out, overwrite=overwrite):
                pass
        other.kill()
    with output_folder(out) as folder:
        assert list(folder.iterdir()) == []
        (folder / "y").write_text("2")
    assert [path.name for path in out.iterdir()] == ["y"]


def test_what_a_kill_left_gets_into_no_result(tmp_path: Path) -> None:
    (tmp_path / ".partial" / "folder").mkdir(parents=True)
    left = (f".{'0f' * 16}.tmp.label.nii.gz", "model.pt", "checkpoint-0a.pt", "folder/x")
    for name in left:
        (tmp_path / ".partial" / name).write_text("of another command")
    (tmp_path / f".{'0f' * 16}.tmp.checkpoint.pt").write_text("half")
    with output_folder(tmp_path) as folder:
        assert [path.name for path in folder.iterdir()] == ["checkpoint-0a.pt"]
        (folder / "x").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_hidden_folder_that_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").write_text("mine")
    (tmp_path / "out" / ".partial").symlink_to(tmp_path / "other")
    with output_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("1")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["mine"]
    (tmp_path / "out" / "images").symlink_to(tmp_path / "other")
    with pytest.raises(ConSinGANError, match="holds the link images, which leads out of it"):
        refuse_links(tmp_path / "out")


def test_files_of_an_earlier_result_go_with_it(tmp_path: Path) -> None:
    for name in ("model.pt", "naive.nii.gz", "image-003.png", "sample-001.nii.gz", "image.nii.gz", "notes.txt"):
        (tmp_path / name).write_text("old")
    (tmp_path / REPORT_NAME).write_text('{"command": "harmonize"}')
    with output_folder(tmp_path, overwrite=True) as folder:
        (folder / "image.nii.gz").write_text("new")
        assert (tmp_path / "model.pt").exists() and (tmp_path / REPORT_NAME).exists()
        (folder / REPORT_NAME).write_text("{}")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"image.nii.gz": "new", REPORT_NAME: "{}", "notes.txt": "old"}
    (tmp_path / "label.nii.gz").write_text("the user's: this report is none of ours")
    with output_folder(tmp_path, overwrite=True) as folder:
        (folder / "image.nii.gz").write_text("new")
    assert (tmp_path / "label.nii.gz").exists()


@pytest.mark.parametrize(
    "name",
    [
        "image.nii.gz",
        "label.png",
        "model.pt",
        "report.json",
        "sample-001.png",
        "sample-001.nii.gz",
        "image-000.png",
        ".",
    ],
)
def test_inputs_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for given in (tmp_path / "out" / name, tmp_path / "link" / name):
        for out in (tmp_path / "out", tmp_path / "link"):
            with pytest.raises(ConSinGANError, match="would take the place of"):
                check_inputs(out, [None, tmp_path / "scan.nii.gz", given])
    check_inputs(tmp_path / "out", [tmp_path / "out" / "scan.nii.gz", tmp_path / "out" / "case" / "image.nii.gz", None])
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


def test_report_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(
        path,
        {
            "numbers": [np.int64(3), np.float32(0.5), 1 / 3, True, None],
            "odd": {"nan": math.nan, "infinite": np.float64(np.inf)},
            "array": np.arange(3),
            "tuple": (range(2), "text"),
            "path": Path("/home/somebody/scan.nii.gz"),
            4: "key",
        },
    )
    assert json.loads(path.read_text()) == {
        "numbers": [3, 0.5, 0.333333, True, None],
        "odd": {"nan": None, "infinite": None},
        "array": [0, 1, 2],
        "tuple": [[0, 1], "text"],
        "path": "scan.nii.gz",
        "4": "key",
    }


def test_inputs_are_named_without_their_folders(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(b"numbers")
    described = describe_inputs({"host": tmp_path / "scan.nii", "host_label": None})
    assert described == {"host": {"file": "scan.nii", "sha256": hashlib.sha256(b"numbers").hexdigest()}}


def test_versions_name_what_numbers_depend_on() -> None:
    assert {"python", "torch", "monai", "numpy", "monai-consingan"} <= set(versions())


def test_every_input_is_read_once(tmp_path: Path) -> None:
    files = example()
    host = tmp_path / "host.nii.gz"
    shutil.copy(files.image, host)
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" and args[0] == str(host) else None)
    report = harmonize(LesionSource(host, host, files.label, donor_slice=4, host_slice=6), tmp_path / "out")
    assert opened.count(str(host)) == 1
    assert report["inputs"]["host"]["sha256"] == hashlib.sha256(host.read_bytes()).hexdigest()
    assert report["inputs"]["donor"] == report["inputs"]["host"]
