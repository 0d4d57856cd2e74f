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
from monai.data import DataLoader, Dataset, decollate_batch
from monai.transforms import Compose, SelectItemsd

from monai_consingan.cli import main
from monai_consingan.data import CASE_ITEMS, bundle_folder, example
from monai_consingan.errors import ConSinGANWarning
from monai_consingan.metrics import CheckInsertiond
from monai_consingan.transforms import InsertLesiond, LoadLesionLabeld, LoadScand
from monai_consingan.workflows import LesionSource, paste
from monai_consingan.workflows.outputs import write_report

from .conftest import SMALL

FILES = example()
COMMANDS = {
    "harmonization": [
        *("harmonize", "--host", str(FILES.image), "--donor", str(FILES.image), "--donor-label", str(FILES.label)),
        *("--donor-slice", "4", "--mass-effect", "0.3", "--method", "tissue-consingan"),
    ],
    "editing": ["remove", "--image", str(FILES.image), "--label", str(FILES.label)],
}
CASES = {
    "harmonization": {
        "host": FILES.image,
        "donor": FILES.image,
        "donor_label": FILES.label,
        "donor_slice": 4,
        "mass_effect": 0.3,
    },
    "editing": {"image": FILES.image, "label": FILES.label},
}


def raw(path: Path) -> np.ndarray:
    """Stored numbers of a NIfTI file."""
    return np.asarray(nib.load(path).dataobj)


def told(recorded: pytest.WarningsRecorder) -> list[str]:
    """What the bundle warned of, without the cases' names."""
    found = [str(warning.message) for warning in recorded if warning.category is ConSinGANWarning]
    return [text.split(": ", 1)[1].capitalize() for text in found]


def warned(folder: str) -> list[str]:
    """What the command warned of."""
    return [text.capitalize() for text in json.loads((Path(folder) / "report.json").read_text())["warnings"]]


@pytest.mark.parametrize(("task", "region"), [("harmonization", "roi"), ("editing", "slice")])
def test_images_have_the_same_bits(call: Any, task: str, region: str, recwarn: pytest.WarningsRecorder) -> None:
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
    assert told(recwarn) == warned("command")
    ours = torch.load(Path("command") / "model.pt", weights_only=True)["generator"]
    bundled = torch.load(Path("run") / "model.pt", weights_only=True)
    assert all(torch.equal(ours[name], bundled[name]) for name in ours)


def test_volumes_have_the_same_bits(call: Any, recwarn: pytest.WarningsRecorder) -> None:
    """The overlay of volumes is the command with its preset, on a head of noise with a small lesion."""
    rng, places = np.random.default_rng(0), np.stack(np.indices((50, 50, 50))) - 24.5
    label = (((places.T - np.array([10, 0, 1])) ** 2).T.sum(axis=0) < 4**2).astype(np.uint8)
    values = np.where((places**2).sum(axis=0) < 24**2, rng.normal(400, 20, label.shape), 0) + 300.0 * label
    for name, array in (("image", values.astype(np.int16)), ("label", label)):
        nib.save(nib.Nifti1Image(array, np.eye(4)), f"{name}.nii.gz")
    small = ["--iterations", "1", "--channels", "2"]
    given = ["--image", "image.nii.gz", "--label", "label.nii.gz", "--preset", "quick-3d", *small, "--seed", "3"]
    done = CliRunner().invoke(main, ["remove", *given, "--quiet", "--output", "command"])
    assert done.exit_code == 0, done.output
    Path("list.json").write_text(
        json.dumps([{name: str(Path(f"{name}.nii.gz").absolute()) for name in ("image", "label")}])
    )
    configs = bundle_folder("consingan_editing") / "configs"
    files = {name: str([str(configs / f"{part}.json") for part in (name, "volume")]) for name in ("train", "inference")}
    given = ["--datalist", "list.json", "--seed", "3", "--device", "cpu"]
    call("run", "--config_file", files["train"], *small, *given, "--output_dir", "run")
    call("run", "--config_file", files["inference"], *given, "--ckpt_path", "run/model.pt", "--output_dir", "results")
    (results,) = Path("results").iterdir()
    for name in ("image", "naive", "label", "alteration"):
        assert np.array_equal(raw(Path("command") / f"{name}.nii.gz"), raw(results / f"{results.name}_{name}.nii.gz"))
    assert told(recwarn) == warned("command")


def test_checks_are_those_of_the_report(tmp_path: Path) -> None:
    """Also of a case that makes choices of its own, and after it was made a batch."""
    chosen: dict[str, Any] = {"donor_slice": 4, "host_slice": 6, "mass_effect": 0.5, "lead": "1"}
    source = LesionSource(FILES.image, FILES.image, FILES.label, FILES.label, dims=2, **chosen)
    report = paste(source, tmp_path / "out", seed=3)
    steps = [
        LoadScand(["host", "donor"]),
        LoadLesionLabeld("donor_label", "donor"),
        LoadLesionLabeld("host_label", "host"),
        InsertLesiond(dims=2, seed=3),
        SelectItemsd(CASE_ITEMS, allow_missing_keys=True),
    ]
    files = {"host": FILES.image, "donor": FILES.image, "donor_label": FILES.label, "host_label": FILES.label}
    (batch,) = DataLoader(Dataset([files | chosen], Compose(steps)))
    (case,) = decollate_batch(batch)
    checks = CheckInsertiond(blended=False)({**case, "pred": case["image"]})["checks"]
    write_report(tmp_path / "checks.json", checks)
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["placement"]["axis"] == 2 and (case["before"] != case["host"]).any()
    assert json.loads((tmp_path / "checks.json").read_text()) == told["checks"]
