from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.data import example, load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import slice_view
from monai_consingan.transforms import head_slices
from monai_consingan.workflows.pictures import PictureSet, gather_pictures, result_file, result_folders, write_slices


def test_slices_are_scaled_to_8_bits_each(tmp_path: Path) -> None:
    volume = np.zeros((1, 5, 4, 3))
    volume[0, ..., 0] = np.arange(20).reshape(5, 4)
    volume[0, ..., 1] = 10.0 - np.arange(20).reshape(5, 4) / 2
    image = MetaTensor(torch.from_numpy(volume), affine=torch.diag(torch.tensor([-1.0, -1.0, 5.0, 1.0])))
    files = write_slices(image, tmp_path / "png", axis=2, slices=[0, 1, 2])
    assert [file.name for file in files] == ["0000.png", "0001.png"]  # the last slice is constant
    for index, file in enumerate(files):
        picture = Image.open(file)
        assert picture.mode == "L"
        values = slice_view(image, axis=2, index=index).values.astype(float)
        expected = (values - values.min()) / (values.max() - values.min()) * 255
        assert np.array_equal(np.asarray(picture), np.rint(expected))
    with pytest.raises(ConSinGANError, match="slice is 3"):
        write_slices(image, tmp_path / "more", axis=2, slices=[3])


def test_pictures_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.jpg", "notes.txt"):
        Image.new("L", (5, 5)).save(tmp_path / name, "PNG")
    found = gather_pictures(tmp_path, tmp_path / "work")
    assert [file.name for file in found.files] == ["a.png", "b.png", "c.jpg"]
    assert found.sources == ["a.png", "b.png", "c.jpg"]
    assert not (tmp_path / "work").exists()


def test_volumes_of_a_folder_are_sources(tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("one", "two"):
        save(f"scans/{name}.nii.gz", scan[0])
    slices = len(head_slices(load_scan(example().image), 2))
    found = gather_pictures(tmp_path / "scans", tmp_path / "work")
    assert found.sources == ["one.nii.gz"] * slices + ["two.nii.gz"] * slices
    assert len(set(found.files)) == 2 * slices
    alone = gather_pictures(example().image, tmp_path / "alone")
    assert [file.read_bytes() for file in alone.files] == [file.read_bytes() for file in found.files[:slices]]


def test_datalist_chooses_slices(tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]) -> None:
    save("a.nii.gz", scan[0])
    cases = [{"image": "a.nii.gz", "slices": [3, 5]}, {"image": str(example().image), "case": "patient"}]
    (tmp_path / "list.json").write_text(json.dumps({"test": cases}))
    found = gather_pictures(tmp_path / "list.json", tmp_path / "work")
    assert found.sources[:3] == ["a", "a", "patient"]
    assert [file.name for file in found.files[:2]] == ["0003.png", "0005.png"]


def test_results_give_what_was_altered(tmp_path: Path, inserted: Any, removed: Any) -> None:
    for folder, slices in ((inserted[0], ["0006.png"]), (removed[0], ["0004.png"])):
        assert result_folders(folder) == [folder]
        found = gather_pictures(folder, tmp_path / folder.parent.name)
        assert [file.name for file in found.files] == slices
        expected = write_slices(
            load_scan(folder / "image.nii.gz"), tmp_path / f"{folder.parent.name}e", slices=[int(slices[0][:4])]
        )
        assert found.files[0].read_bytes() == expected[0].read_bytes()
    assert result_folders(inserted[0].parent) == [inserted[0]]


def test_spread_keeps_the_ends() -> None:
    found = PictureSet([Path(f"{n}.png") for n in range(10)], [str(n // 5) for n in range(10)])
    assert found.spread(None) is found.spread(10) is found
    assert [file.stem for file in found.spread(3).files] == ["0", "4", "9"]
    assert found.spread(3).sources == ["0", "0", "1"]


def test_refuses_what_holds_no_set(tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ConSinGANError, match="does not exist"):
        gather_pictures(tmp_path / "none", tmp_path / "work")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConSinGANError, match=r"holds no pictures, no volumes and no results, and image .* DICOM"):
        gather_pictures(tmp_path / "empty", tmp_path / "work")
    save("a.nii.gz", scan[0])
    Image.new("L", (5, 5)).save(tmp_path / "a.png")
    with pytest.raises(ConSinGANError, match="pictures and volumes"):
        gather_pictures(tmp_path, tmp_path / "work")
    with pytest.raises(ConSinGANError, match=r"has no image\.nii\.gz or image\.png"):
        result_file(tmp_path, "image")
