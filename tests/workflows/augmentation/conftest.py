"""A small data set made of the packaged scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example


@pytest.fixture(scope="session")
def small() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The packaged scan and label at half the resolution, and their affine."""
    image, label = (nib.load(path) for path in (example().image, example().label))
    halved = tuple(np.ascontiguousarray(np.asarray(part.dataobj)[::2, ::2]) for part in (image, label))
    return *halved, image.affine @ np.diag([2.0, 2.0, 1.0, 1.0])  # type: ignore[return-value]


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory, small: Any) -> Path:
    """A datalist with four training scans in two folds, one validation scan and a test scan."""
    folder = tmp_path_factory.mktemp("data")
    image, label, affine = small
    rng = np.random.default_rng(0)
    for number in range(6):
        grain = rng.normal(0, 0.01 * image.max(), image.shape)
        made = np.clip((1 + 0.1 * number) * image + grain, 0, None)
        parts = {"image": made.astype(np.int16), "label": label}
        for name, part in parts.items():
            part = part[::-1] if number % 2 else part
            nib.save(nib.Nifti1Image(np.ascontiguousarray(part), affine), folder / f"{name}{number}.nii.gz")
    pairs = [{"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz"} for number in range(5)]
    content = {
        "name": "small",
        "labels": {"0": "background", "1": "tumour"},
        "numTraining": 4,
        "training": [{**pair, "fold": number // 2} for number, pair in enumerate(pairs[:4])],
        "validation": [pairs[4]],
        "test": ["image5.nii.gz"],
    }
    (folder / "list.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "list.json"
