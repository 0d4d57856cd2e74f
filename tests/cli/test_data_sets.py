"""The commands augment and merge."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans, each half of the packaged one's resolution."""
    folder = tmp_path_factory.mktemp("data")
    for name, path in (("image", example().image), ("label", example().label)):
        stored = nib.load(path)
        values = np.ascontiguousarray(np.asarray(stored.dataobj)[::2, ::2])
        for number in range(2):
            flipped = values[::-1] if number else values
            nib.save(nib.Nifti1Image(flipped, stored.affine @ np.diag([2, 2, 1, 1])), folder / f"{name}{number}.nii.gz")
    pairs = [{"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz"} for number in range(2)]
    (folder / "datalist.json").write_text(json.dumps({"training": pairs}))
    return folder


QUICK = ["--per-scan", 1, "--method", "poisson", "--lesions", 1, "--sizes", "small=2,medium"]


def listed(folder: Path, data_set: Path, change: Any) -> Path:
    """A datalist of the two scans with other values."""
    entries = []
    for number in range(2):
        scan = nib.load(data_set / f"image{number}.nii.gz")
        values = change(np.asarray(scan.dataobj).astype(np.float32))
        nib.save(nib.Nifti1Image(values, scan.affine), folder / f"scan{number}.nii.gz")
        entries.append({"image": f"scan{number}.nii.gz", "label": str(data_set / f"label{number}.nii.gz")})
    (folder / "datalist.json").write_text(json.dumps({"training": entries}))
    return folder / "datalist.json"


def test_what_all_scans_fail_by_is_told_once(call: Any, data_set: Path, tmp_path: Path) -> None:
    z_scored = listed(tmp_path, data_set, lambda values: (values - values.mean()) / values.std())
    result = call("augment", z_scored, "--output", tmp_path / "out", *QUICK, "--min-cnr", 0, "--quiet")
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: scan\d_syn-000, scan\d_syn-000: .*match=\"mean_std\"\.\n", result.output), (
        result.output
    )


def test_scans_that_cannot_be_read_are_not_told_to_lack_labels(call: Any, data_set: Path, tmp_path: Path) -> None:
    holes = listed(tmp_path, data_set, lambda values: np.where(values == values.max(), np.nan, values))
    result = call("augment", holes, "--output", tmp_path / "out", *QUICK, "--quiet")
    assert result.exit_code != 0 and "give labels" not in result.output
    assert re.search(r"no training scan that can be used. The first of 2.*NaN.*replace them", result.output), (
        result.output
    )
    assert not (tmp_path / "out").exists()


def test_augment(call: Any, data_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--scale", 0.9, 1.0, "--rotate", 5, "--clearance", 4, "--seed", 3, "--seam-margin", 3]
    result = call("augment", data_set, "--output", out, *QUICK, *options)
    assert result.exit_code == 0, result.output
    assert "made      2, dropped 0, failed 0" in result.output
    assert "lesions   2 x poisson" in result.output
    assert re.search(r"left out  \d+ x ", result.output)
    with (out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["size"] in ("small", "medium") for row in rows] == [True, True]
    settings = json.loads(rows[0]["settings"])
    wanted = {"lesions": [1, 1], "sizes": {"small": 2, "medium": 1}, "scale_range": [0.9, 1.0], "clearance_mm": 4}
    assert {**settings, **wanted, "rotate_range": 5, "seed": 3} == settings
    parts = tmp_path / "parts"
    for part in ("1/2", "2/2"):
        result = call("augment", data_set, "--output", parts, *QUICK, *options, "--quiet", "--shard", part)
        assert (result.exit_code, result.output) == (0, "")
        result = call("merge", parts)
        assert (result.exit_code == 0) == (part == "2/2")
        assert ("Missing: 1 scans" in result.output) == (part == "1/2")
    for name in ("manifest.csv", "summary.json"):
        assert (parts / name).read_bytes() == (out / name).read_bytes()


def test_augment_with_models(call: Any, data_set: Path, tmp_path: Path) -> None:
    out, bank = tmp_path / "out", tmp_path / "bank"
    training = ["--stages", 2, "--iterations", 2, "--channels", 4, "--crops", 1, "--side", 48]
    checks = ["--contrast", 0.01, 100, "--seam-margin", 100]
    chosen = ["--per-scan", 1, "--lesions", 1, "--sizes", "small,medium", *training, *checks, "--quiet"]
    chosen += ["--method", "consingan"]
    result = call("augment", data_set, "--output", out, *chosen, "--bank", bank, "--composite", "whole")
    assert (result.exit_code, result.output) == (0, "")
    assert len(list(bank.glob("*.pt"))) == 2
    told = [json.loads(path.read_text()) for path in sorted((out / "images").glob("*.json"))]
    assert {entry["model"] for entry in told} == {path.stem for path in bank.glob("*.pt")}
    assert told[0]["blend"]["mode"] == "whole"
    assert told[0]["training"]["iterations"] == 2


def test_twins(call: Any, data_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    limits = ["--most-contrast", 5, "--most-seam", 9, "--margin", 2]
    result = call("twins", data_set, "--output", out, "--method", "fill", "--filling", "biharmonic", *limits)
    assert result.exit_code == 0, result.output
    assert "made      2, dropped 0, failed 0" in result.output
    told = json.loads((out / "images" / "image1_free.json").read_text())
    assert {lesion["filling"] for lesion in told["lesions"]} == {"biharmonic"}
    assert told["settings"]["margin_mm"] == 2


def test_a_failure_is_told_by_the_exit_code(call: Any, data_set: Path, tmp_path: Path) -> None:
    content = json.loads((data_set / "datalist.json").read_text())
    content["training"].append({"image": "none.nii.gz"})
    path = data_set / "more.json"
    path.write_text(json.dumps(content))
    result = call("augment", path, "--output", tmp_path / "out", *QUICK, "--quiet")
    assert result.exit_code == 1
    assert [line.split(": ")[:2] for line in result.output.splitlines()] == [["Error", "none, none_syn-000"]]


@pytest.mark.parametrize("command", ["augment", "twins"])
@pytest.mark.parametrize("wrong", ["some", "all"])
def test_an_error_names_the_file_that_is_wrong(
    call: Any, data_set: Path, tmp_path: Path, command: str, wrong: str
) -> None:
    pairs = json.loads((data_set / "datalist.json").read_text())["training"]
    full, scan = data_set / "full.nii.gz", nib.load(data_set / pairs[0]["image"])
    nib.save(nib.Nifti1Image(np.ones(scan.shape, np.uint8), scan.affine), full)
    pairs = [{**pair, "label": full.name} if wrong == "all" or n == 0 else pair for n, pair in enumerate(pairs)]
    (data_set / "wrong.json").write_text(json.dumps({"training": pairs}))
    options = QUICK if command == "augment" else ["--method", "fill"]
    result = call(command, data_set / "wrong.json", "--output", tmp_path / "out", *options, "--quiet")
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if not line.startswith("Warning: ")]
    name = Path(pairs[0]["image"]).name.split(".")[0]
    wrong_file = f"label of {name} {full} has no background"
    assert lines and all(line.startswith("Error: ") and wrong_file in line for line in lines)
    assert not any(".):" in line for line in lines)
    for kept in (tmp_path / "out").rglob("*.json"):
        assert f"{full}" not in kept.read_text() or kept.name.startswith(("datalist", "run.")), kept
        assert f"{name} {name}" not in kept.read_text()


WRONG: dict[str, tuple[list[Any], str, int]] = {
    "sizes": (["--sizes", "small;big"], "--sizes", 2),
    "weights": (["--sizes", "small=1..2"], "--sizes", 2),
    "unknown size": (["--sizes", "huge=1"], "huge", 1),
    "shard": (["--shard", "one"], "--shard", 2),
    "shard out of range": (["--shard", "3/2"], "shard is 3/2", 1),
    "lesions": (["--lesions", "3,1"], "lesions is (3, 1)", 1),
    "address": (["--address", "here:1"], "address 'here:1'", 1),
    "jobs": (["--jobs", 0], "jobs is 0", 1),
    "no map": (["--location", "map.nii.gz"], "map.nii.gz", 1),
    "model with settings": (["--method", "consingan", "--model", "m.pt", "--stages", 3], "--stages is 3", 1),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_use(refused: Any, data_set: Path, tmp_path: Path, kind: str) -> None:
    args, words, code = WRONG[kind]
    assert words in refused("augment", data_set, *QUICK, *args, out=tmp_path / "out", code=code)


def test_what_cannot_be_augmented(refused: Any, call: Any, data_set: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused("augment", tmp_path / "none.json", *QUICK, out=tmp_path / "out")
    result = call("merge", data_set)
    assert result.exit_code == 1
    assert "is of no augmentation" in result.output
