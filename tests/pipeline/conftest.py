from __future__ import annotations

from typing import Any

import nibabel
import pytest
from monai.utils import set_determinism

from monai_consingan.data import example


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The packaged example in every third column and row, which is faster: 64 x 75 x 10 voxels, with a lesion."""
    folder = tmp_path_factory.mktemp("scan")
    files = {}
    for key, path in (("image", example().image), ("label", example().label)):
        files[key] = str(folder / f"{key}.nii.gz")
        nibabel.save(nibabel.load(path).slicer[::3, ::3], files[key])
    return files


@pytest.fixture(scope="session")
def paste_settings(scan: dict[str, str]) -> dict[str, Any]:
    """Settings of a random paste of the example's own lesion."""
    return {"keys": "image", "donors": [scan], "label_key": "label", "axis": 2, "scale_range": (0.4, 0.7)}


@pytest.fixture
def determinism() -> Any:
    """Undo :py:func:`monai.utils.set_determinism` after a test."""
    yield
    set_determinism(None)
