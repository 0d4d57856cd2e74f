from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from monai.data import MetaTensor
from PIL import Image
from scipy.ndimage import distance_transform_edt

from monai_consingan.cli import main
from monai_consingan.data.lesion_bank import LesionBank
from monai_consingan.errors import ConSinGANError
from monai_consingan.lesion_settings import GENERATION_METHODS, LesionSettings
from monai_consingan.models import bank as bank_of_models
from monai_consingan.transforms import load_bank
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions, read_donor
from monai_consingan.transforms.insertion.rand_lesion import RandLesion
from monai_consingan.workflows import lesions
from monai_consingan.workflows.harmonize import LesionSource, harmonize
from monai_consingan.workflows.lesion_generator import COPY, LesionGenerator, crops_of
from monai_consingan.workflows.lesion_review import keep_lesions
from monai_consingan.workflows.lesions import make_lesions
from monai_consingan.workflows.new_lesion import MAKERS, lesion_measures
from monai_consingan.workflows.review.decisions import FORMAT

SETTINGS = LesionSettings(diameter=(6, 10))


def _scene(seed: int, radius: float = 5.0, hollow: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(seed)
    away = np.sqrt(sum((g - 18) ** 2 for g in np.mgrid[:36, :36, :36]))
    image = 100 + 5 * rng.standard_normal(away.shape) + 100 * (away < radius) - 100 * (away < hollow)
    return image.astype(np.float32), (away < radius).astype(np.int16)


def _pair(*scenes: tuple[np.ndarray, np.ndarray]) -> tuple[Any, Any]:
    image = MetaTensor(torch.from_numpy(np.stack([scene[0] for scene in scenes])), affine=torch.eye(4))
    return image, MetaTensor(torch.from_numpy(scenes[0][1][None]), affine=torch.eye(4))


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Three training scans in two folds."""
    folder = tmp_path / "data"
    folder.mkdir()
    entries = []
    for number in range(3):
        image, label = _scene(number, 4.0 + number)
        for name, part in (("image", image), ("label", label)):
            nib.save(nib.Nifti1Image(part, np.eye(4)), folder / f"{name}{number}.nii.gz")
        entries.append({"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz", "fold": number // 2})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    return folder / "list.json"


@pytest.mark.parametrize("known", [{}, {"lead": 0}, {"lead": 0, "level": 100.0}, {"level": 100.0}])
def test_the_level_is_that_of_the_leading_sequence_wherever_a_lesion_is_taken(known: dict[str, Any]) -> None:
    values, label = _scene(0)
    around = np.where(np.sqrt(sum((g - 18) ** 2 for g in np.mgrid[:36, :36, :36])) < 11, 20, 0)
    bright, weak = values + 100 * label - around, 200 - values + 150 * label + around
    image, label_of = _pair((bright.astype(np.float32), label), (weak.astype(np.float32), label))
    (crop,) = crops_of(read_donor((image, label_of)))
    levels = crop.levels
    assert crop.lead == 0 and crop.level == levels[0] < 0 < levels[1]
    donor = read_donor((image, label_of))._replace(**known)
    if "level" in known:  # it is measured anew, in the crop of the donor
        (alone,) = crop_lesions(Donor(crop.image, crop.label[None], crop.valid[None]), crop.image, lead=1)
        levels = (100.0, alone.level)
        assert 0 < levels[1] < 10
    made = LesionGenerator([donor], LesionSettings(diameter=(8, 10), lead="2"))(0)
    assert made.about["level"] == made.donor.level == levels[1] and made.donor.lead == 1
    again = [crop_lesions(made.donor, made.donor.image, lead=lead)[0] for lead in (None, 1, 0)]
    assert [crop.lead for crop in again] == [1, 1, 0]
    assert [crop.level == levels[1] for crop in again] == [True, True, False]


@pytest.mark.parametrize("number", [0, 2])
def test_what_cannot_be_read_is_named(data_set: Path, tmp_path: Path, number: int) -> None:
    (data_set.parent / f"label{number}.nii.gz").write_bytes(b"no label")
    with pytest.raises(ConSinGANError, match=f"^label of image{number} cannot be read"):
        make_lesions(data_set, tmp_path / "bank", 2, SETTINGS)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_lesion_whose_values_have_few_voxels_each_is_not_measurable() -> None:
    image, label = _scene(0)
    label[:] = 0
    label[17:20, 17:20, 18] = [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    (crop,) = crops_of(read_donor(_pair((image, label))))
    with pytest.raises(ConSinGANError, match="contrast cannot be measured"):
        lesion_measures(Example.of(crop), ("1",), 0)


def test_every_method_has_a_maker() -> None:
    assert tuple(MAKERS) == GENERATION_METHODS


@pytest.mark.usefixtures("tiny_painter")
@pytest.mark.parametrize("method", GENERATION_METHODS)
def test_new_lesions_of_one_donor(method: str) -> None:
    generate = LesionGenerator([_pair(_scene(0, hollow=3.0), _scene(1))], LesionSettings(method, (6, 9)))
    made = [generate(number) for number in (0, 1)]
    for lesion in made:
        about = lesion.about
        assert 6 / 1.15 <= about["diameter_mm"] <= 9 * 1.15
        assert abs(about["value_cnr"]) >= 2
        assert set(about["cnr"]) == {"1", "2"}
        assert about["likeness"] < COPY
        assert lesion.donor.image.shape == (2, *lesion.crop.label.shape)
    assert made[0].about["diameter_mm"] != made[1].about["diameter_mm"]
    np.testing.assert_array_equal(made[0].crop.image, generate(0).crop.image)


def test_a_new_lesion_is_pasted_like_any_donor() -> None:
    lesion = LesionGenerator([_pair(_scene(0))], SETTINGS)(0)
    host = MetaTensor(torch.from_numpy(_scene(5, radius=0)[0][None]), affine=torch.eye(4))
    pasted = RandLesion(donors=[lesion.donor]).set_random_state(0)(host)
    assert pasted.mask.any()
    np.testing.assert_array_equal(pasted.label[0] > 0, pasted.mask[0] > 0)


def test_kinds_are_asked_for_or_missing() -> None:
    donors = [_pair(_scene(0, 6.0, hollow=3.5)), _pair(_scene(1, 6.0))]
    for kind, source in (("ring", 0), ("solid", 1)):
        lesion = LesionGenerator(donors, LesionSettings("procedural", (11, 13), kind))(0)
        assert (lesion.about["kind"], lesion.source) == (kind, source)
    with pytest.raises(ConSinGANError, match="1 x ring, 1 x solid"):
        LesionGenerator(donors, LesionSettings(kind="necrotic"))(0)


@pytest.mark.parametrize(
    ("donors", "why"),
    [
        ([], "no donors"),
        ([_pair(_scene(0)), _pair(_scene(0), _scene(1))], "donor 2 has the sequences 1, 2, but the first 1"),
        ([(np.zeros((1, 9, 9)), np.ones((1, 9, 9)))], "3 spatial axes"),
        ([_pair(_scene(0, radius=0.0))], "empty"),
    ],
)
def test_donors_that_will_not_do(donors: Any, why: str) -> None:
    with pytest.raises(ConSinGANError, match=why):
        LesionGenerator(donors)


def test_a_donor_of_one_voxel_teaches_nothing() -> None:
    with pytest.raises(ConSinGANError, match=r"no lesion to learn from: .* 1 voxels"):
        LesionGenerator([_pair(_scene(0, radius=0.5))])(0)


def test_what_never_passes_is_told() -> None:
    image, label = _scene(0, radius=0.0)
    label[15:20, 15:20, 15:20] = 1  # and nothing is to be seen there
    with pytest.raises(ConSinGANError, match=r"None of 2 draws of lesion 0 .*does not stand out"):
        LesionGenerator([_pair((image, label))], LesionSettings(attempts=2))(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "x"},
        {"kind": "x"},
        {"preset": "x"},
        {"diameter": (5, 4)},
        {"diameter": (0, 4)},
        {"attempts": 0},
        {"min_cnr": -1},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConSinGANError, match=f"{next(iter(wrong)).replace('_', ' ')} is"):
        LesionSettings(**wrong)


def test_a_bank_serves_its_donors_folds_only(data_set: Path, tmp_path: Path) -> None:
    index = make_lesions(data_set, tmp_path / "bank", 4, SETTINGS)
    assert [lesion["fold"] for lesion in index["lesions"]] == [0, 1, 0, 1]
    assert [lesion["donors"] for lesion in index["lesions"]] == [[0, 1], [2], [0, 1], [2]]
    assert len(load_bank(tmp_path / "bank")) == 4
    assert len(load_bank(tmp_path / "bank", held_out=0)) == 2
    assert len(load_bank(tmp_path / "bank", without=["image2"])) == 2
    assert len(load_bank(tmp_path / "bank", without=[index["donors"][0]["image_sha256"]])) == 2
    with pytest.raises(ConSinGANError, match="no lesion that is made without"):
        load_bank(tmp_path / "bank", held_out=0, without=["image2"])


def test_a_bank_tells_no_paths(data_set: Path, tmp_path: Path) -> None:
    make_lesions(data_set, tmp_path / "bank", 1, SETTINGS)
    names = ["bank.json", "lesions", "lesions.png", "review", "review.html"]
    assert sorted(path.name for path in (tmp_path / "bank").iterdir()) == names
    for name in ("bank.json", "review.html"):
        assert str(tmp_path) not in (tmp_path / "bank" / name).read_text(encoding="utf-8")


def test_a_bank_is_looked_at_lesion_by_lesion_beside_the_donors(data_set: Path, tmp_path: Path) -> None:
    index = make_lesions(data_set, tmp_path / "bank", 2, SETTINGS)
    page = (tmp_path / "bank" / "review.html").read_text(encoding="utf-8")
    entries = json.loads(page.split('<script type="application/json" id="content">')[1].split("</script>")[0])[
        "entries"
    ]
    for entry, lesion in zip(entries, index["lesions"], strict=True):
        assert (entry["kind"], entry["lesion"], entry["case"]) == ("made", lesion["number"], lesion["kind"])
        assert entry["donor"] == "{}, lesion {}".format(*lesion["source"])
        assert entry["numbers"]["diameter_mm"] == lesion["diameter_mm"]
        cards = {name: np.asarray(Image.open(tmp_path / "bank" / path)) for name, path in entry["cards"].items()}
        assert cards["before"].shape == cards["after"].shape == cards["outline"].shape[:2]
        assert (cards["before"] != cards["after"]).any()
        for column in range(3):  # both lesions lie in the middle of each plane
            middle = (slice(68, 76), slice(144 * column + 68, 144 * column + 76))
            assert min(cards[name][middle].mean() for name in ("before", "after")) > np.median(cards["after"]) + 40


def _decided(bank: Path, *verdicts: str) -> Path:
    page = (bank / "review.html").read_text(encoding="utf-8")
    content = json.loads(page.split('<script type="application/json" id="content">')[1].split("</script>")[0])
    decisions = dict(zip((entry["key"] for entry in content["entries"]), verdicts, strict=False))
    path = bank.parent / "decisions.json"
    path.write_text(json.dumps({"format": FORMAT, "run": content["run"], "decisions": decisions}))
    return path


def test_rejected_lesions_leave_the_bank_and_can_come_back(data_set: Path, tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    make_lesions(data_set, bank, 3, SETTINGS)
    whole = _bytes(bank)
    with pytest.raises(ConSinGANError, match="say nothing of 1 of 3 lesions"):
        keep_lesions(bank, _decided(bank, "accept", "reject"))
    kept = keep_lesions(bank, _decided(bank, "accept", "reject"), rest="keep")
    assert (kept["accepted"], len(kept["rejected_lesions"]), len(kept["not_decided"])) == (1, 1, 1)
    assert [told["number"] for told in LesionBank(bank).lesions] == [1, 3]
    assert len(load_bank(bank)) == 2
    for number, why in (
        (2, "was rejected in bank .*: give another"),
        (4, "is not in bank .*: give a number from 1 to 3"),
    ):
        with pytest.raises(ConSinGANError, match=f"lesion {number} {why}"):
            LesionBank(bank).chosen(number)
    assert {name for name, content in _bytes(bank).items() if content != whole[name]} == {"bank.json"}
    again = keep_lesions(bank, _decided(bank, "unsure", "accept", "accept"))
    assert [told["number"] for told in again["left_out"]] == [1]
    assert [told["number"] for told in LesionBank(bank).lesions] == [2, 3]
    assert LesionBank(bank).whole == json.loads(whole["bank.json"])
    before = _bytes(bank)
    with pytest.raises(ConSinGANError, match="leave no lesion of bank"):
        keep_lesions(bank, _decided(bank, "reject", "reject", "reject"))
    assert _bytes(bank) == before
    other = tmp_path / "other" / "bank"
    make_lesions(data_set, other, 2, SETTINGS)
    with pytest.raises(ConSinGANError, match="are of another run"):
        keep_lesions(bank, _decided(other, "accept", "reject"))


def test_pairs_are_donors_without_their_names(data_set: Path, tmp_path: Path) -> None:
    folder = data_set.parent
    pairs = [(folder / f"image{number}.nii.gz", folder / f"label{number}.nii.gz") for number in (0, 1)]
    index = make_lesions(pairs, tmp_path / "bank", 2, SETTINGS)
    assert [donor["scan"] for donor in index["donors"]] == ["donor1", "donor2"]
    assert {donor["fold"] for donor in index["donors"]} == {None}
    assert str(folder) not in (tmp_path / "bank" / "bank.json").read_text(encoding="utf-8")
    assert make_lesions(pairs, tmp_path / "bank", 2, SETTINGS) == index
    with pytest.raises(ConSinGANError, match="does not say what its sequences are"):
        make_lesions(pairs, tmp_path / "named", 2, SETTINGS, sequences=["t1"])
    assert not (tmp_path / "named").exists()


def test_the_command_takes_pairs_and_keeps_what_was_accepted(data_set: Path, tmp_path: Path) -> None:
    folder, bank = data_set.parent, tmp_path / "bank"
    files = [str(folder / f"{name}{number}.nii.gz") for number in (0, 1) for name in ("image", "label")]
    run = CliRunner().invoke(main, ["lesions", *files, "--output", str(bank), "--number", "2", "--diameter", "6,10"])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(main, ["keep", str(bank), "--decisions", str(_decided(bank, "accept", "reject"))])
    assert run.exit_code == 0, run.output
    assert "1 accepted, 1 rejected" in run.output
    assert len(load_bank(bank)) == 1
    run = CliRunner().invoke(main, ["lesions", *files[:3], "--output", str(tmp_path / "odd")])
    assert run.exit_code == 2
    assert "each IMAGE with its LABEL" in run.output


def test_a_killed_run_goes_on_to_the_same_bytes(
    data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_lesions(data_set, tmp_path / "whole", 3, SETTINGS)
    made: list[int] = []
    call = LesionGenerator.__call__

    def killed(self: LesionGenerator, number: int) -> Any:
        if number == 2 and len(made) == 2:
            raise KeyboardInterrupt
        made.append(number)
        return call(self, number)

    monkeypatch.setattr(LesionGenerator, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        make_lesions(data_set, tmp_path / "killed", 3, SETTINGS)
    (tmp_path / "killed" / "lesions" / "0001_label.nii.gz").write_bytes(b"damaged")
    (tmp_path / "killed" / "lesions" / f".{32 * 'a'}.tmp.0003_label.nii.gz").write_bytes(b"half")
    make_lesions(data_set, tmp_path / "killed", 3, SETTINGS)
    assert made == [0, 1, 0, 2]
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")


def test_a_complete_bank_is_given_or_refused(data_set: Path, tmp_path: Path) -> None:
    index = make_lesions(data_set, tmp_path / "bank", 1, SETTINGS)
    before = _bytes(tmp_path / "bank")
    assert make_lesions(data_set, tmp_path / "bank", 1, SETTINGS) == index
    with pytest.raises(ConSinGANError, match="made otherwise"):
        make_lesions(data_set, tmp_path / "bank", 2, SETTINGS)
    assert _bytes(tmp_path / "bank") == before


@pytest.mark.usefixtures("tiny_painter")
def test_a_network_of_each_fold_paints_and_is_not_trained_again(
    data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LesionSettings("painted", (7, 9))
    make_lesions(data_set, tmp_path / "whole", 3, settings)
    trained: list[int] = []
    train = bank_of_models.train_model

    def counted(slices: torch.Tensor, *args: Any, **how: Any) -> Any:
        trained.append(len(slices))
        return train(slices, *args, **how)

    def killed(self: Any, number: int, *args: Any) -> None:
        if number == 2:
            raise KeyboardInterrupt
        keep(self, number, *args)

    monkeypatch.setattr(bank_of_models, "train_model", counted)
    keep = lesions._Folder.keep
    monkeypatch.setattr(lesions._Folder, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        make_lesions(data_set, tmp_path / "killed", 3, settings)
    monkeypatch.setattr(lesions._Folder, "keep", keep)
    make_lesions(data_set, tmp_path / "killed", 3, settings)
    assert trained == [3, 3]  # one for each of two folds
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")


@pytest.mark.parametrize("part", ["image", "label"])
def test_scans_that_will_not_do_leave_nothing(data_set: Path, tmp_path: Path, part: str) -> None:
    for number in range(3):
        path = data_set.parent / f"{part}{number}.nii.gz"
        if part == "image":
            path.write_bytes(b"damaged")
        else:
            nib.save(nib.Nifti1Image(np.zeros((36, 36, 36), np.int16), np.eye(4)), path)
    with pytest.raises(ConSinGANError) as error:
        make_lesions(data_set, tmp_path / "bank", 1, SETTINGS)
    assert not (tmp_path / "bank").exists()
    assert str(data_set.parent) not in str(error.value)


def test_a_bank_is_read_whole(data_set: Path, tmp_path: Path) -> None:
    make_lesions(data_set, tmp_path / "bank", 2, SETTINGS)
    bank = LesionBank(tmp_path / "bank")
    for lesion, donor in zip(bank.lesions, load_bank(tmp_path / "bank"), strict=True):
        volume = float((donor.label > 0).sum())
        assert lesion["volume_mm3"] == pytest.approx(volume, rel=0.1)
        assert donor.level == lesion["level"]


def test_harmonize_takes_a_lesion_of_a_bank(data_set: Path, tmp_path: Path) -> None:
    index = make_lesions(data_set, tmp_path / "bank", 2, SETTINGS)
    host = tmp_path / "host.nii.gz"
    image = np.zeros((64, 64, 64), np.float32)
    image[8:56, 8:56, 8:56] = 100 + 5 * np.random.RandomState(9).standard_normal((48, 48, 48))
    nib.save(nib.Nifti1Image(image, np.eye(4)), host)
    harmonize(LesionSource(host, tmp_path / "bank", lesion=2), tmp_path / "out")
    label = np.asarray(nib.load(tmp_path / "out" / "label.nii.gz").dataobj)
    assert label.sum() == pytest.approx(index["lesions"][1]["volume_mm3"], rel=0.05)
    for source, why in (
        (LesionSource(host, tmp_path / "bank", lesion=3), "is not in bank .*: give a number from 1 to 2"),
        (LesionSource(host, tmp_path / "bank", host), "leave donor_label out"),
        (LesionSource(host, host), "has no label"),
    ):
        with pytest.raises(ConSinGANError, match=why):
            harmonize(source, tmp_path / "other")
        assert not (tmp_path / "other").exists()


def _saved(folder: Path, name: str, values: np.ndarray) -> Path:
    path = folder / f"{name}.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    return path


def _host(seed: int) -> np.ndarray:
    image = np.zeros((64, 64, 64), np.float32)
    image[8:56, 8:56, 8:56] = 100 + 5 * np.random.RandomState(seed).standard_normal((48, 48, 48))
    return image


@pytest.mark.parametrize("sequences", [None, ("flair", "t1c"), ("t1c",)])
def test_a_lesion_of_a_bank_keeps_its_sequences_apart(tmp_path: Path, sequences: tuple[str, ...] | None) -> None:
    bright, label = _scene(0)
    _saved(tmp_path, "label", label)
    for name, image in (("t1c", bright), ("flair", np.where(label > 0, bright - 150, bright).astype(np.float32))):
        _saved(tmp_path, f"donor_{name}", image)
    entry = {"image": ["donor_t1c.nii.gz", "donor_flair.nii.gz"], "label": "label.nii.gz"}
    (tmp_path / "list.json").write_text(json.dumps({"training": [entry]}), encoding="utf-8")
    make_lesions(tmp_path / "list.json", tmp_path / "bank", 1, SETTINGS)
    hosts = [_saved(tmp_path, f"host_{name}", _host(number)) for number, name in enumerate(("flair", "t1c"))]
    harmonize(LesionSource(hosts, tmp_path / "bank", sequences=sequences), tmp_path / "out")
    new = np.asarray(nib.load(tmp_path / "out" / "label.nii.gz").dataobj) > 0
    if sequences == ("t1c",):
        assert nib.load(tmp_path / "out" / "image.nii.gz").get_fdata()[new].mean() > 150
        return
    means = [nib.load(tmp_path / "out" / f"image_{name}.nii.gz").get_fdata()[new].mean() for name in ("t1c", "flair")]
    assert means[0] > 150 and means[1] < 80


def test_of_a_bank_nothing_is_taken_that_is_no_tissue(tmp_path: Path) -> None:
    image, label = _scene(0)
    away = np.sqrt(sum((g - 18) ** 2 for g in np.mgrid[:36, :36, :36]))
    swollen = (away < 9) & (label == 0) & (np.indices(away.shape)[0] < 18)
    swelling = _saved(tmp_path, "image", (image + 90 * swollen).astype(np.float32))
    marked = _saved(tmp_path, "label", (label + 2 * swollen).astype(np.uint8))
    make_lesions([(swelling, marked)], tmp_path / "bank", 1, LesionSettings(diameter=(9, 10), lesion_labels=(1,)))
    host = _host(1)
    harmonize(LesionSource(_saved(tmp_path, "host", host), tmp_path / "bank"), tmp_path / "out")
    changed = nib.load(tmp_path / "out" / "image.nii.gz").get_fdata() != host
    new = np.asarray(nib.load(tmp_path / "out" / "label.nii.gz").dataobj) > 0
    bank = LesionBank(tmp_path / "bank")
    _, mask, valid = (part.numpy()[0] > 0 for part in bank.load(bank.lesions[0]))
    barred = np.argwhere(~valid & ~mask) + np.argwhere(new).min(0) - np.argwhere(mask).min(0)
    barred = barred[((barred >= 0) & (barred < 64)).all(1)]
    near = distance_transform_edt(~new)[tuple(barred.T)] <= 2
    assert near.sum() > 100
    assert not changed[tuple(barred.T)].any()
