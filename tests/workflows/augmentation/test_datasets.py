from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import ScanSet, read_scans


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def listed(folder: Path, **content: Any) -> Path:
    path = folder / "datalist.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def summary(scans: ScanSet) -> list[tuple[str, str, str | None, str, int | None]]:
    root = scans.root

    def short(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(root).as_posix()

    return [(r.name, str(short(r.image)), short(r.label), r.split, r.fold) for r in scans.records]


def test_datalist(data_set: Path) -> None:
    scans = read_scans(data_set)
    assert scans.kind == "datalist"
    assert scans.head == {"name": "small", "labels": {"0": "background", "1": "tumour"}, "numTraining": 4}
    assert summary(scans) == [
        *[(f"image{n}", f"image{n}.nii.gz", f"label{n}.nii.gz", "training", n // 2) for n in range(4)],
        ("image4", "image4.nii.gz", "label4.nii.gz", "validation", None),
        ("image5", "image5.nii.gz", None, "test", None),
    ]
    assert scans.folds == [0, 1]
    assert [record.name for record in scans.of("validation")] == ["image4"]
    assert all(record.image.is_file() for record in scans.records)
    assert scans.records[1].entry == {"image": "image1.nii.gz", "label": "label1.nii.gz", "fold": 0}


def test_names_are_unlike_and_those_of_dicom_are_numbers(tmp_path: Path) -> None:
    touched(tmp_path, "a/t1.nii.gz", "b/t1.nii.gz", "DOE^JANE/1.dcm", "x/ROE.dcm")
    images = ["a/t1.nii.gz", "b/t1.nii.gz", "DOE^JANE", "x/ROE.dcm", "c c/only one.nii"]
    scans = read_scans(listed(tmp_path, training=[{"image": image} for image in images]))
    assert [record.name for record in scans.records] == ["t1", "t1_2", "scan-0002", "scan-0003", "only-one"]
    images = [["a_t1.nii", "a_t2.nii"], ["b/t1.nii", "b/t2.nii"]]  # names are of all sequences, not the first
    scans = read_scans(listed(tmp_path, training=[{"image": image} for image in images]))
    assert [record.name for record in scans.records] == ["a", "scan-0001"]
    scans = read_scans(listed(tmp_path, training=[{"image": "a/t1.nii.gz", "case": "p/1"}] * 2))
    assert [record.name for record in scans.records] == ["p-1", "p-1_2"]


def test_a_folder_with_a_datalist(tmp_path: Path) -> None:
    listed(tmp_path, training=[{"image": ["t1.nii.gz", "t1c.nii.gz"], "label": "l.nii.gz"}])
    assert read_scans(tmp_path, channel=1).records[0].image == tmp_path / "t1c.nii.gz"
    with pytest.raises(ConSinGANError, match="channels 0 to 1"):
        read_scans(tmp_path, channel=2)


def test_sequences_of_a_list(tmp_path: Path) -> None:
    entry = {"image": ["p_t1.nii.gz", "p_t1c.nii.gz", "p_t2.nii.gz"], "label": "l.nii.gz"}
    listed(tmp_path, training=[entry])
    (record,) = read_scans(tmp_path).records
    assert [path.name for path in record.images] == entry["image"] and record.sequences == ()
    (record,) = read_scans(tmp_path, sequences=["t2", "T1"]).records
    assert [path.name for path in record.images] == ["p_t2.nii.gz", "p_t1.nii.gz"]
    with pytest.raises(ConSinGANError, match="has t1, t1c, t2: give some"):
        read_scans(tmp_path, sequences=["flair"])
    with pytest.raises(ConSinGANError, match="leave one of them out"):
        read_scans(tmp_path, sequences=["t1"], channel=0)
    listed(tmp_path, training=[{"image": "whole.nii.gz"}], modality={"0": "FLAIR", "1": "T1w", "2": "t1gd"})
    assert read_scans(tmp_path).records[0].sequences == ("FLAIR", "T1w", "t1gd")
    (record,) = read_scans(tmp_path, sequences=["t1gd", "FLAIR"]).records
    assert (record.volumes, record.sequences) == ((2, 0), ("t1gd", "FLAIR"))
    (record,) = read_scans(tmp_path, channel=1).records
    assert (record.volumes, record.sequences) == ((1,), ("T1w",))


def test_sequences_of_bids(tmp_path: Path) -> None:
    names = ["T1w", "ce-gadolinium_T1w", "FLAIR"]
    touched(tmp_path, *(f"sub-0{n}/anat/sub-0{n}_{name}.nii.gz" for n in (1, 2) for name in names))
    assert [record.image.name for record in read_scans(tmp_path).records] == [
        f"sub-0{n}_ce-gadolinium_T1w.nii.gz" for n in (1, 2)
    ]
    first = read_scans(tmp_path, sequences=names[::-1]).records[0]
    assert [path.name for path in first.images] == [f"sub-01_{name}.nii.gz" for name in names[::-1]]
    assert first.sequences == tuple(names[::-1])
    with pytest.raises(ConSinGANError, match=r"anat has no scan of the sequence T2w"):
        read_scans(tmp_path, sequences=["T1w", "T2w"])
    touched(tmp_path, "sub-02/anat/sub-02_acq-b_FLAIR.nii.gz")
    with pytest.raises(ConSinGANError, match=r"several scans .* of the sequence FLAIR"):
        read_scans(tmp_path, sequences=names)
    assert len(read_scans(tmp_path, sequences=["acq-b_FLAIR"]).records) == 1


NNUNET = ["imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz", "labelsTr/a.nii.gz", "labelsTr/b.nii.gz"]


def test_nnunet(tmp_path: Path) -> None:
    touched(tmp_path, *NNUNET, "imagesTs/c_0000.nii.gz")
    head = {"channel_names": {"0": "T1c"}, "labels": {"background": 0, "tumour": 1}, "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    splits = [{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]
    (tmp_path / "splits_final.json").write_text(json.dumps(splits))
    scans = read_scans(tmp_path)
    assert (scans.kind, scans.head) == ("nnunet", head)
    assert summary(scans) == [
        ("a", NNUNET[0], NNUNET[2], "training", 1),
        ("b", NNUNET[1], NNUNET[3], "training", 0),
        ("c", "imagesTs/c_0000.nii.gz", None, "test", None),
    ]
    touched(tmp_path, "imagesTr/a_0001.nii.gz", "imagesTr/b_0001.nii.gz", "imagesTs/c_0001.nii.gz")
    assert read_scans(tmp_path, channel=1).records[0].image.name == "a_0001.nii.gz"
    head["channel_names"] = {"0": "T1", "1": "T1c"}
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    assert read_scans(tmp_path, channel=1).head["channel_names"] == {"0": "T1c"}
    (tmp_path / "splits_final.json").write_text(json.dumps([{"val": ["a"]}, {"val": ["a"]}]))
    with pytest.raises(ConSinGANError, match="case a is in the validation of the folds 0 and 1"):
        read_scans(tmp_path, channel=1)
    (tmp_path / "splits_final.json").write_text("[")
    with pytest.raises(ConSinGANError, match=r"splits_final\.json cannot be read"):
        read_scans(tmp_path, channel=1)
    (tmp_path / "labelsTr/a.nii.gz").unlink()
    (tmp_path / "splits_final.json").unlink()
    with pytest.raises(ConSinGANError, match=r"case a of .* has no label"):
        read_scans(tmp_path, channel=1)


def test_bids(tmp_path: Path) -> None:
    touched(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_ce-GADOLINIUM_T1w.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_ce-gd_T1w.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_FLAIR.nii.gz",
        "sub-03/anat/sub-03_ce-gd_T1w.nii",
        "derivatives/seg/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
        "derivatives/bet/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "derivatives/seg/sub-02/ses-1/anat/sub-02_ses-1_run-1_label-lesion_mask.nii.gz",
    )
    scans = read_scans(tmp_path)
    assert scans.kind == "bids"
    seg, first, second = "derivatives/seg", "sub-01/anat/sub-01", "sub-02/ses-1/anat/sub-02_ses-1"
    assert summary(scans) == [
        ("sub-01", f"{first}_ce-GADOLINIUM_T1w.nii.gz", f"{seg}/{first}_label-lesion_mask.nii.gz", "training", None),
        (
            "sub-02_ses-1",
            f"{second}_ce-gd_T1w.nii.gz",
            f"{seg}/{second}_run-1_label-lesion_mask.nii.gz",
            "training",
            None,
        ),
        ("sub-03", "sub-03/anat/sub-03_ce-gd_T1w.nii", None, "training", None),
    ]
    table = "participant_id\tsplit\tfold\nsub-01\tn/a\t1\nsub-02\tvalidation\t\nsub-03\tn/a\tn/a\n"
    (tmp_path / "participants.tsv").write_text(table)
    assert {(r.name, r.split, r.fold) for r in read_scans(tmp_path).records} == {
        ("sub-01", "training", 1),
        ("sub-02_ses-1", "validation", None),
        ("sub-03", "training", None),
    }
    touched(tmp_path, "derivatives/seg/sub-01/anat/sub-01_label-oedema_mask.nii.gz")
    with pytest.raises(ConSinGANError, match=r"several masks .*--lesion-mask"):
        read_scans(tmp_path)
    mask = read_scans(tmp_path, lesion_mask="label-oedema").records[0].label
    assert mask is not None and mask.name == "sub-01_label-oedema_mask.nii.gz"


BAD_LISTS: dict[str, tuple[dict[str, Any], str]] = {
    "no training": ({"validation": [{"image": "a.nii"}]}, "no list 'training'"),
    "empty training": ({"training": []}, "no list 'training'"),
    "no image": ({"training": [{"label": "a.nii"}]}, "entry 0 of 'training' .* names no image"),
    "fold": ({"training": [{"image": "a.nii", "fold": "one"}]}, "has the fold 'one'"),
    "labels": ({"training": [{"image": "a.nii", "label": ["a.nii", "b.nii"]}]}, "give one file"),
    "number": ({"training": [{"image": 5}]}, "has the image 5"),
    "no images": ({"training": [{"image": []}]}, "has no image"),
}


@pytest.mark.parametrize("kind", BAD_LISTS)
def test_bad_lists(tmp_path: Path, kind: str) -> None:
    content, words = BAD_LISTS[kind]
    with pytest.raises(ConSinGANError, match=words):
        read_scans(listed(tmp_path, **content))


@pytest.mark.parametrize(
    "content",
    [
        {"training": [{"image": "a.nii"}, {"image": "b.nii"}], "test": [{"image": "../data/a.nii"}]},
        {"training": [{"image": "a.nii", "fold": 0}, {"image": "a.nii", "fold": 1}]},
        {"training": [{"image": "a.nii", "fold": 0}, {"image": ["b.nii", "a.nii"]}]},
        {"training": [{"image": "a.nii"}], "validation": [{"image": "link.nii"}]},
    ],
)
def test_a_scan_in_two_splits_or_folds_is_a_leak(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.nii", "b.nii"):
        (tmp_path / "data" / name).write_text("")
    (tmp_path / "data" / "link.nii").symlink_to("a.nii")
    with pytest.raises(ConSinGANError, match=r"scan .*\.nii is in .*training.* and in .* list it once"):
        read_scans(listed(tmp_path / "data", **content))
    assert len(read_scans(listed(tmp_path / "data", training=[{"image": "a.nii"}] * 2)).records) == 2


@pytest.mark.parametrize("fold", [1, 1.0, "1"])
def test_folds_as_programs_write_them(tmp_path: Path, fold: Any) -> None:
    assert read_scans(listed(tmp_path, training=[{"image": "a.nii", "fold": fold}])).folds == [1]


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="does not exist"):
        read_scans(tmp_path / "none")
    with pytest.raises(ConSinGANError, match="is no data set that is known"):
        read_scans(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ConSinGANError, match="holds no dictionary"):
        read_scans(tmp_path / "list.json")
    (tmp_path / "list.json").write_text("{")
    with pytest.raises(ConSinGANError, match="cannot be read"):
        read_scans(tmp_path / "list.json")
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(ConSinGANError, match="has no scans to learn from"):
        read_scans(tmp_path)


def bids(folder: Path, table: str | bytes) -> Path:
    touched(folder, *(f"sub-0{n}/anat/sub-0{n}_T1w.nii.gz" for n in (1, 2, 3)))
    path = folder / "participants.tsv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return folder


SPLIT = {"sub-01": "training", "sub-02": "training", "sub-03": "test"}


@pytest.mark.parametrize(
    ("header", "prefix"),
    [
        ("participant_id\tsplit", "sub-"),
        ("\ufeffparticipant_id\tsplit", "sub-"),
        ("Participant_ID\tSplit ", ""),
    ],
)
def test_participants_as_they_come(tmp_path: Path, header: str, prefix: str) -> None:
    rows = [header, *(f"{prefix}{name[4:]}\t{split}" for name, split in SPLIT.items())]
    scans = read_scans(bids(tmp_path, "\r\n".join(rows)))
    assert {record.name: record.split for record in scans.records} == SPLIT


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no row for any of the subjects, such as sub-01"),
        ("participant_id\tsplit\n", "no row for any"),
        ("participant_id,split\nsub-01,test\n", "no row for any"),
        ("name\tsplit\nsub-01\ttest\n", "no row for any"),
        ("participant_id\tsplit\n1\ttest\n", "no row for any"),
        ("participant_id\tsplit\nsub-01\ttest\tx\n", "has 3 cells in line 2"),
        ("participant_id\tsplit\nsub-01\ttest\nsub-01\ttraining\n", "several rows for sub-01 that differ"),
        ("participant_id\tsplit\nsub-01\tTesting\nsub-02\t\nsub-03\t\n", "has the split 'Testing'"),
        ("participant_id\tname\nsub-01\tMüller\n".encode("latin-1"), "no UTF-8"),
    ],
)
def test_participants_that_say_nothing_are_refused(tmp_path: Path, table: str | bytes, words: str) -> None:
    with pytest.raises(ConSinGANError, match=words):
        read_scans(bids(tmp_path, table))


def test_subjects_without_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="has no row for sub-02, sub-03, which would be training scans"):
        read_scans(bids(tmp_path, "participant_id\tsplit\nsub-01\ttest\n"))


def test_brackets_in_names(tmp_path: Path) -> None:
    name = "sub-a[1]"
    touched(
        tmp_path, f"{name}/anat/{name}_T1w.nii.gz", f"derivatives/x/{name}_dseg.nii.gz", "imagesTr/c[1]_0000.nii.gz"
    )
    assert read_scans(tmp_path).records[0].label == tmp_path / f"derivatives/x/{name}_dseg.nii.gz"
    touched(tmp_path, "labelsTr/c[1].nii.gz")
    (tmp_path / "dataset.json").write_text("{}")
    assert read_scans(tmp_path).records[0].image.name == "c[1]_0000.nii.gz"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"file_ending": 5}, "file_ending 5"),
        ({"file_ending": "*"}, r"file_ending '\*'"),
        ({"labels": [1]}, r"labels \[1\]"),
        ({"labels": {"ignore": [2]}}, r"label \[2\] for 'ignore'"),
        ([], "holds no dictionary"),
    ],
)
def test_a_hostile_description(tmp_path: Path, head: Any, words: str) -> None:
    touched(tmp_path, *NNUNET)
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    with pytest.raises(ConSinGANError, match=rf"dataset\.json .*{words}"):
        read_scans(tmp_path)


def test_splits_of_another_data_set(tmp_path: Path) -> None:
    touched(tmp_path, *NNUNET)
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "splits_final.json").write_text(json.dumps([{"val": ["x"]}]))
    with pytest.raises(ConSinGANError, match="name no case of the data set, but such as x"):
        read_scans(tmp_path)


def test_the_label_that_is_reserved_for_what_nobody_annotated(tmp_path: Path) -> None:
    touched(tmp_path, *NNUNET)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "lesion": 1, "ignore": 2}}))
    assert {record.ignored for record in read_scans(tmp_path).records} == {(2,)}


def test_what_may_name_a_patient_is_not_passed_on(tmp_path: Path) -> None:
    touched(tmp_path, "a.nii.gz", "l.nii.gz", "brain.nii.gz")
    entry = {"image": "a.nii.gz", "label": ["l.nii.gz"], "fold": "1", "brain": "brain.nii.gz"}
    private = {"patient": "DOE^JANE", "id": 7, "PatientBirthDate": "19600102"}
    scans = read_scans(listed(tmp_path, training=[{**entry, **private}], name="set", patient="DOE^JANE"))
    (record,) = scans.records
    assert (record.entry, scans.head) == (entry, {"name": "set"})
    assert (record.fold, record.label) == (1, tmp_path / "l.nii.gz")


def test_an_entry_may_hold_texts_that_are_no_paths(tmp_path: Path) -> None:
    entry = {"image": "a.nii.gz", "comment": "seen before " * 30, "zero": "\0"}
    (record,) = read_scans(listed(tmp_path, training=[entry])).records
    assert record.entry == {"image": "a.nii.gz"}


def with_splits(folder: Path, splits: list[dict[str, list[str]]]) -> Path:
    """nnU-Net's raw data with the cases a to d and some splits."""
    touched(folder, *(f"imagesTr/{case}_0000.nii.gz" for case in "abcd"), *(f"labelsTr/{c}.nii.gz" for c in "abcd"))
    (folder / "dataset.json").write_text("{}")
    (folder / "splits_final.json").write_text(json.dumps(splits))
    return folder


def test_a_case_that_no_split_uses_is_left_alone(tmp_path: Path) -> None:
    splits = [{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]
    scans = read_scans(with_splits(tmp_path, splits))
    assert [(record.name, record.split, record.fold) for record in scans.records] == [
        *(("a", "training", 1), ("b", "training", 0), ("c", "test", None), ("d", "test", None))
    ]
    scans = read_scans(with_splits(tmp_path, [{"train": ["a", "c"], "val": ["b"]}]))  # a single split
    assert [(record.split, record.fold) for record in scans.records] == [
        *(("training", None), ("training", 0), ("training", None), ("test", None))
    ]


@pytest.mark.parametrize(
    ("train", "words"),
    [(["b"], "fold 1 of .* trains without case c"), (["a", "b", "c"], "fold 1 of .* trains with case a")],
)
def test_splits_that_train_with_other_cases_are_refused(tmp_path: Path, train: list[str], words: str) -> None:
    splits = [{"train": ["a", "c"], "val": ["b"]}, {"train": train, "val": ["a"]}]
    with pytest.raises(ConSinGANError, match=words):
        read_scans(with_splits(tmp_path, splits))


def test_a_folder_of_the_decathlon(tmp_path: Path) -> None:
    touched(tmp_path, "imagesTr/b_001.nii.gz", "imagesTr/._b_001.nii.gz", "labelsTr/b_001.nii.gz")
    entry = {"image": "./imagesTr/b_001.nii.gz", "label": "./labelsTr/b_001.nii.gz"}
    head = {"modality": {"0": "FLAIR", "1": "T1w"}, "training": [entry], "test": ["./imagesTs/b_002.nii.gz"]}
    (tmp_path / "dataset.json").write_text(json.dumps(head))
    scans = read_scans(tmp_path, sequences=["T1w"])
    assert (scans.kind, [record.name for record in scans.records]) == ("datalist", ["b_001", "b_002"])
    touched(tmp_path, "imagesTr/b_001_0000.nii.gz")
    (tmp_path / "imagesTr/b_001.nii.gz").unlink()  # as nnU-Net's first version converted it
    assert read_scans(tmp_path).kind == "nnunet"


def test_synthetic_scans_among_the_derivatives_are_not_the_masks_of_real_ones(tmp_path: Path) -> None:
    own = ("syn000", "syn000instances", "syn0002", "free", "freeremoved")
    made = [f"derivatives/made/sub-01/anat/sub-01_desc-{entity}_dseg.nii.gz" for entity in own]
    touched(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", *made)
    assert read_scans(tmp_path).records[0].label is None
    mask = "derivatives/x/sub-01/anat/sub-01_desc-synonym_dseg.nii.gz"
    touched(tmp_path, mask)
    assert read_scans(tmp_path).records[0].label == tmp_path / mask


def test_bids_files_of_several_kinds_are_refused(tmp_path: Path) -> None:
    touched(tmp_path, "sub-01/anat/sub-01_ce-gd_T1w.nii", "sub-02/anat/sub-02_ce-gd_T1w.nii")
    touched(tmp_path, "derivatives/l/sub-01_label-lesion_mask.nii", "derivatives/f/sub-02_dseg.nii")
    with pytest.raises(ConSinGANError, match="sub-01 has the mask label-lesion_mask, but sub-02 the mask dseg"):
        read_scans(tmp_path)
    assert [record.label is None for record in read_scans(tmp_path, lesion_mask="label-lesion").records] == [
        False,
        True,
    ]
    touched(tmp_path, "sub-03/anat/sub-03_T1w.nii")
    with pytest.raises(ConSinGANError, match=r"sub-01 has a T1w scan after contrast agent, but sub-03 .* without"):
        read_scans(tmp_path, lesion_mask="label-lesion")
    assert len(read_scans(tmp_path, lesion_mask="label-lesion", sequences=["ce-gd_T1w"]).records) == 2
