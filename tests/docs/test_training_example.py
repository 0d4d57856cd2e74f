"""``docs/training_example.py`` runs, in small."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import nibabel
import pytest
import torch
from monai.utils import set_determinism

from monai_consingan.data import example

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "training_example.py"


@pytest.mark.parametrize("own_data", [False, True])
def test_trains_with_and_without(own_data: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [str(SCRIPT), "--output", str(tmp_path / "unet"), "--epochs", "1", "--iterations", "1", "--prob", "1"]
    if own_data:
        case = {"image": "image.nii.gz", "label": "label.nii.gz"}
        for key, path in (("image", example().image), ("label", example().label)):
            nibabel.save(nibabel.load(path).slicer[::2, ::2], tmp_path / case[key])
        (tmp_path / "data.json").write_text(json.dumps({"training": [case], "validation": [case]}))
        command += ["--data", str(tmp_path / "data.json"), "--seed", "1"]
    monkeypatch.setattr(sys, "argv", command)
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        set_determinism(None)
    result = json.loads((tmp_path / "unet" / "result.json").read_text())
    assert result["without"]["lesions put in"] == {}
    put_in = result["with"]["lesions put in"]
    assert put_in and set(put_in) <= {"tissue-consingan", "no place"}
    assert all(0 <= run["dice"] <= 1 for run in result.values())
    weights = [torch.load(tmp_path / "unet" / f"{name}.pt", weights_only=True) for name in result]
    assert any(not torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
