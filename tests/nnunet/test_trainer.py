"""nnU-Net itself plans, preprocesses and trains on a small data set of the packaged scan."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nnunet_home import DATASET, TRAIN, planned_home, started

from monai_consingan.data.lesion_bank import BANK_FILE, BANK_FORMAT, BANK_VERSION, save_lesion
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.nnunet import trainer_folder
from monai_consingan.nnunet.donors import bank_donors, fold_donors

pytest.importorskip("nnunetv2", reason="nnU-Net is not installed")
pytestmark = pytest.mark.xdist_group("nnunet")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's folders with a planned and preprocessed data set of two channels."""
    return planned_home(tmp_path_factory.mktemp("nnunet"))


class Fold:
    """A data set of nnU-Net in memory, which notes what is read."""

    def __init__(self, cases: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.cases, self.identifiers, self.read = cases, list(cases), list[str]()

    def load_case(self, name: str) -> tuple[Any, ...]:
        """What nnU-Net keeps of a case."""
        self.read.append(name)
        return (*self.cases[name], None, {})


def case(value: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A z-scored image of two channels, with a lesion unless its value is 0, and what nnU-Net marks as outside."""
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (2, 30, 30, 30)).astype(np.float32)
    label = np.zeros((1, 30, 30, 30), np.int16)
    label[:, :3] = -1
    image[:, :3] = 0
    if value:
        label[0, 12:18, 12:18, 12:18] = value
        image[:, 12:18, 12:18, 12:18] += 8
    return image, label


def bank(folder: Path) -> Path:
    """A bank of two lesions, one made of case0 and one of case3, of two sequences and in the intensities of scans."""
    rng = np.random.default_rng(0)
    label = np.zeros((14, 15, 16), np.int16)
    label[5:9, 5:10, 5:11] = 1
    image = rng.normal(400, 20, (2, *label.shape)).astype(np.float32)
    image[:, label > 0] += 200
    image[1] *= 2
    lesions = []
    for number in (1, 2):
        files = save_lesion(folder, number, image + number, label, np.ones(label.shape, bool), (1.0, 2.0, 3.0))
        about = {"donors": [number - 1], "fold": None, "level": 400.0, "diameter_mm": 8.0, "kind": "solid"}
        lesions.append({"number": number, "files": files, **about})
    hashes = {"image_sha256": "0", "label_sha256": "1"}
    donors = [{"scan": scan, "lesion": 1, "fold": None, **hashes} for scan in ("case0", "case3")]
    index = {"format": BANK_FORMAT, "version": BANK_VERSION, "lead": "a", "sequences": ["a", "b"]}
    (folder / BANK_FILE).write_text(json.dumps({**index, "donors": donors, "lesions": lesions}), encoding="utf-8")
    return folder


def test_donors_of_a_bank_lie_as_nnunets_arrays_and_none_is_made_of_a_validation_case(tmp_path: Path) -> None:
    (donor,) = bank_donors(bank(tmp_path), ["case3", "case4"], [2, 1, 0], ["B", "A"])
    assert donor.image.shape == (2, 16, 15, 14) and donor.image.pixdim.tolist() == [3.0, 2.0, 1.0]
    assert donor.image[0].mean() > 1.9 * donor.image[1].mean()  # the second sequence of the bank goes first
    assert np.asarray(donor.label)[0, 5:11, 5:10, 5:9].all() and (np.asarray(donor.label) > 0).sum() == 120
    assert [len(bank_donors(tmp_path, names, [2, 1, 0], ["x", "y"])) for names in ([], ["case0"])] == [2, 1]
    with pytest.raises(ConSinGANError, match="has no lesion that is made without the scans held out"):
        bank_donors(tmp_path, ["case0", "case3"], [2, 1, 0], ["a", "b"])
    with pytest.raises(ConSinGANError, match="has the sequences a, b, but the data set the channels x"):
        bank_donors(tmp_path, [], [2, 1, 0], ["x"])
    assert len(bank_donors(tmp_path, [], [2, 1, 0], ["A", "x"])) == 2
    with pytest.raises(ConSinGANError, match="the channels x, A, in another order"):
        bank_donors(tmp_path, [], [2, 1, 0], ["x", "A"])


def test_donors_of_a_bank_keep_what_is_the_lesion_and_what_its_oedema(tmp_path: Path) -> None:
    index = json.loads((bank(tmp_path) / BANK_FILE).read_text(encoding="utf-8"))
    index["asked"] = {"settings": {"lesion_labels": [1]}}
    (tmp_path / BANK_FILE).write_text(json.dumps(index), encoding="utf-8")
    donors = bank_donors(tmp_path, [], [2, 1, 0], ["a", "b"])
    assert [donor.lesion_labels for donor in donors] == [(1,), (1,)]


def test_donors_are_those_of_the_cases_that_are_given() -> None:
    fold = Fold({"a": case(1), "b": case(), "c": case(2)})
    donors = fold_donors(fold, (1.0, 1.0, 1.0))
    assert fold.read == ["a", "b", "c"]
    assert [int(donor.label.max()) for donor in donors] == [1, 2]
    assert all(donor.image.shape[0] == 2 and (donor.label > 0).sum() == 216 for donor in donors)
    assert len(fold_donors(fold, (1.0, 1.0, 1.0), lesion_labels=[2])) == 1
    for cases, ignored in (({"b": case()}, None), ({"c": case(3)}, 3)):
        with pytest.raises(ConSinGANError, match="None of the fold's 1 training cases has a lesion"):
            fold_donors(Fold(cases), (1.0, 1.0, 1.0), ignore_label=ignored)


def test_a_patch_gets_a_lesion_inside_of_what_is_annotated() -> None:
    import torch

    from monai_consingan.nnunet.transform import LesionTransform
    from monai_consingan.transforms import RandLesion

    donors = fold_donors(Fold({"a": case(2)}), (1.0, 1.0, 1.0))
    transform = LesionTransform(RandLesion(donors, match="none", spacing=(1.0, 1.0, 1.0), edge_mm=1.0))
    image, label = (torch.from_numpy(part) for part in case())
    changed = 0
    for seed in range(3):
        torch.manual_seed(seed)
        out = transform(image=image.clone(), segmentation=label.clone())
        torch.manual_seed(seed)
        again = transform(image=image.clone(), segmentation=label.clone())
        assert all(torch.equal(out[key], again[key]) for key in ("image", "segmentation"))
        assert (out["image"].dtype, out["segmentation"].dtype) == (torch.float32, torch.int16)
        new = out["segmentation"] != label
        assert set(out["segmentation"][new].tolist()) <= {2}
        assert torch.equal(out["segmentation"] == -1, label == -1)
        assert torch.equal(out["image"][:, :3], image[:, :3])
        changed += bool(new.any())
    assert changed
    assert transform(image=image, segmentation=torch.full_like(label, -1))["image"] is image


def test_what_a_missing_sequence_leaves_is_left_as_it_is() -> None:
    """Patches and donors of which a channel is constant neither stop a training nor get or give a lesion."""
    import torch

    from monai_consingan.nnunet.transform import LesionTransform
    from monai_consingan.transforms import RandLesion

    missing = case(2)
    missing[0][1] = 0
    with pytest.raises(ConSinGANError, match="None of the fold's 1 training cases has a lesion"):
        fold_donors(Fold({"a": missing}), (1.0, 1.0, 1.0))
    donors = fold_donors(Fold({"a": missing, "b": case(2)}), (1.0, 1.0, 1.0))
    assert len(donors) == 1
    transform = LesionTransform(RandLesion(donors, match="none", spacing=(1.0, 1.0, 1.0), edge_mm=1.0))
    for channel in (0, 1):
        image, label = (torch.from_numpy(part) for part in case())
        image[channel] = 0
        out = transform(image=image, segmentation=label)
        assert out["image"] is image and out["segmentation"] is label


def test_a_training_in_which_no_patch_gets_a_lesion_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from monai_consingan.nnunet.transform import LesionTransform
    from monai_consingan.transforms import RandLesion

    monkeypatch.setattr("monai_consingan.nnunet.transform._PATIENCE", 4)
    donors = fold_donors(Fold({"a": case(2)}), (1.0, 1.0, 1.0))
    image, label = (torch.from_numpy(part) for part in case())
    organ = torch.where(label == 0, torch.ones_like(label), label)  # no place is free of a label
    for first, count in ((organ, 1), (label, 0)):
        transform = LesionTransform(RandLesion(donors, match="none", spacing=(1.0, 1.0, 1.0), edge_mm=1.0))
        torch.manual_seed(0)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            for segmentation in [first] + [organ] * 6:
                transform(image=image, segmentation=segmentation)
        told = [str(one.message) for one in found if one.category is ConSinGANWarning]
        assert len(told) == count
        assert all("None of the first 4 patches got a lesion" in text and "fits nowhere" in text for text in told)


def test_nnunet_trains_with_lesions_of_the_fold(home: Path) -> None:
    run = started(
        home, TRAIN, "nnUNetTrainerLesions", "2", "2", nnUNet_lesions_probability="1", nnUNet_lesions_number="1,2"
    )
    assert run.returncode == 0, run.stderr[-3000:]
    results = home / "results" / DATASET / "nnUNetTrainerLesions__nnUNetPlans__3d_fullres" / "fold_0"
    assert (results / "checkpoint_final.pth").is_file()
    (log,) = results.glob("training_log_*.txt")
    text = log.read_text(encoding="utf-8")
    assert "lesions of 3 training cases go into 1 of the patches" in text
    assert "Epoch 1" in text and "train_loss nan" not in text


PATCHES = """
import sys, torch
from nnunetv2.run.run_training import get_trainer_from_args
torch.set_num_threads(1)
trainer = get_trainer_from_args("1", "3d_fullres", 0, "nnUNetTrainerLesions", device=torch.device("cpu"))
trainer.initialize()
loader, _ = trainer.get_dataloaders()
transform = loader.generator.transforms if hasattr(loader, "generator") else loader.data_loader.transforms
lesions = transform.transforms[0].transform.lesions
for _ in range(8):
    next(loader)
    for told in lesions.log:
        print("LOG", told.get("checks"), told.get("reason"))
"""


def test_nnunet_takes_the_lesions_of_a_bank(home: Path, tmp_path: Path) -> None:
    given = {"nnUNet_lesions_probability": "1", "nnUNet_lesions_bank": str(bank(tmp_path))}
    run = started(home, PATCHES, **given)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "1 lesions of" in run.stdout and "none made of a validation case, go into 1 of the patches" in run.stdout
    told = [line for line in run.stdout.splitlines() if line.startswith("LOG {")]
    assert told, run.stdout


def test_settings_of_the_environment_and_of_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    monkeypatch.setenv("nnUNet_extTrainer", str(trainer_folder()))
    found = recursive_find_trainer_class_by_name("nnUNetTrainerLesions")
    trainer = object.__new__(found)
    assert trainer._asked("number", int) == found.lesions_number
    assert trainer._asked("method", str) == ("tissue",)
    assert trainer._asked("match", str) == trainer._asked("bank", str) == ()
    monkeypatch.setenv("nnUNet_lesions_number", "2, 3")
    assert trainer._asked("number", int) == (2, 3)
    monkeypatch.setenv("nnUNet_lesions_number", "many")
    with pytest.raises(ConSinGANError, match="nnUNet_lesions_number is 'many': give int values"):
        trainer._asked("number", int)
