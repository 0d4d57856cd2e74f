"""The command line, the Python functions and the bundles are one workflow: they give the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from monai_consingan.cli import main
from monai_consingan.data import bundle_folder, example

from .conftest import SMALL

FILES = example()
COMMANDS = {
    "harmonization": [
        *("harmonize", "--host", str(FILES.image), "--donor", str(FILES.image), "--donor-label", str(FILES.label)),
        *("--donor-slice", "4", "--method", "tissue-consingan"),
    ],
    "editing": ["remove", "--image", str(FILES.image), "--label", str(FILES.label)],
}
CASES = {
    "harmonization": {"host": FILES.image, "donor": FILES.image, "donor_label": FILES.label, "donor_slice": 4},
    "editing": {"image": FILES.image, "label": FILES.label},
}


def raw(path: Path) -> np.ndarray:
    """Stored numbers of a NIfTI file."""
    return np.asarray(nib.load(path).dataobj)


@pytest.mark.parametrize("region", ["roi", "slice"])
@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_images_have_the_same_bits(call: Any, task: str, region: str) -> None:
    """A slice that goes where there is place for it, and all slices of a lesion."""
    small = ["--stages", "2", "--iterations", "2", "--channels", "4", "--region", region, "--seed", "3"]
    done = CliRunner().invoke(main, [*COMMANDS[task], *small, "--quiet", "--output", "command"])
    assert done.exit_code == 0, done.output
    Path("list.json").write_text(json.dumps([CASES[task]], default=str))
    configs = bundle_folder(f"consingan_{task}") / "configs"
    given = ["--datalist", "list.json", "--seed", "3", "--region", region]
    call("run", "--config_file", configs / "train.json", *SMALL, *given, "--output_dir", "run")
    inference = ["--config_file", configs / "inference.json", "--ckpt_path", "run/model.pt", "--device", "cpu"]
    call("run", *inference, *given, "--output_dir", "results")
    (results,) = Path("results").iterdir()
    for name in ("image", "naive", "label", "alteration"):
        assert np.array_equal(raw(Path("command") / f"{name}.nii.gz"), raw(results / f"{results.name}_{name}.nii.gz"))
    _check_weights(Path("command"), Path("run"))


def test_whole_slices_train_the_same_weights(call: Any) -> None:
    small = ["--stages", "2", "--iterations", "2", "--channels", "4", "--region", "slice", "--max-size", "64"]
    slices = [word for number in ("6", "7", "8", "9") for word in ("--slice", number)]
    command = ["train", str(FILES.image), "--task", "harmonization", *slices, "--min-size", "25"]
    done = CliRunner().invoke(main, [*command, *small, "--quiet", "--output", "command"])
    assert done.exit_code == 0, done.output
    configs = bundle_folder("consingan_harmonization") / "configs"
    merged = str([str(configs / "train.json"), str(configs / "slices.json")])
    given = ["--region", "slice", "--max_size", "64", "--min_size", "25", "--output_dir", "run"]
    call("run", "--config_file", merged, *SMALL, *given)
    _check_weights(Path("command"), Path("run"))


def _check_weights(command: Path, run: Path) -> None:
    ours = torch.load(command / "model.pt", weights_only=True)["generator"]
    bundled = torch.load(run / "model.pt", weights_only=True)
    assert ours.keys() == bundled.keys()
    assert all(torch.equal(ours[name], bundled[name]) for name in ours)
