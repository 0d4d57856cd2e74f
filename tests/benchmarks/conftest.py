from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import nibabel
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))  # its files are commands, not a package


SavePatient = Callable[..., None]


@pytest.fixture(scope="session")
def save_patient() -> SavePatient:
    """Saves the sequences and the label of a patient: a brain of noise with a bright core in it."""
    random = np.random.default_rng(0)

    def save(
        folder: Path, number: int, core: np.ndarray, brain: np.ndarray, noise: float, bright: Mapping[str, float]
    ) -> None:
        """Save it; ``bright`` has by how much the core stands out in each sequence."""
        files = {"seg": 4 * core.astype(np.uint8)}
        for sequence, more in bright.items():
            image = 100 * (number + 1) * (1 + more * core + noise * random.standard_normal(core.shape))
            files[sequence] = np.where(brain, image, 0).astype(np.float32)
        for ending, values in files.items():
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"made-up-{number}_{ending}.nii.gz")

    return save


@pytest.fixture(scope="session")
def made_up_patients(tmp_path_factory: pytest.TempPathFactory, save_patient: SavePatient) -> Path:
    """A folder of four patients: a round brain of noise, and a bright ball in it, elsewhere in each."""
    folder = tmp_path_factory.mktemp("patients")
    grid = np.stack(np.mgrid[:104, :104, :16])
    for number in range(4):
        middle = np.array([35 + 10 * number, 50, 4])
        core = ((grid - middle[:, None, None, None]) ** 2).sum(0) < 5**2
        save_patient(folder, number, core, ((grid[:2] - 52) ** 2).sum(0) < 48**2, 0.1, {"t1ce": 1.0})
    return folder
