"""The wheel holds all that users need: example and bundles too, where the repository is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from monai_consingan.data import BUNDLES

ROOT = Path(__file__).parents[1]
SOURCES = ["setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"]
SOURCES += ["monai_consingan", "bundles"]

CODE = """
from pathlib import Path
import monai.bundle, monai_consingan
from monai_consingan.data import BUNDLES, bundle_folder, example
assert Path(monai_consingan.__file__).is_relative_to(Path("installed").absolute()), monai_consingan.__file__
assert all(path.is_file() for path in (example().image, example().label, example().source))
for name in BUNDLES:
    configs = bundle_folder(name) / "configs"
    assert configs.is_relative_to(Path("installed").absolute()), configs
    monai.bundle.run(config_file=str(configs / "train.json"), stages=2, iterations=1, channels=2, device="cpu")
    monai.bundle.run(config_file=str(configs / "inference.json"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel unpacked in ``installed``, and nothing of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    build = "from setuptools.build_meta import build_wheel; build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    shutil.rmtree(source)
    return folder


def test_example_and_bundles_work_from_the_wheel(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=installed, env=environment, check=False, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    images = sorted(path.name for path in (installed / "predictions").rglob("*_image.nii.gz"))
    assert images == ["insert_image.nii.gz", "remove_image.nii.gz"]


def test_wheel_holds_the_bundles_and_no_tests(installed: Path) -> None:
    files = {path.relative_to(installed / "installed").as_posix() for path in (installed / "installed").rglob("*")}
    for name in BUNDLES:
        assert f"monai_consingan/bundles/{name}/models/model.pt" in files
        assert f"monai_consingan/bundles/{name}/docs/README.md" in files
    assert not any(file.startswith(("tests", "benchmarks")) or "__pycache__" in file for file in files)
