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
from monai_consingan.workflows import LesionTarget, remove
from monai_consingan.workflows.pictures import PictureSet, gather_pictures, write_slices
from monai_consingan.workflows.results import result_file, result_folders


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


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        (["a_t1", "a_t1ce", "b_t1", "b_t1ce"], ["a", "b"]),
        (["a_0000", "a_0001", "b_0000", "b_0001"], ["a", "b"]),
        (["a_FLAIR", "a_seg"], ["a_FLAIR.nii.gz"]),
        (["scan_0000", "scan_0001"], ["scan_0000.nii.gz", "scan_0001.nii.gz"]),
        (["scan_1", "scan_2"], ["scan_1.nii.gz", "scan_2.nii.gz"]),
        (["sub-1_ses-1_T1w", "sub-1_ses-2_T1w", "sub-2_ses-1_T1w"], ["sub-1", "sub-2"]),
    ],
)
def test_sequences_of_a_case_are_one_source(
    tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray], names: list[str], sources: list[str]
) -> None:
    (tmp_path / "scans").mkdir()
    for name in names:
        save(f"scans/{name}.nii.gz", scan[0])
    lead = {"a_t1": "t1ce", "a_0000": "0001"}.get(names[0])
    if lead:
        with pytest.raises(ConSinGANError, match=r"case a \S+ has the sequences .*, of which pictures show one"):
            gather_pictures(tmp_path / "scans", tmp_path / "none")
    found = gather_pictures(tmp_path / "scans", tmp_path / "work", lead=lead)
    assert list(dict.fromkeys(found.sources)) == sources


def test_datalist_chooses_slices(tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]) -> None:
    save("a.nii.gz", scan[0])
    cases = [{"image": "a.nii.gz", "slices": [3, 5]}, {"image": str(example().image), "case": "patient"}]
    (tmp_path / "list.json").write_text(json.dumps({"test": cases}))
    found = gather_pictures(tmp_path / "list.json", tmp_path / "work")
    assert found.sources[:3] == ["a", "a", "patient"]
    assert [file.name for file in found.files[:2]] == ["0003.png", "0005.png"]


@pytest.mark.parametrize("key", ["channel_names", "modality"])
def test_datalist_names_the_sequences(tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray], key: str) -> None:
    files = ["sub-1_acq-a_T1w.nii.gz", "sub-1_desc-syn000_FLAIR.nii.gz"]
    for number, file in enumerate(files):
        values = scan[0] + number * np.arange(len(scan[0]))[:, None, None]
        save(file, values.astype(np.float32))
    case = {"image": files, "slices": [3]}
    (tmp_path / "list.json").write_text(json.dumps({key: {"0": "T1w", "1": "FLAIR"}, "training": [case]}))
    found = gather_pictures(tmp_path / "list.json", tmp_path / "work", lead="FLAIR")
    like = write_slices(load_scan(tmp_path / files[1]), tmp_path / "like", slices=[3])
    assert [file.read_bytes() for file in found.files] == [file.read_bytes() for file in like]


def test_of_an_augmented_data_set_the_real_or_the_synthetic_scans(
    tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    cases = [{"image": str(save(f"{name}.nii.gz", scan[0])), "slices": [3]} for name in ("real", "made")]
    cases[1]["synthetic"] = True
    (tmp_path / "list.json").write_text(json.dumps({"training": cases}))
    for synthetic, names in ((None, ["real", "made"]), (False, ["real"]), (True, ["made"])):
        found = gather_pictures(tmp_path / "list.json", tmp_path / f"work {synthetic}", synthetic=synthetic)
        assert found.sources == names
    (tmp_path / "list.json").write_text(json.dumps({"training": cases[:1]}))  # a list that does not tell
    assert gather_pictures(tmp_path / "list.json", tmp_path / "work", synthetic=True).sources == ["real"]


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


def test_results_of_several_sequences_give_the_lead(
    tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    other = np.where(scan[0] > 0, 2000 - scan[0], 0).clip(0).astype(scan[0].dtype)
    files = [save(f"case_{name}.nii.gz", array) for name, array in (("flair", other), ("t1c", scan[0]))]
    folder = tmp_path / "out"
    remove(LesionTarget(files, example().label, slice_index=4, lead="t1c"), folder)
    found = gather_pictures(folder, tmp_path / "work")
    assert [file.name for file in found.files] == ["0004.png"]
    expected = write_slices(load_scan(folder / "image_t1c.nii.gz"), tmp_path / "expected", slices=[4])
    assert found.files[0].read_bytes() == expected[0].read_bytes()
    (tmp_path / "list.json").write_text(json.dumps([{"image": [str(file) for file in files], "slices": [4]}]))
    for place, lead in ((folder, "flair"), (tmp_path / "list.json", "T1c")):
        chosen = gather_pictures(place, tmp_path / lead, lead=lead)
        like = write_slices(load_scan(folder / f"image_{lead.lower()}.nii.gz"), tmp_path / f"{lead}e", slices=[4])
        assert (chosen.files[0].read_bytes() == like[0].read_bytes()) == (place == folder)  # a lesion is in the list's
    with pytest.raises(ConSinGANError, match=r"image of case \S+ has the sequences flair, t1c, of which"):
        gather_pictures(tmp_path / "list.json", tmp_path / "none")


@pytest.mark.parametrize("number", [0, 1])
def test_a_4d_file_shows_the_sequence_that_is_chosen(
    tmp_path: Path, save: Any, scan: tuple[np.ndarray, np.ndarray], number: int
) -> None:
    volumes = [scan[0], scan[0][::-1]]
    path, alone = save("both.nii.gz", np.stack(volumes, axis=-1)), save("alone.nii.gz", volumes[number])
    found = gather_pictures(path, tmp_path / "work", lead=str(number + 1))
    expected = gather_pictures(alone, tmp_path / "expected")
    assert [file.read_bytes() for file in found.files] == [file.read_bytes() for file in expected.files]
    with pytest.raises(ConSinGANError, match=r"both\.nii\.gz has the sequences 1, 2, of which"):
        gather_pictures(path, tmp_path / "none")


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
