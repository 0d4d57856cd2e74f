from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings
from monai_consingan.workflows.challenge import challenge

THRESHOLD = Path(__file__).parents[3] / "docs" / "threshold_segmenter.py"
FAILS = f"{sys.executable} -c 'import sys; sys.exit(\"too bad\")' {{image}} {{mask}}"
PERFECT = """
import shutil, sys
image, mask = sys.argv[1:]
path = image.replace("/images/", "/labels/") if "/images/" in image else image.replace("image", "label")
shutil.copy(path, mask)
open(mask.rsplit("/", 1)[0] + "/calls", "a").write(image + "\\n")
"""

CORES = """
import nibabel as nib, numpy as np
label = nib.load(mask)
nib.save(nib.Nifti1Image((np.asarray(label.dataobj) == 1).astype(np.uint8), label.affine), mask)
"""


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A segmenter that knows the label."""
    path = tmp_path_factory.mktemp("segmenter") / "perfect.py"
    path.write_text(PERFECT)
    return f"{sys.executable} {path} {{image}} {{mask}}"


@pytest.fixture
def pair(data_set: Path, tmp_path: Path) -> Path:
    """A datalist of two scans."""
    entries = json.loads(data_set.read_text(encoding="utf-8"))["training"][:2]
    listed = [{key: str(data_set.parent / entry[key]) for key in ("image", "label")} for entry in entries]
    (tmp_path / "list.json").write_text(json.dumps({"training": listed}))
    return tmp_path / "list.json"


def test_who_knows_the_label_finds_all(perfect: str, pair: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    settings = replace(quick, per_scan=1)
    report = challenge(perfect, pair, tmp_path / "out", settings=settings, twins=False, progress=False)
    row = report["inserted"]["all"]["all"]
    assert row["lesions"] == len(report["lesions"]) > 0
    assert (row["found"], row["found_before"]) == (1.0, 0.0)
    assert row["dice"] > 0.99
    assert report["false_positives"] == {"inserted": 0.0}
    assert sum(part["lesions"] for part in report["inserted"]["size"].values()) == row["lesions"]
    calls = (tmp_path / "out" / "masks" / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == len(set(calls))
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["inserted"] == report["inserted"]
    assert challenge(perfect, pair, tmp_path / "out", settings=settings, twins=False, progress=False) == report
    assert (tmp_path / "out" / "masks" / "calls").read_text(
        encoding="utf-8"
    ).splitlines() == calls  # nothing is segmented again


def test_oedema_is_no_part_of_a_lesion_by_its_labels(pair: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    for entry in json.loads(pair.read_text(encoding="utf-8"))["training"]:
        label = nib.load(entry["label"])
        values = np.asarray(label.dataobj)
        grown = ndimage.binary_dilation(values > 0, np.ones((5, 5, 1)))
        name = Path(entry["image"]).name.replace("image", "label")
        nib.save(nib.Nifti1Image(np.where(values > 0, 1, 2 * grown).astype(np.uint8), label.affine), tmp_path / name)
        shutil.copy(entry["image"], tmp_path)
    entries = [{"image": f"image{n}.nii.gz", "label": f"label{n}.nii.gz"} for n in range(2)]
    pair.write_text(json.dumps({"training": entries}))
    script = tmp_path / "cores.py"
    script.write_text(PERFECT + CORES)
    command = f"{sys.executable} {script} {{image}} {{mask}}"
    settings = replace(quick, per_scan=1, lesion_labels=(1,))
    report = challenge(command, pair, tmp_path / "out", settings=settings, twins=False, progress=False)
    with (tmp_path / "out" / "inserted" / "manifest.csv").open() as file:
        sizes = [float(row["diameter_mm"]) for row in csv.DictReader(file)]
    assert report["inserted"]["all"]["all"]["dice"] > 0.99
    assert [lesion["diameter_mm"] for lesion in report["lesions"]] == pytest.approx(sizes, rel=1e-5)


def test_a_threshold_finds_what_is_bright(pair: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    command = f"{sys.executable} {THRESHOLD} {{image}} {{mask}}"
    settings = replace(quick, per_scan=1)
    report = challenge(command, pair, tmp_path / "out", settings=settings, progress=False)
    row = report["inserted"]["all"]["all"]
    assert 0 < row["found"] <= 1 and row["found"] > row["found_before"]
    kinds = {lesion["kind"] for lesion in report["lesions"]}
    assert kinds <= {"put in", "taken out"} and "put in" in kinds
    assert "found" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for lesion in report["lesions"]:
        assert lesion["depth_mm"] > 0 and (lesion["dice"] > 0) == lesion["found"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python x.py {image}", r"lacks \{mask\}"),
        ("/no/such/program {image} {mask}", "cannot be started"),
        ("python 'x.py {image} {mask}", "cannot be read .*: close its quotation marks"),
        (
            f"{sys.executable} -c 'import sys; sys.exit(\"too bad\")' {{image}} {{mask}}",
            "ended with 1 on scan .*: too bad",
        ),
        (f"{sys.executable} -c pass {{image}} {{mask}}", "wrote no mask of scan"),
    ],
)
def test_segmenters_that_fail(pair: Path, tmp_path: Path, quick: AugmentSettings, command: str, words: str) -> None:
    settings: Any = replace(quick, per_scan=1)
    with pytest.raises(ConSinGANError, match=words):
        challenge(command, pair, tmp_path / "out", settings=settings, twins=False, progress=False)
    assert not (tmp_path / "out").exists()  # as it fails before a scan is made


def test_a_mask_on_another_grid_is_not_kept(pair: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    script = tmp_path / "segment.py"
    broken = "import sys, nibabel as nib, numpy as np\n"
    broken += "nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), sys.argv[2])\n"
    script.write_text(broken)
    given: Any = (f"{sys.executable} {script} {{image}} {{mask}}", pair, tmp_path / "out")
    settings: Any = {"settings": replace(quick, per_scan=1), "twins": False, "progress": False}
    with pytest.raises(ConSinGANError, match="mask"):
        challenge(*given, **settings)
    script.write_text(THRESHOLD.read_text(encoding="utf-8"))
    assert challenge(*given, **settings)["lesions"]


def test_a_scan_that_cannot_be_read_is_not_what_a_segmenter_is_tried_on(
    perfect: str, pair: Path, tmp_path: Path, quick: AugmentSettings
) -> None:
    content = json.loads(pair.read_text(encoding="utf-8"))
    content["training"].insert(0, {"image": "gone.nii.gz", "label": "gone.nii.gz"})
    pair.write_text(json.dumps(content))
    settings = replace(quick, per_scan=1)
    report = challenge(perfect, pair, tmp_path / "out", settings=settings, twins=False, progress=False)
    assert report["inserted"]["all"]["all"]["found"] == 1.0


def test_twins_are_made_as_lesions_are_put_in(perfect: str, pair: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    settings = replace(quick, per_scan=1, dims=2, axis=2, seed=3)
    challenge(perfect, pair, tmp_path / "out", settings=settings, progress=False)
    asked = json.loads((tmp_path / "out" / "removed" / ".augment" / "run.json").read_text(encoding="utf-8"))["settings"]
    assert {name: asked[name] for name in ("dims", "axis", "seed")} == {"dims": 2, "axis": 2, "seed": 3}
