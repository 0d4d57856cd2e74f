"""nnU-Net itself plans, preprocesses and trains on a small data set of the packaged scan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.nnunet import fold_donors, trainer_folder

pytest.importorskip("nnunetv2", reason="nnU-Net is not installed")
pytestmark = pytest.mark.xdist_group("nnunet")

CASES = 5
PLAN = (
    "from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry as run; run()"
)
TRAIN = """
import sys, torch
from unittest.mock import patch
from nnunetv2.run.run_training import run_training
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name as find
torch.set_num_threads(1)
trainer = find(sys.argv[1])
class Short(trainer):
    def initialize(self):
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 2, 1
        super().initialize()
    def perform_actual_validation(self, *given, **more):
        pass
Short.__name__ = trainer.__name__
with patch("nnunetv2.run.run_training.recursive_find_trainer_class_by_name", lambda name: Short):
    run_training("1", "3d_fullres", 0, trainer_class_name=sys.argv[1], device=torch.device("cpu"))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nnU-Net's folders with a planned and preprocessed data set of two channels."""
    home = tmp_path_factory.mktemp("nnunet")
    raw = home / "raw" / "Dataset001_Small"
    image, label = (nib.load(path) for path in (example().image, example().label))
    rng = np.random.default_rng(0)
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for number in range(CASES):
        values = np.asarray(image.dataobj, np.float32)[::4, ::4]
        values = values + rng.normal(0, 0.01 * values.max(), values.shape)
        for channel in (0, 1):
            saved = nib.Nifti1Image(values.astype(np.float32) * (1 + channel), affine)
            nib.save(saved, raw / "imagesTr" / f"case{number}_000{channel}.nii.gz")
        lesion = (np.asarray(label.dataobj)[::4, ::4] > 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(lesion, affine), raw / "labelsTr" / f"case{number}.nii.gz")
    head = {"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "tumour": 1}, "numTraining": CASES}
    (raw / "dataset.json").write_text(json.dumps({**head, "file_ending": ".nii.gz"}))
    planned = started(home, PLAN, "-d", "1", "-c", "3d_fullres", "-np", "1", "-npfp", "1", nnUNet_n_proc_DA="1")
    assert planned.returncode == 0, planned.stderr[-2000:]
    splits = [{"train": ["case0", "case1", "case2"], "val": ["case3", "case4"]}]
    (home / "preprocessed" / "Dataset001_Small" / "splits_final.json").write_text(json.dumps(splits))
    return home


def started(home: Path, code: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A process in which nnU-Net finds its folders and the trainer."""
    folders = {f"nnUNet_{name}": str(home / name) for name in ("raw", "preprocessed", "results")}
    project = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [project, os.environ.get("PYTHONPATH")]))
    own = {"nnUNet_extTrainer": str(trainer_folder()), "nnUNet_n_proc_DA": "0", "PYTHONPATH": path}
    env = {**os.environ, **folders, **own, **more}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=env,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


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


def test_nnunet_trains_with_lesions_of_the_fold(home: Path) -> None:
    run = started(home, TRAIN, "nnUNetTrainerLesions", nnUNet_lesions_probability="1", nnUNet_lesions_number="1,2")
    assert run.returncode == 0, run.stderr[-3000:]
    results = home / "results" / "Dataset001_Small" / "nnUNetTrainerLesions__nnUNetPlans__3d_fullres" / "fold_0"
    assert (results / "checkpoint_final.pth").is_file()
    (log,) = results.glob("training_log_*.txt")
    text = log.read_text(encoding="utf-8")
    assert "lesions of 3 training cases go into 1 of the patches" in text
    assert "Epoch 1" in text and "train_loss nan" not in text


def test_settings_of_the_environment_and_of_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    monkeypatch.setenv("nnUNet_extTrainer", str(trainer_folder()))
    found = recursive_find_trainer_class_by_name("nnUNetTrainerLesions")
    trainer = object.__new__(found)
    assert trainer._asked("number", int) == found.lesions_number
    assert trainer._asked("method", str) == ("tissue",)
    monkeypatch.setenv("nnUNet_lesions_number", "2, 3")
    assert trainer._asked("number", int) == (2, 3)
    monkeypatch.setenv("nnUNet_lesions_number", "many")
    with pytest.raises(ConSinGANError, match="nnUNet_lesions_number is 'many': give int values"):
        trainer._asked("number", int)
