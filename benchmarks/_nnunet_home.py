"""A small data set in folders of nnU-Net, and its processes. It needs nnU-Net only where these run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_consingan.data import example
from monai_consingan.nnunet import trainer_folder

DATASET = "Dataset001_Small"
_CASES = 5
_PLAN = (
    "from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry as run; run()"
)

TRAIN = """
import sys, time, torch
from unittest.mock import patch
from nnunetv2.run.run_training import run_training
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name as find
torch.set_num_threads(1)
trainer, epochs, iterations = find(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
class Short(trainer):
    def initialize(self):
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = epochs, iterations, 1
        super().initialize()
    def on_epoch_start(self):
        super().on_epoch_start()
        self.begin = time.process_time()
    def on_epoch_end(self):
        print("Epoch processor time:", time.process_time() - self.begin, "s")
        super().on_epoch_end()
    def perform_actual_validation(self, *given, **more):
        pass
Short.__name__ = trainer.__name__
with patch("nnunetv2.run.run_training.recursive_find_trainer_class_by_name", lambda name: Short):
    run_training("1", "3d_fullres", 0, trainer_class_name=sys.argv[1], device=torch.device("cpu"))
"""
"""A training of nnU-Net on the CPU: its arguments are the trainer, epochs, and iterations of an epoch."""


def planned_home(home: Path, shrink: int = 4) -> Path:
    """nnU-Net's folders with a planned and preprocessed data set of two channels: five noisy copies of the example.

    Three cases are for training and two for validation, whatever the fold.

    Args:
        home: folder for them.
        shrink: every so many pixels of the packaged scan are taken, of 192 x 224.
    """
    raw = home / "raw" / DATASET
    image, label = (nib.load(path) for path in (example().image, example().label))
    rng = np.random.default_rng(0)
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for number in range(_CASES):
        values = np.asarray(image.dataobj, np.float32)[::shrink, ::shrink]
        values = values + rng.normal(0, 0.01 * values.max(), values.shape)
        for channel in (0, 1):
            saved = nib.Nifti1Image(values.astype(np.float32) * (1 + channel), affine)
            nib.save(saved, raw / "imagesTr" / f"case{number}_000{channel}.nii.gz")
        lesion = (np.asarray(label.dataobj)[::shrink, ::shrink] > 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(lesion, affine), raw / "labelsTr" / f"case{number}.nii.gz")
    head = {"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "tumour": 1}, "numTraining": _CASES}
    (raw / "dataset.json").write_text(json.dumps({**head, "file_ending": ".nii.gz"}))
    planned = started(home, _PLAN, "-d", "1", "-c", "3d_fullres", "-np", "1", "-npfp", "1", nnUNet_n_proc_DA="1")
    if planned.returncode:
        raise RuntimeError(planned.stderr[-2000:])
    splits = [{"train": ["case0", "case1", "case2"], "val": ["case3", "case4"]}]
    (home / "preprocessed" / DATASET / "splits_final.json").write_text(json.dumps(splits))
    return home


def started(home: Path, code: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process in which nnU-Net finds its folders and the trainer.

    Args:
        home: the folder of nnU-Net's folders.
        code: what runs.
        words: its arguments.
        more: other environment variables; ``nnUNet_n_proc_DA`` is 0, in one process, unless it is among them.
    """
    folders = {f"nnUNet_{name}": str(home / name) for name in ("raw", "preprocessed", "results")}
    project = str(Path(__file__).parents[1])
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
