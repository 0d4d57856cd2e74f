from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_consingan.data import example, load_scan
from monai_consingan.engines import TrainingCheckpoint
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import TrainedModel
from monai_consingan.transforms import head_slices
from monai_consingan.workflows import LesionSource, harmonize
from monai_consingan.workflows.train import train_run
from monai_consingan.workflows.training_slices import take_slices

SLICES = [6, 7]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trained") / "run"
    report = train_run([example().image], folder, task="generation", settings=tiny("generation"), slices=SLICES)
    assert report is not None
    return folder, report


def test_leaves_model_figure_and_report(trained: Any) -> None:
    folder, report = trained
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "model.pt", "report.json"]
    assert json.loads((folder / "report.json").read_text())["fingerprint"] == report["fingerprint"]
    assert {"inputs", "settings", "versions", "seed", "seconds", "slices_taken"} <= set(report)
    assert report["slices_taken"][0]["slices"] == SLICES
    assert TrainedModel.load(folder, task="generation").image_size == (192, 224)


def test_killed_run_resumes_to_the_same_bytes(trained: Any, killed: Path, tiny: Any) -> None:
    run = killed / "train"
    assert [path.name for path in run.iterdir()] == ["checkpoint.pt"]
    wanted = {"task": "generation", "settings": tiny("generation"), "slices": SLICES}
    with pytest.raises(ConSinGANError, match="not empty"):
        train_run([example().image], run, **wanted)
    with pytest.raises(ConSinGANError, match="other images, settings or seed"):
        train_run([example().image], run, resume=True, seed=5, **wanted)
    report = train_run([example().image], run, resume=True, **wanted)
    assert report is not None
    assert report["resumed"]
    for name in ("model.pt", "figure.png"):
        assert (run / name).read_bytes() == (trained[0] / name).read_bytes()
    assert sorted(path.name for path in run.iterdir()) == ["figure.png", "model.pt", "report.json"]


def test_finished_run_is_left_alone(trained: Any, tiny: Any) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in trained[0].iterdir()}
    given = {"task": "generation", "slices": SLICES, "resume": True}
    assert train_run([example().image], trained[0], settings=tiny("generation"), **given) is None
    with pytest.raises(ConSinGANError, match="finished training with other"):
        train_run([example().image], trained[0], settings=tiny("generation", iterations=3), **given)
    with pytest.raises(ConSinGANError, match="not empty"):
        train_run([example().image], trained[0], task="generation", settings=tiny("generation"))
    assert {path.name: path.stat().st_mtime_ns for path in trained[0].iterdir()} == before


def test_overwrites_when_asked(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    (tmp_path / "notes.txt").write_text("mine")
    train_run(
        [example().image], tmp_path, task="editing", settings=tiny("editing", max_size=64), slices=[6], overwrite=True
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.png", "model.pt", "notes.txt", "report.json"]


def test_an_earlier_result_stays_until_the_new_one_is_whole(
    trained: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    given: dict[str, Any] = {"task": "editing", "settings": tiny("editing", max_size=64), "slices": [6]}
    with pytest.raises(ConSinGANError, match=r"would take the place of .*run, which is read"):
        train_run([example().image], run, task="generation", start=run, overwrite=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainingCheckpoint, "__call__", interrupted)
        train_run([example().image], run, overwrite=True, **given)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name in before} == before
    assert (run / "checkpoint.pt").exists()
    report = train_run([example().image], run, resume=True, **given)
    assert report is not None and report["resumed"] and report["task"] == "editing"
    assert sorted(path.name for path in run.iterdir()) == ["figure.png", "model.pt", "report.json"]


def interrupted(self: TrainingCheckpoint, engine: Any, save: Any = TrainingCheckpoint.__call__) -> None:
    save(self, engine)
    raise KeyboardInterrupt


def test_bad_input_leaves_nothing(tiny: Any, tmp_path: Path) -> None:
    settings = tiny("editing")
    for images, given, words in (
        ([], {}, "images is empty"),
        ([tmp_path / "none.nii"], {}, "none.nii"),
        ([example().image], {"slices": [10]}, "slice is 10, but .* 0 to 9"),
        ([example().image], {"settings": tiny("editing", min_size=193)}, "min size is 193"),
        ([example().image], {"settings": tiny("generation")}, "task is 'editing'"),
        ([example().image], {"device": "nowhere"}, "nowhere"),
        ([example().image], {"fine_tune": []}, "0 naive images"),
        ([example().image], {"fine_tune": [example().image]}, "Fine-tuning needs a trained model"),
        ([example().image], {"start": tmp_path / "no.pt"}, "no.pt does not exist"),
    ):
        with pytest.raises(ConSinGANError, match=words):
            train_run(images, tmp_path / "run", **{"task": "editing", "settings": settings, **given})
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_a_clear_error(tiny: Any, full_disk: Any, tmp_path: Path) -> None:
    with full_disk(), pytest.raises(ConSinGANError, match=r"^output .*run cannot be written \(File too large\)"):
        train_run([example().image], tmp_path / "run", task="editing", settings=tiny("editing"), slices=[6])
    assert list(tmp_path.iterdir()) == []


def test_training_that_fails_keeps_its_checkpoint(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(slices: torch.Tensor, settings: Any, *, checkpoint: Path, **other: Any) -> None:
        checkpoint.write_bytes(b"state")
        raise ConSinGANError("Training ended: the loss is nan.")

    monkeypatch.setattr("monai_consingan.workflows.train.train_model", fail)
    with pytest.raises(ConSinGANError, match="nan"):
        train_run([example().image], tmp_path, task="editing", settings=tiny("editing"), slices=[6])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_model_of_whole_slices_serves_harmonize(source: LesionSource, tiny: Any, tmp_path: Path) -> None:
    settings = tiny("harmonization")
    train_run([example().image], tmp_path / "run", task="harmonization", settings=settings, slices=SLICES)
    report = harmonize(source, tmp_path / "out", model=tmp_path / "run")
    assert report["settings"]["region_taken"]["size"] == (192, 224)


def test_warm_start_and_fine_tuning(inserted: Any, tiny: Any, tmp_path: Path, save: Callable[..., Path]) -> None:
    settings = tiny("harmonization", max_size=64)
    given = {"task": "harmonization", "slices": [6]}
    train_run([example().image], tmp_path / "first", settings=settings, **given)
    first = TrainedModel.load(tmp_path / "first")
    naive = inserted[0] / "naive.nii.gz"
    report = train_run([example().image], tmp_path / "tuned", start=tmp_path / "first", fine_tune=[naive], **given)
    assert report is not None
    assert report["settings"] == settings.as_dict()
    assert sorted(report["inputs"]) == ["image_0", "model", "naive_0"]
    tuned = TrainedModel.load(tmp_path / "tuned").generator.state_dict()
    changed = {name for name, value in first.generator.state_dict().items() if not torch.equal(value, tuned[name])}
    assert any(name.startswith("body.1.layers") for name in changed)
    assert not any("noise" in name for name in changed)
    with pytest.raises(ConSinGANError, match="other networks"):
        train_run([example().image], tmp_path / "x", start=tmp_path / "first", settings=tiny("harmonization"), **given)
    cut = save("cut.nii.gz", np.asarray(nib.load(naive).dataobj)[:-1])
    with pytest.raises(ConSinGANError, match="not on the grid"):
        train_run([example().image], tmp_path / "x", start=tmp_path / "first", fine_tune=[cut], **given)
    assert not (tmp_path / "x").exists()


def test_head_slices_leave_out_what_shows_little(save: Callable[..., Path], scan: Any) -> None:
    image = np.concatenate([np.zeros_like(scan[0][..., :2]), scan[0][..., 6:9]], axis=-1)
    image[90:100, 100:110, 1] = 500
    assert head_slices(load_scan(save("i.nii.gz", image)), 2) == [2, 3, 4]


def test_slices_of_several_scans(save: Callable[..., Path], scan: Any, tiny: Any) -> None:
    files = [example().image, save("bright.nii.gz", scan[0] * 3)]
    found = take_slices(files, None, [6], None, tiny("editing", max_size=96))
    assert found.images.shape == (2, 1, 82, 96)
    assert torch.allclose(found.images[0], found.images[1], atol=1e-4)
    assert float(found.images.min()) == -1
    small = save("small.nii.gz", scan[0][20:])
    with pytest.raises(ConSinGANError, match=r"small.nii.gz has slices of .* give --region slice"):
        take_slices([files[0], small], None, [6], None, tiny("editing"))
    square = take_slices([files[0], small], None, [6], None, tiny("editing", region="slice", max_size=50))
    assert square.images.shape == (2, 1, 50, 50)
