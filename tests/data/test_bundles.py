"""Finding the bundles that come with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monai_consingan.data import BUNDLES, bundle_folder
from monai_consingan.errors import ConSinGANError


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_are_complete(name: str) -> None:
    folder = bundle_folder(name)
    wanted = ["LICENSE", "configs/logging.conf", "configs/metadata.json", "docs/README.md", "docs/data_license.txt"]
    wanted += [f"configs/{config}.json" for config in ("train", "inference", "evaluate", "paper_1", "paper_4")]
    assert [path for path in wanted if not (folder / path).is_file()] == []
    assert not (folder / "scripts").exists()
    assert 0 < (folder / "models" / "model.pt").stat().st_size < 4e6


def test_a_copy_is_found_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, other = BUNDLES
    copy = tmp_path / "elsewhere"
    (copy / "configs").mkdir(parents=True)
    shutil.copy(bundle_folder(name) / "configs" / "metadata.json", copy / "configs")
    monkeypatch.chdir(copy)
    assert bundle_folder(name) == copy
    assert bundle_folder(other).name == other


def test_unknown_bundle() -> None:
    with pytest.raises(ConSinGANError, match="bundle is 'other', but must be one of consingan_harmonization"):
        bundle_folder("other")
