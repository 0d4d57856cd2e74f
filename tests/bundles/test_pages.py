"""The bundles' pages: every command of them runs, on small settings."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_consingan.data import example
from monai_consingan.networks import load_generator

from .conftest import SMALL


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def write_scans(harmonizes: bool) -> None:
    """Two cases of a user, and one with a naive image, as the page says that they are named."""
    image, label = (nib.load(path) for path in (example().image, example().label))

    def write(path: str, source: Any, array: np.ndarray) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, source.affine, source.header), path)

    scan, tumour = np.asarray(image.dataobj), np.asarray(label.dataobj)
    for case in ("scans/a", "scans/b"):
        for name in ("host", "donor") if harmonizes else ("image",):
            part = scan[..., 5:] if name == "host" else scan[..., 3:6]
            write(f"{case}/{name}.nii.gz", image, part)
        write(f"{case}/{'donor_label' if harmonizes else 'label'}.nii.gz", label, tumour[..., 3:6])
        if harmonizes:
            write(f"{case}/host_label.nii.gz", label, tumour[..., 5:])
    naive = scan.copy()
    lesion = np.zeros_like(tumour)
    lesion[60:70, 80:90, 7] = 1
    naive[lesion > 0] += 200
    for name, source, array in (("image", image, naive), ("host", image, scan), ("lesion", label, lesion)):
        write(f"naive/{name}.nii.gz", source, array)


def write_volume(harmonizes: bool) -> None:
    """A case of a head of noise with a lesion, of 50 voxels a side."""
    rng, places = np.random.default_rng(0), np.stack(np.indices((50, 50, 50))) - 24.5
    label = (((places.T - np.array([10, 0, 1])) ** 2).T.sum(axis=0) < 4**2).astype(np.uint8)
    values = np.where((places**2).sum(axis=0) < 24**2, rng.normal(400, 20, label.shape), 0) + 300.0 * label
    folder = Path("volumes/a")
    folder.mkdir(parents=True)
    for name in ("host", "donor") if harmonizes else ("image",):
        nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), folder / f"{name}.nii.gz")
    for name in ("host_label", "donor_label") if harmonizes else ("label",):
        nib.save(nib.Nifti1Image(label, np.eye(4)), folder / f"{name}.nii.gz")


def test_commands_of_the_page(call: Any, folder: Path) -> None:
    write_scans(folder.name.endswith("harmonization"))
    write_volume(folder.name.endswith("harmonization"))
    page = folder / "docs" / "README.md"
    first, *others = blocks(page, "sh")
    assert f"bundle_folder('{folder.name}')" in first
    commands = [line for block in others for line in block.splitlines()]
    assert len(commands) == 20
    for command in commands:
        python, flag, module, name, *arguments = shlex.split(command.replace("$BUNDLE", str(folder)))
        assert (python, flag, module) == ("python", "-m", "monai.bundle")
        if "/train.json" in command and "/volume.json" in command:
            arguments += ["--iterations", "1", "--channels", "2", "--device", "cpu"]
        elif "/train.json" in command:
            arguments += [*SMALL, "--min_size", "32"]
        if "/paper_" in command or "/slices.json" in command:
            arguments += ["--max_size", "64"]
        call(name, *arguments)
    assert {path.name for path in Path("results").iterdir()} == {"a", "b"}
    assert len(list(Path("results_naive").rglob("*_image.nii.gz"))) == 1
    assert Path("model.ts").is_file()
    (result,) = Path("results_volume").rglob("*_image.nii.gz")
    given = "host" if folder.name.endswith("harmonization") else "image"
    image, altered, before = (
        np.asarray(nib.load(path).dataobj)
        for path in (result, str(result).replace("_image", "_alteration"), f"volumes/a/{given}.nii.gz")
    )
    assert altered.any() and np.array_equal(image[altered == 0], before[altered == 0])
    generator = load_generator("runs/volume/model.pt", task=folder.name.removeprefix("consingan_"))
    x = torch.rand(1, 1, *generator.stage_sizes[0], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(torch.jit.load("volume.ts")(x), generator(x))


def test_python_of_the_page(folder: Path, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(folder / "docs" / "README.md", "python")
    exec(compile(code, "page", "exec"), {})
    assert "[]" in capsys.readouterr().out.splitlines()
    assert len(list(Path("predictions").rglob("*_image.nii.gz"))) == 1


def test_module_runs_from_any_folder(folder: Path, tmp_path: Path) -> None:
    """As a user calls it: in a process of its own."""
    import os
    import subprocess

    import monai_consingan

    environment = {**os.environ, "PYTHONPATH": str(Path(monai_consingan.__file__).parents[1])}
    config = str(folder / "configs" / "inference.json")
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert len(list((tmp_path / "predictions" / folder.name).rglob("*_image.nii.gz"))) == 1
