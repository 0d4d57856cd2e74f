from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.data import example
from monai_consingan.metrics.inception import INCEPTION_VARIABLE


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, call: Any, insert: list[Any]) -> Path:
    folder = tmp_path_factory.mktemp("results")
    assert call(*insert, "--output", folder / "insert").exit_code == 0
    return folder


def test_results_are_printed_as_a_table(call: Any, results: Path, tmp_path: Path) -> None:
    done = call("evaluate", "--results", results, "--originals", example().image.parent, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    first, header, row, last = done.output.splitlines()
    assert first == f"Evaluated: {tmp_path / 'out'}"
    assert header.split("  ")[1] == "result"
    measured = json.loads((tmp_path / "out" / "report.json").read_text())["results"][0]
    assert f"{measured['seam']:.2f} ({measured['seam_naive']:.2f})" in row
    assert row.split()[:2] == ["insert", "harmonize"]
    assert row.split()[-1] == "0"
    assert last == f"  look at  {tmp_path / 'out' / 'report.html'}"


def test_images_are_printed_with_floor_and_warning(
    call: Any, inception_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INCEPTION_VARIABLE, str(inception_file))
    small = ["--dims", 64, "--max-slices", 6]
    done = call("evaluate", example().image, example().image, *small, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    report = json.loads((tmp_path / "out" / "report.json").read_text())["images"]
    assert (report["n_real"], report["n_synthetic"], report["n_floor"]) == (6, 6, 3)
    assert any(line.split()[:6] == ["real", "and", "synthetic", "6", "and", "6"] for line in lines)
    assert any(line.split()[:6] == ["real", "and", "real", "3", "and", "3"] for line in lines)
    assert any(line.startswith("Warning: 6 images in the smaller set are too few to rank") for line in lines)
    quiet = call("evaluate", example().image, example().image, *small, "--output", tmp_path / "quiet", "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_missing_weights_end_with_one_sentence(refused: Any, tmp_path: Path) -> None:
    none = tmp_path / "none.pth"
    sentence = refused("evaluate", example().image, example().image, "--inception", none, "--quiet", out=tmp_path / "o")
    assert sentence == f"Error: inception {none} does not exist: give the file of the Inception weights (.pth)."


@pytest.mark.parametrize("given", [[], ["real"], ["real", "synthetic", "more"]])
def test_needs_two_sets_or_results(refused: Any, given: list[str], tmp_path: Path) -> None:
    sentence = refused("evaluate", *given, out=tmp_path / "o", code=2)
    assert "give REAL and SYNTHETIC images, or --results" in sentence


def test_refuses_what_means_nothing(refused: Any, tmp_path: Path) -> None:
    for more in (("--frd",), ("--dims", 64), ("--lead", "t1"), ("--max-slices", 9)):
        sentence = refused("evaluate", "--results", "r", *more, out=tmp_path / "o", code=2)
        assert f"{more[0]} is given, but no REAL and SYNTHETIC images are compared: leave it out" in sentence
    sentence = refused("evaluate", "real", "synthetic", "--originals", "scans", out=tmp_path / "o", code=2)
    assert "--originals is given, but there are no --results: leave it out" in sentence
