from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import monai_consingan
from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import frechet_distance, inception_features, load_inception, seam
from monai_consingan.metrics.inception import INCEPTION_VARIABLE
from monai_consingan.models import TrainedModel
from monai_consingan.settings import preset_settings
from monai_consingan.transforms import alteration_weight
from monai_consingan.workflows import reproduce
from monai_consingan.workflows.pictures import write_slices
from monai_consingan.workflows.reproduction import GROUPS, reproduction_table, run

SETTINGS = ["harmonization-2", "editing-2"]
SMALL: dict[str, Any] = {"settings": SETTINGS, "slices": 2, "iterations": 1, "channels": 2, "dims": 64, "seed": 3}
NAMES = ("DOE", "JANE", "SMITH", "JOHN", "T1_gd")

Run = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def done(data_set: Path, inception_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("reproduced") / "out"
    return folder, reproduce(data_set, folder, inception=inception_file, **SMALL)


def values(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj).astype(np.float64)


def test_paste_flip_and_composite_are_as_published(done: Run) -> None:
    folder, _ = done
    case, model = folder / "cases" / "harmonization-01", folder / "models" / "harmonization-2" / "harmonization-01"
    host, donor, label = (values(case / f"{name}.nii.gz") for name in ("host", "donor", "label"))
    mask = (label > 0).astype(float)
    naive = values(model / "naive.nii.gz")
    np.testing.assert_array_equal(naive, mask * donor + (1 - mask) * host)
    pixel = float(np.sqrt(np.prod(nib.load(case / "host.nii.gz").header.get_zooms())))
    # the spacing is that of the pixels here, which are not quite square
    weight = alteration_weight(mask, spacing=nib.load(case / "host.nii.gz").header.get_zooms(), mode="smooth",
                               dilation_mm=7 * pixel, softness_mm=5 * pixel)  # fmt: skip
    assert ((values(model / "image.nii.gz") != naive) <= (weight > 0)).all()
    assert (values(model / "image.nii.gz") != naive)[weight > 0.5].mean() > 0.99
    case, model = folder / "cases" / "editing-02", folder / "models" / "editing-2" / "editing-02"
    image, label = (values(case / f"{name}.nii.gz") for name in ("image", "label"))
    np.testing.assert_array_equal(values(model / "naive.nii.gz"), np.where(label > 0, image[::-1], image))
    for preset, place in (
        ("harmonization-2", folder / "models" / "harmonization-2" / "harmonization-02"),
        (SETTINGS[1], model),
    ):
        wanted = preset_settings(preset, preset.split("-")[0], iterations=1, channels=2)
        assert TrainedModel.load(place).settings == wanted
        assert TrainedModel.load(place).image_size == (250, 250)
        report = json.loads((place / "report.json").read_text())
        assert report["settings"]["blend"]["mode"] == "smooth"
        assert report["settings"]["blend"]["level_mm"] == report["settings"]["blend"].get("detail_mm", 0) == 0


def test_numbers_stand_beside_the_published_ones(done: Run, inception_file: Path, tmp_path: Path) -> None:
    folder, report = done
    assert [group["task"] for group in report["groups"]] == ["harmonization", "editing"]
    naive, result = report["groups"][0]["rows"]
    assert (naive["image"], naive["fid_published"], result["image"]) == ("naive", 10.018, "setting 2")
    assert (result["fid_published"], result["minutes_published"], result["minutes_of"]) == (105.757, 9, 2)
    network = load_inception(inception_file, dims=64)

    def features(name: str, files: list[Path]) -> np.ndarray:
        pictures = [write_slices(load_scan(file), tmp_path / name / str(n))[0] for n, file in enumerate(files)]
        return inception_features(pictures, network)

    cases = [f"harmonization-{number:02}" for number in (1, 2)]
    real = features("real", [folder / "cases" / case / "host.nii.gz" for case in cases])
    donors = features("donors", [folder / "cases" / case / "donor.nii.gz" for case in cases])
    model = folder / "models" / "harmonization-2"
    made = features("made", [model / case / "image.nii.gz" for case in cases])
    pasted = features("pasted", [model / case / "naive.nii.gz" for case in cases])
    assert result["fid"] == pytest.approx(frechet_distance(real, made))
    assert result["fid_donors"] == pytest.approx(frechet_distance(donors, made))
    assert naive["fid"] == pytest.approx(frechet_distance(real, pasted))
    assert result["fid"] > naive["fid"] > 0
    seams = []
    for case in cases:
        image = load_scan(model / case / "image.nii.gz")
        lesion = load_scan(folder / "cases" / case / "label.nii.gz") > 0
        seams.append(seam(image, lesion))
    assert result["seam"] == pytest.approx(np.median(seams), abs=1e-6)
    times = [json.loads((model / case / "time.json").read_text()) for case in cases]
    assert not any(time["resumed"] for time in times)
    assert result["minutes"] == pytest.approx(np.mean([time["seconds_training"] for time in times]) / 60)
    assert (result["changed_outside"], report["groups"][1]["rows"][1]["changed_outside"]) == (0, 0)
    assert report["groups"][1]["rows"][1].get("fid_donors") is None
    for warning in (
        "too few to rank",
        "64 features, and the published ones 2048",
        "A trial: 1 iterations",
        "where 9 are",
    ):
        assert any(warning in told for told in report["warnings"]), warning


def test_tables_and_page_hold_the_numbers_and_no_names(done: Run) -> None:
    folder, report = done
    assert sorted(path.name for path in folder.iterdir()) == [
        "cases",
        "cases.json",
        "models",
        "panels",
        "report.html",
        "report.json",
        "report.pdf",
        "run.json",
        "table.csv",
        "table.md",
    ]
    table = reproduction_table(report)
    markdown, page = (folder / "table.md").read_text(), (folder / "report.html").read_text()
    for row in table:
        assert "| " + " | ".join(row) + " |" in markdown
        assert all(f">{cell}</t" in page for cell in row)
    assert table[2][1:3] == ["10.02", f"{report['groups'][0]['rows'][0]['fid']:.4g}"]
    with open(folder / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["fid"]) for row in rows] == [row["fid"] for group in report["groups"] for row in group["rows"]]
    assert page.count("<img") == len(list((folder / "panels").iterdir())) == 4
    for path in folder.rglob("*"):
        assert not any(name in path.name for name in NAMES)
        if path.suffix in (".json", ".md", ".csv", ".html"):
            text = re.sub(r"base64,[^\"]*", "", path.read_text())
            assert not any(name in text for name in NAMES), path


def test_all_published_settings_have_their_preset() -> None:
    for group in GROUPS:
        for setting in group.settings:
            assert preset_settings(setting.preset, group.task).region == "slice"
    assert [len(group.settings) for group in GROUPS] == [2, 2, 2, 2]


def content(folder: Path) -> dict[str, Any]:
    """All that does not tell times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in (".gz", ".pt", ".png") or name in ("run.json", "cases.json"):
            found[name] = path.read_bytes()
    report = json.loads((folder / "report.json").read_text())
    for group in report["groups"]:
        for row in group["rows"]:
            row.pop("minutes", None), row.pop("minutes_of", None)
    return found | {"report": {**report, "seconds": None}}


KILLED = """
import os, signal, sys
from monai_consingan.engines import TrainingCheckpoint
from monai_consingan.workflows import reproduce
from monai_consingan.workflows.reproduction import folder

dataset, inception, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])

def in_training(self, engine, save=TrainingCheckpoint.__call__):
    save(self, engine)
    if os.path.isdir("out/models/harmonization-2/harmonization-01") and os.path.isdir("out/models/editing-2"):
        os.kill(os.getpid(), signal.SIGKILL)

def choosing(self, case, name, hashes, keep=folder.ReproductionFolder._keep):
    facts = keep(self, case, name, hashes)
    if name == "harmonization-02":
        os.kill(os.getpid(), signal.SIGKILL)
    return facts

for place, name, function in (
    (folder.ReproductionFolder, "_keep", choosing),
    (TrainingCheckpoint, "__call__", in_training),
):
    child = os.fork()
    if child == 0:
        setattr(place, name, function)
        reproduce(dataset, "out", inception=inception, **options)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != -signal.SIGKILL:
        sys.exit(f"{name}: ended with {ended}")
"""


def test_a_killed_run_goes_on_to_the_same_result(
    done: Run, data_set: Path, inception_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(Path(monai_consingan.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([place, os.environ.get("PYTHONPATH", "")])}
    arguments = [str(data_set), str(inception_file), repr(SMALL)]
    subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=tmp_path, check=True, env=env)
    out = tmp_path / "out"
    assert len(list(out.glob("models/harmonization-2/*/report.json"))) == 2
    assert not list(out.glob("models/editing-2/*/report.json"))
    assert len(list(out.glob("models/editing-2/editing-01/.partial/checkpoint-*.pt"))) == 1
    monkeypatch.setattr(run, "harmonize", None)  # nothing of it is left to do
    report = reproduce(data_set, out, inception=inception_file, **SMALL)
    assert report["groups"][1]["rows"][1]["minutes_of"] == 1  # of the other, only a part was timed
    assert content(out) == content(done[0])


def test_without_weights_all_else_is_made(
    done: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytorch_fid import inception

    def refuse(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(inception, "load_state_dict_from_url", refuse)
    monkeypatch.delenv(INCEPTION_VARIABLE, raising=False)
    monkeypatch.setattr(run, "harmonize", None)
    monkeypatch.setattr(run, "remove", None)
    folder, before = done
    report = reproduce(data_set, folder, progress=True, **SMALL)
    told = capsys.readouterr().err
    assert (
        "3 scans with a mask" in told and "scan 1: DOE_JANE/2019/T1_gd.nii.gz, mask DOE_JANE/2019/Mask.nii.gz" in told
    )
    assert "DOE_JANE/2019/FLAIR.nii.gz: another sequence" in told and "Model 4 of 4: editing-2, editing-02" in told
    assert report["warnings"][0].startswith("There is no FID and no KID in the table.") and "--inception" in told
    for group, was in zip(report["groups"], before["groups"], strict=True):
        for row, other in zip(group["rows"], was["rows"], strict=True):
            assert "fid" not in row and row["seam"] == other["seam"]
    assert reproduction_table(report)[2][:3] == ["naive", "10.02", "-"]


def test_a_single_slice_has_no_fid(done: Run, data_set: Path, inception_file: Path, tmp_path: Path) -> None:
    options = {**SMALL, "settings": ["editing-2"], "slices": 1}
    report = reproduce(data_set, tmp_path / "out", inception=inception_file, **options)
    assert "fid" not in report["groups"][0]["rows"][0]
    assert any("A single slice has no FID" in warning for warning in report["warnings"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"settings": ["harmonization-9"]}, "settings has 'harmonization-9', but must have some of harmonization-1"),
        ({"settings": []}, "settings is empty"),
        ({"slices": 0}, "slices is 0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"device": "nowhere"}, "device is 'nowhere'"),
        ({"inception": "none.pth"}, r"inception none\.pth does not exist"),
        ({"dims": 5}, "dims is 5"),
    ],
)
def test_refuses_bad_options(options: dict[str, Any], words: str, data_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=words):
        reproduce(data_set, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_refuses_a_folder_of_something_else(done: Run, data_set: Path, inception_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="was begun with other values for seed"):
        reproduce(data_set, done[0], inception=inception_file, **{**SMALL, "seed": 4})
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConSinGANError, match="is not empty"):
        reproduce(data_set, tmp_path, inception=inception_file, **SMALL)
