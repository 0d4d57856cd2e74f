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

from monai_consingan.data import example

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


def test_commands_of_the_page(call: Any, folder: Path) -> None:
    write_scans(folder.name.endswith("harmonization"))
    page = folder / "docs" / "README.md"
    first, *others = blocks(page, "sh")
    assert f"bundle_folder('{folder.name}')" in first
    commands = [line for block in others for line in block.splitlines()]
    assert len(commands) == 15
    for command in commands:
        python, flag, module, name, *arguments = shlex.split(command.replace("$BUNDLE", str(folder)))
        assert (python, flag, module) == ("python", "-m", "monai.bundle")
        if "/train.json" in command:
            arguments += [*SMALL, "--min_size", "32"]
        if "/paper_" in command or "/slices.json" in command:
            arguments += ["--max_size", "64"]
        call(name, *arguments)
    assert {path.name for path in Path("results").iterdir()} == {"a", "b"}
    assert len(list(Path("results_naive").rglob("*_image.nii.gz"))) == 1
    assert Path("model.ts").is_file()


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
