from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.data import example, find_cases
from monai_consingan.errors import ConSinGANError

WANTED = ["host", "donor", "donor_label"]


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_a_folder_that_is_a_case(tmp_path: Path) -> None:
    touch(tmp_path, "host.nii.gz", "donor.nrrd", "donor_label.nii", "notes.txt")
    (case,) = find_cases(tmp_path, WANTED)
    assert case["case"] == "case" and case["donor"] == str(tmp_path / "donor.nrrd") and "host_label" not in case


def test_a_folder_for_every_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "a"):
        touch(tmp_path / "data" / name, "host.nii.gz", "donor.png", "donor_label.png", "host_label.nii.gz")
    touch(tmp_path / "data" / "c", "host.nii.gz")  # lacks a donor
    (tmp_path / "data" / "a" / "host.nii.gz").unlink()
    (tmp_path / "data" / "a" / "host").mkdir()  # a DICOM series
    cases = find_cases(tmp_path / "data", WANTED)
    assert [case["case"] for case in cases] == ["a", "b"]
    assert cases[0]["host"] == str(tmp_path / "data" / "a" / "host")
    monkeypatch.chdir(tmp_path)
    assert find_cases("data", WANTED) == cases


def test_a_list_in_the_folder_a_file_or_given(tmp_path: Path) -> None:
    touch(tmp_path, "x.nii.gz", "y.nii.gz")
    listed: list[dict[str, Any]] = [
        {"host": "x.nii.gz", "donor": "y.nii.gz", "donor_label": str(tmp_path / "y.nii.gz"), "donor_slice": 3},
        {"host": "x.nii.gz", "donor": "y.nii.gz", "donor_label": "y.nii.gz", "at": None},
    ]
    given = find_cases(tmp_path, WANTED, listed)
    assert [case["case"] for case in given] == ["x", "x_2"]
    assert given[0]["donor_slice"] == 3 and "at" not in given[1]
    assert given[0]["donor_label"] == str(tmp_path / "y.nii.gz")
    (tmp_path / "datalist.json").write_text(json.dumps({"editing": [], "harmonization": listed}))
    assert find_cases(tmp_path, WANTED, section="harmonization") == given
    (tmp_path / "other.json").write_text(json.dumps(listed))
    assert find_cases(tmp_path, WANTED, tmp_path / "other.json") == given


def test_of_a_data_set_the_training_scans_are_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.nii.gz").touch()
    lists = {"sequences": ["t1"], "validation": [{"image": "a.nii.gz"}], "training": [{"image": "b.nii.gz"}]}
    (tmp_path / "list.json").write_text(json.dumps(lists))
    assert [case["case"] for case in find_cases(tmp_path, ["image"], tmp_path / "list.json")] == ["b"]


def test_the_packaged_list_has_every_section() -> None:
    folder = example().image.parent
    assert find_cases(folder, WANTED, section="harmonization")[0]["donor_slice"] == 4
    assert find_cases(folder, ["image", "label"], section="editing")[0]["slice_index"] == 4
    assert find_cases(folder, ["image"], section="slices")[0]["slices"] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("datalist", "message"),
    [
        (None, r"There are no cases in .*: write a datalist.json there, or name files host.nii.gz"),
        ([], "There are no cases"),
        ([{"host": "x.nii.gz", "donor": "x.nii.gz"}], "Case 0 has no donor_label"),
        (
            [{"host": "no.nii.gz", "donor": "x.nii.gz", "donor_label": "x.nii.gz"}],
            r"host of case 0, .*no.nii.gz, does not",
        ),
        ("missing.json", "datalist missing.json cannot be read"),
    ],
)
def test_bad_lists(tmp_path: Path, datalist: Any, message: str) -> None:
    touch(tmp_path, "x.nii.gz")
    with pytest.raises(ConSinGANError, match=message):
        find_cases(tmp_path, WANTED, datalist)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=r"dataset_dir .*no is not a folder"):
        find_cases(tmp_path / "no", WANTED)


def test_names_are_safe_and_each_ones_own(tmp_path: Path) -> None:
    touch(tmp_path, "x.nii.gz")
    names = ["..", "a/x", "b/x", "a-x", "A-X", "1.2.840.1", "1.2.840.2", "../../etc"]
    cases = find_cases(tmp_path, ["image"], [{"image": "x.nii.gz", "case": name} for name in names])
    found = [case["case"] for case in cases]
    assert found == ["case-0000", "a-x", "b-x", "a-x_2", "A-X_3", "1.2.840.1", "1.2.840.2", "etc"]


def test_a_scan_of_several_sequences_is_a_list(tmp_path: Path) -> None:
    for name in ("t1.nii", "t2.nii", "l.nii"):
        (tmp_path / name).touch()
    (case,) = find_cases(tmp_path, ["image", "label"], [{"image": ["t1.nii", "t2.nii"], "label": "l.nii"}])
    assert case["image"] == [str(tmp_path.resolve() / name) for name in ("t1.nii", "t2.nii")]
    with pytest.raises(ConSinGANError, match="path of one file"):
        find_cases(tmp_path, ["image", "label"], [{"image": "t1.nii", "label": ["l.nii"]}])
    with pytest.raises(ConSinGANError, match=r"t3.nii, does not exist"):
        find_cases(tmp_path, ["image"], [{"image": ["t1.nii", "t3.nii"]}])
