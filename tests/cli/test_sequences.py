"""Several sequences on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example


@pytest.fixture
def sequences(tmp_path: Path) -> list[Path]:
    """The packaged scan, and the same with its contrast turned around."""
    image = nib.load(example().image)
    values = np.asarray(image.dataobj)
    paths = [tmp_path / "case_t1c.nii.gz", tmp_path / "case_t2.nii.gz"]
    turned = np.where(values > 0, np.maximum(values.max() - values, 1), 0).astype(values.dtype)
    for path, array in zip(paths, (values, turned), strict=True):
        nib.save(nib.Nifti1Image(array, image.affine), path)
    return paths


def test_paste_and_remove_take_files_of_sequences(sequences: list[Path], tmp_path: Path, call: Any) -> None:
    files = [part for path in sequences for part in ("--host", path)]
    donors = [part for path in sequences[::-1] for part in ("--donor", path)]
    out = tmp_path / "out"
    label = ["--donor-label", example().label, "--donor-slice", 4]
    assert call("paste", *files, *donors, *label, "--output", out, "--lead", "t2").exit_code == 0
    assert json.loads((out / "report.json").read_text())["lead"] == "t2"
    assert (out / "image_t1c.nii.gz").is_file() and (out / "image_t2.nii.gz").is_file()
    images = [part for path in sequences for part in ("--image", path)]
    removed = ["--label", example().label, "--slice", 4, "--output", tmp_path / "removed", "--sequences", "t2,t1c"]
    assert call("remove", *images, *removed).exit_code == 0
    assert list(json.loads((tmp_path / "removed" / "report.json").read_text())["sequences"]) == ["t2", "t1c"]


def test_what_host_and_donor_do_not_share_is_one_sentence(sequences: list[Path], tmp_path: Path, refused: Any) -> None:
    scans = ["--host", sequences[0], *(part for path in sequences for part in ("--donor", path))]
    command, out = ["paste", *scans, "--donor-label", example().label], tmp_path / "out"
    told = refused(*command, out=out)
    assert "host has 1 sequence, but the donor t1c, t2" in told and "--sequences" in told
    assert "names, such as" in refused(*command, "--sequences", "t1c,", out=out, code=2)
