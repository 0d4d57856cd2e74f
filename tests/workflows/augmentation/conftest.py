"""A small data set made of the packaged scan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example
from monai_consingan.workflows.augmentation import AugmentSettings, augment


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


@pytest.fixture
def with_oedema(tmp_path: Path, small: Any) -> Path:
    """A datalist of two scans with a lesion of the values 2 and 3 in oedema of value 1, and oedema by itself."""
    image, label, affine = small
    values, bright = np.zeros(label.shape, np.uint8), image.astype(np.int16)
    values[40:50, 80:88, 4:7], values[43:47, 82:86, 5:7], values[44:46, 83:85, 5] = 1, 2, 3
    values[60:64, 60:64, 2:4] = 1
    bright[values == 2] = 2 * image.max()
    entries = []
    for number in range(2):
        for name, part in (("image", bright + number), ("label", values)):
            nib.save(nib.Nifti1Image(part, affine), tmp_path / f"{name}{number}.nii.gz")
        entries.append({"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz"})
    (tmp_path / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    return tmp_path / "list.json"


@pytest.fixture(scope="session")
def quick() -> AugmentSettings:
    """One or two lesions for each scan, without a model."""
    return AugmentSettings(method="poisson", lesions=(1, 2), sizes={"small": 1, "medium": 1})


@pytest.fixture(scope="session")
def tree() -> Callable[..., dict[str, str]]:
    """Hashes of all files of a folder, but for those of the run's hidden state and of folders that are named."""

    def hashes(folder: Path, *leave_out: str) -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] not in (".augment", *leave_out)
        }

    return hashes


@pytest.fixture(scope="session")
def augmented(
    tmp_path_factory: pytest.TempPathFactory, data_set: Path, quick: AugmentSettings, tree: Any
) -> tuple[Path, dict[str, Any]]:
    """The data set, augmented without a disturbance by this process; the folder and the summary."""
    before = tree(data_set.parent)
    folder = tmp_path_factory.mktemp("augmented") / "out"
    summary = augment(data_set, folder, quick)
    assert tree(data_set.parent) == before
    return folder, summary
