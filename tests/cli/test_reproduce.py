from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example

TRIAL = ["--settings", "editing-2", "--slices", 1, "--iterations", 1, "--channels", 2]


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "P1"
    folder.mkdir(parents=True)
    label = nib.load(example().label)
    (folder / "t1c.nii.gz").write_bytes(example().image.read_bytes())
    nib.save(nib.Nifti1Image(11 * np.asarray(label.dataobj), label.affine), folder / "mask.nii.gz")
    return folder.parent


def test_says_what_was_matched_and_prints_the_table(
    call: Any, data_set: Path, inception_file: Path, tmp_path: Path
) -> None:
    args = ["reproduce", data_set, "--output", tmp_path / "out", "--inception", inception_file, "--dims", 64, *TRIAL]
    done = call(*args)
    assert done.exit_code == 0, done.output
    assert "scan 1: P1/t1c.nii.gz, mask P1/mask.nii.gz" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"Reproduced: {tmp_path / 'out'}"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    row = next(line for line in lines if line.split()[:3] == ["setting", "2", "184.1"])
    assert f"{report['groups'][0]['rows'][1]['seam']:.2f}" in row.split()
    assert lines[-1] == f"  look at  {tmp_path / 'out' / 'report.html'}"
    assert any(line.startswith("Warning: A trial") for line in lines)
    quiet = call(*args, "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_bad_input_ends_with_one_sentence(refused: Any, data_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sentence = refused("reproduce", data_set, "--settings", "editing-7", out=out)
    assert "settings has 'editing-7'" in sentence
    sentence = refused("reproduce", tmp_path / "none", out=out)
    assert sentence == f"Error: data set {tmp_path / 'none'} is not a folder: give the folder with the patients."
