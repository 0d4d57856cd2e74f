"""A small data set of the published one's shape, made of the packaged example."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example


def published_values(image: np.ndarray, tumour: np.ndarray, lesion: int = 1) -> np.ndarray:
    """A mask whose values end in 1 for the brighter half of a tumour (enhancing) and in 2 for the darker (necrotic)."""
    inside = tumour > 0
    dark = image < np.median(image[inside])
    return np.where(inside, 10 * lesion + np.where(dark, 2, 1), 0).astype(np.uint8)


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, the second flipped and with two time points, each with another sequence and something else."""
    root = tmp_path_factory.mktemp("metastases")
    image, label = (nib.load(path) for path in (example().image, example().label))
    values = np.asarray(image.dataobj)
    mask = published_values(values, np.asarray(label.dataobj))
    for place, flip in (("DOE_JANE/2019", 1), ("SMITH_JOHN/2019", -1), ("SMITH_JOHN/2020", -1)):
        folder = root / place
        folder.mkdir(parents=True)
        for name, array in (("T1_gd", values), ("T1", values), ("FLAIR", values), ("Mask", mask)):
            nib.save(nib.Nifti1Image(array[::flip], image.affine), folder / f"{name}.nii.gz")
    (root / "clinical.xlsx").write_text("no volume")
    return root
