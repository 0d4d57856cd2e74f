from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))  # its files are commands, not a package


@pytest.fixture(scope="session")
def made_up_patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four patients: a round brain of noise, and a bright ball in it, elsewhere in each."""
    folder = tmp_path_factory.mktemp("patients")
    random = np.random.default_rng(0)
    grid = np.stack(np.mgrid[:104, :104, :16])
    for number in range(4):
        middle = np.array([35 + 10 * number, 50, 4])
        core = ((grid - middle[:, None, None, None]) ** 2).sum(0) < 5**2
        brain = ((grid[:2] - 52) ** 2).sum(0) < 48**2
        image = np.where(brain, 100 * (number + 1) * (1 + core + 0.1 * random.standard_normal(core.shape)), 0)
        for ending, values in (("t1ce", image.astype(np.float32)), ("seg", 4 * core.astype(np.uint8))):
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"made-up-{number}_{ending}.nii.gz")
    return folder
