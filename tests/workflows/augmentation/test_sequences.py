"""Data sets of several sequences: all of them in, all of them out, in the form they came in."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.lesion_card import TILE
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins, read_scans
from monai_consingan.workflows.challenge import challenge
from monai_consingan.workflows.data_sets.records import load_files
from monai_consingan.workflows.reading import make_reading

NAMES = ("T1c", "T2")
BRIGHT = """
import sys, nibabel as nib, numpy as np
mask, first, *_ = sys.argv[1:]
image = nib.load(first)
values = np.asarray(image.dataobj).reshape(*image.shape[:3], -1)[..., 0]
nib.save(nib.Nifti1Image((values > np.percentile(values, 99)).astype(np.uint8), image.affine), mask)
"""
QUICK = AugmentSettings(method="naive", lesions=(1, 1), sizes={"small": 1, "medium": 1}, seam_margin=4)


def stored(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ascontiguousarray(array), affine), path)


@pytest.fixture(scope="session")
def cases(small: Any) -> Callable[[], Any]:
    """Two cases: (2, \\*spatial), the label and the affine; the second sequence has its contrast turned around."""

    def make() -> Any:
        image, label, affine = small
        for number in range(2):
            first = ((1 + 0.1 * number) * image).astype(np.int16)
            turned = np.where(first > 0, np.maximum(first.max() - 0.7 * first, 1), 0).astype(np.int16)
            yield number, np.stack([first, turned]), label, affine

    return make


@pytest.fixture
def nnunet(tmp_path: Path, cases: Any) -> Path:
    folder = tmp_path / "nnunet"
    for number, image, label, affine in cases():
        for channel, values in enumerate(image):
            write(folder / f"imagesTr/c{number}_{channel:04d}.nii.gz", values, affine)
        write(folder / f"labelsTr/c{number}.nii.gz", label, affine)
    names = {str(number): name for number, name in enumerate(NAMES)}
    head = {"channel_names": names, "labels": {"background": 0, "t": 1}, "file_ending": ".nii.gz", "numTraining": 2}
    (folder / "dataset.json").write_text(json.dumps(head))
    return folder


@pytest.fixture
def decathlon(tmp_path: Path, cases: Any) -> Path:
    folder, entries = tmp_path / "decathlon", []
    for number, image, label, affine in cases():
        write(folder / f"c{number}.nii.gz", np.moveaxis(image, 0, -1), affine)
        write(folder / f"l{number}.nii.gz", label, affine)
        entries.append({"image": f"c{number}.nii.gz", "label": f"l{number}.nii.gz"})
    content = {"modality": {str(number): name for number, name in enumerate(NAMES)}, "training": entries}
    (folder / "list.json").write_text(json.dumps(content))
    return folder / "list.json"


@pytest.fixture
def bids(tmp_path: Path, cases: Any) -> Path:
    folder = tmp_path / "bids"
    for number, image, label, affine in cases():
        for values, name in zip(image, ("ce-gadolinium_T1w", "T2w"), strict=True):
            write(folder / f"sub-{number}/anat/sub-{number}_{name}.nii.gz", values, affine)
        mask = f"derivatives/lesions/sub-{number}/anat/sub-{number}_label-lesion_mask.nii.gz"
        write(folder / mask, label, affine)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "two", "BIDSVersion": "1.9.0"}))
    return folder


def check_scan(folder: Path, told: dict[str, Any], originals: list[np.ndarray]) -> None:
    """Every sequence is there, changed in the new lesion and nowhere else, and the lesion is in all alike."""
    made = [stored(folder / path) for path in told["images"]]
    made = made if len(made) > 1 else list(np.moveaxis(made[0], -1, 0))
    numbers = stored(folder / told["instances"])
    new = np.isin(numbers, [lesion["instance"] for lesion in told["lesions"]])
    near = binary_dilation(new, iterations=6)  # as blends reach beyond the lesion
    assert len(made) == len(originals) == 2 and new.any()
    for before, after in zip(originals, made, strict=True):
        assert before.dtype == after.dtype and np.array_equal(before[~near], after[~near])
        assert (before != after)[new].mean() > 0.8
    assert (stored(folder / told["label"])[new] > 0).all()


def test_nnunet_gives_a_complete_raw_data_set(tmp_path: Path, nnunet: Path, tree: Any) -> None:
    out = tmp_path / "out"
    summary = augment(nnunet, out, QUICK)
    assert summary["made"] == 2 and summary["failed"] == {}
    for number in range(2):
        told = json.loads((out / f"images/c{number}_syn-000.json").read_text())
        assert told["images"] == [f"images/c{number}_syn-000_{channel:04d}.nii.gz" for channel in range(2)]
        assert told["sequences"] == list(NAMES) and list(told["lesions"][0]["sequences"]) == list(NAMES)
        check_scan(out, told, [stored(nnunet / f"imagesTr/c{number}_{channel:04d}.nii.gz") for channel in range(2)])
    head = json.loads((out / "dataset.json").read_text())
    assert head["channel_names"] == {"0": "T1c", "1": "T2"} and head["numTraining"] == 4
    for case in head["dataset"].values():
        assert len(case["images"]) == 2
        assert all((out / path).is_file() for path in (*case["images"], case["label"]))
    again = tmp_path / "again"
    augment(nnunet, again, QUICK, jobs=2)
    assert tree(out) == tree(again)
    assert sum(record.more != () for record in read_scans(out / "datalist.json").records) == 4
    with (out / "manifest.csv").open(newline="") as file:
        assert {len(row["image"].split()) for row in csv.DictReader(file)} == {2}


@pytest.mark.parametrize("kind", ["nnunet", "decathlon", "bids"])
def test_readings_and_challenges_take_what_was_made(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    data_set, out = request.getfixturevalue(kind), tmp_path / "out"
    given: dict[str, Any] = {"sequences": ("ce-gadolinium_T1w", "T2w")} if kind == "bids" else {}
    assert augment(data_set, out, QUICK, **given)["made"] == 2
    page = make_reading(out, data_set, tmp_path / "reading", number=4)
    for picture in (page.parent / "pictures").iterdir():
        assert Image.open(picture).height == 2 * TILE  # both sequences of real and synthetic cases
    segmenter = f"{sys.executable} -c {shlex.quote(BRIGHT)} {{mask}} {{image}}"
    report = challenge(segmenter, data_set, tmp_path / "asked", settings=QUICK, twins=False, progress=False, **given)
    assert len({lesion["scan"] for lesion in report["lesions"]}) == 2


@pytest.mark.parametrize("kind", ["nnunet", "decathlon", "bids"])
def test_what_was_made_reads_again_with_the_same_sequences(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    data_set, out = request.getfixturevalue(kind), tmp_path / "out"
    given: dict[str, Any] = {"sequences": ("ce-gadolinium_T1w", "T2w")} if kind == "bids" else {}
    assert augment(data_set, out, QUICK, **given)["made"] == 2
    found = [load_files(record)[1].names for record in read_scans(out).records]
    assert found == [given.get("sequences", NAMES)] * 4


@pytest.mark.parametrize("lacking", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("channel", [None, 0, 1])
def test_a_case_that_lacks_a_sequence_is_refused(nnunet: Path, lacking: tuple[int, ...], channel: int | None) -> None:
    head = json.loads((nnunet / "dataset.json").read_text())
    head["channel_names"]["2"] = "FLAIR"
    (nnunet / "dataset.json").write_text(json.dumps(head))
    write(nnunet / "imagesTr/c0_0002.nii.gz", np.ones((3, 3, 3), np.uint8), np.eye(4))
    for number in lacking:
        (nnunet / f"imagesTr/c0_{number:04d}.nii.gz").unlink()
    there = ", ".join(f"{number:04d}" for number in range(3) if number not in lacking)
    with pytest.raises(ConSinGANError, match=rf"case c0 of .* has images of the numbers {there}, where nnU-Net counts"):
        read_scans(nnunet, channel=channel)


def test_a_case_with_fewer_sequences_than_are_named_is_refused(nnunet: Path) -> None:
    head = json.loads((nnunet / "dataset.json").read_text())
    head["channel_names"]["2"] = "FLAIR"
    (nnunet / "dataset.json").write_text(json.dumps(head))
    with pytest.raises(ConSinGANError, match=r"case c0 of .* has 2 files of sequences, but the data set names 3"):
        read_scans(nnunet)


def test_a_reading_takes_the_sequence_that_was_chosen(tmp_path: Path, nnunet: Path) -> None:
    assert augment(nnunet, tmp_path / "out", QUICK, channel=0)["made"] == 2
    page = make_reading(tmp_path / "out", nnunet, tmp_path / "reading", number=4)
    assert {Image.open(path).height for path in (page.parent / "pictures").iterdir()} == {TILE}


def test_a_changed_second_sequence_is_noticed(tmp_path: Path, nnunet: Path) -> None:
    out = tmp_path / "out"
    augment(nnunet, out, QUICK)
    (out / "images" / "c0_syn-000_0001.nii.gz").unlink()
    path = nnunet / "imagesTr" / "c0_0001.nii.gz"
    write(path, stored(path) + 1, nib.load(path).affine)
    with pytest.raises(ConSinGANError, match=r"c0_0001.nii.gz of scan c0 has changed"):
        augment(nnunet, out, QUICK)


def test_decathlon_files_of_four_dimensions(tmp_path: Path, decathlon: Path) -> None:
    out = tmp_path / "out"
    assert augment(decathlon, out, QUICK)["made"] == 2
    told = json.loads((out / "images/c1_syn-000.json").read_text())
    assert told["images"] == ["images/c1_syn-000.nii.gz"]
    check_scan(out, told, list(np.moveaxis(stored(decathlon.parent / "c1.nii.gz"), -1, 0)))
    one = tmp_path / "one"
    assert augment(decathlon, one, replace(QUICK, seed=1), channel=1)["made"] == 2
    assert stored(one / "images/c1_syn-000.nii.gz").shape == stored(out / "labels/c1_syn-000.nii.gz").shape
    assert not (out / "real").exists()


@pytest.mark.parametrize("chosen", [{"channel": 1}, {"sequences": ["T2"]}, {"sequences": ["T2", "T1c"]}])
def test_lists_never_mix_scans_of_unlike_sequences(tmp_path: Path, decathlon: Path, chosen: dict[str, Any]) -> None:
    out, numbers = tmp_path / "out", [1, 0] if len(chosen.get("sequences", [])) > 1 else 1
    augment(decathlon, out, QUICK, **chosen)
    content = json.loads((out / "datalist.json").read_text())
    entries = [entry for entry in content["training"] if not entry.get("synthetic")]
    assert len(entries) == 2
    for number, entry in enumerate(entries):
        whole, taken = nib.load(decathlon.parent / f"c{number}.nii.gz"), nib.load(out / entry["image"])
        assert np.array_equal(taken.dataobj, np.asarray(whole.dataobj)[..., numbers])
        assert taken.get_data_dtype() == whole.get_data_dtype() and np.array_equal(taken.affine, whole.affine)
        assert taken.header["descrip"].item() == b""  # it is a real scan
    names = content.get("channel_names") or content.get("modality")
    assert [names[str(place)] for place in range(len(names))] == (["T2", "T1c"] if numbers == [1, 0] else ["T2"])
    again = {path: path.stat().st_mtime_ns for path in (out / "real").iterdir()}
    augment(decathlon, out, QUICK, **chosen)
    assert {path: path.stat().st_mtime_ns for path in (out / "real").iterdir()} == again


def test_a_channel_that_no_scan_has_is_told(tmp_path: Path, decathlon: Path) -> None:
    with pytest.raises(ConSinGANError, match="channels 0 to 1"):
        augment(decathlon, tmp_path / "out", QUICK, channel=2)


def test_bids_gives_a_derivative(tmp_path: Path, bids: Path) -> None:
    out = tmp_path / "out"
    assert augment(bids, out, QUICK, sequences=["ce-gadolinium_T1w", "T2w"])["made"] == 2
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "monai-consingan"
    place = out / "sub-0" / "anat"
    told = json.loads((place / "sub-0_desc-syn000_dseg.json").read_text())
    assert {path.name for path in place.iterdir()} == {
        "sub-0_ce-gadolinium_desc-syn000_T1w.nii.gz",
        "sub-0_desc-syn000_T2w.nii.gz",
        "sub-0_desc-syn000_dseg.nii.gz",
        "sub-0_desc-syn000_dseg.json",
        "sub-0_desc-syn000instances_dseg.nii.gz",
    }
    originals = [stored(bids / f"sub-0/anat/sub-0_{name}.nii.gz") for name in ("ce-gadolinium_T1w", "T2w")]
    check_scan(out, told, originals)
    assert augment(bids, out, QUICK, sequences=["ce-gadolinium_T1w", "T2w"])["made"] == 2  # goes on with nothing


def test_scans_of_different_sequences_are_refused(tmp_path: Path, decathlon: Path, cases: Any) -> None:
    _, image, _, affine = next(cases())
    write(decathlon.parent / "c1.nii.gz", image[0], affine)
    with pytest.raises(ConSinGANError, match=r"c0 has T1c, T2 and c1 has 1.*--sequences"):
        augment(decathlon, tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()


def test_lesions_are_measured_in_the_lead(tmp_path: Path, nnunet: Path) -> None:
    led = replace(QUICK, lead="T2")
    augment(nnunet, tmp_path / "out", led)
    told = json.loads((tmp_path / "out/images/c0_syn-000.json").read_text())
    assert {lesion["lead"] for lesion in told["lesions"]} == {"T2"} and told["settings"]["lead"] == "T2"
    assert told["lesions"][0]["seam"] == told["lesions"][0]["sequences"]["T2"]["seam"]
    with pytest.raises(ConSinGANError, match="lead is 'FLAIR', but scan c0 has the sequences T1c, T2"):
        augment(nnunet, tmp_path / "none", replace(QUICK, lead="FLAIR"))


def test_twins_lose_the_lesion_in_every_sequence(tmp_path: Path, decathlon: Path) -> None:
    out = tmp_path / "out"
    settings = TwinSettings(most_seam=9.0, most_contrast=5.0)
    assert free_twins(decathlon, out, settings)["made"] >= 1
    (path, *_) = sorted((out / "images").glob("*.json"))
    told = json.loads(path.read_text())
    before, after = (
        stored(folder) for folder in (decathlon.parent / f"{told['host']['scan']}.nii.gz", out / told["images"][0])
    )
    removed = stored(out / told["removed"]) > 0
    assert ((before != after)[removed].mean(axis=0) > 0.8).all()
    assert list(told["lesions"][0]["sequences"]) == list(NAMES)
