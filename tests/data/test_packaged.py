from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from monai_consingan.data import BUNDLES, bundle_folder, example, load_label, load_scan
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


def test_example_is_what_it_says() -> None:
    found = example()
    image = load_scan(found.image)
    label = load_label(found.label, image=image)
    assert tuple(image.shape) == tuple(label.shape) == (1, 192, 224, 10)
    area = np.asarray(label[0] > 0).sum(axis=(0, 1))
    assert all(area[z] > 100 for z in found.tumour_slices)
    assert all(area[z] == 0 for z in found.free_slices)
    assert [*found.tumour_slices, *found.free_slices] == list(range(10))
    np.testing.assert_allclose(np.linalg.norm(image.affine[:3, :3], axis=0), [0.78125, 0.78125, 6.5], rtol=1e-6)


def test_source_has_licence_and_attribution() -> None:
    text = example().source.read_text(encoding="utf-8")
    for needed in ("Copyright 2017 Harvard Medical School", "AS IS", "RNYFUYE9", "licenses/by/3.0", "glioblastoma"):
        assert needed in text
