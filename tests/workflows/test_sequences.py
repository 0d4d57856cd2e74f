"""Cases of several sequences through ``harmonize``, ``paste`` and ``remove``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows import LesionSource, LesionTarget, harmonize, paste, remove

NAMES = ("t1c", "t2", "flair")
Folder = dict[str, Path]


def stored(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def header(path: Path) -> list[Any]:
    image = nib.load(path)
    keys = ("dim", "pixdim", "datatype", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z")
    return [image.dataobj.slope, *(image.header[key].tolist() for key in keys)]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The packaged scan as three sequences: as it is, with its contrast turned around, and smooth with a scaling."""
    folder = tmp_path_factory.mktemp("case")
    image = nib.load(example().image)
    values = np.asarray(image.dataobj).astype(np.float32)
    noise = np.random.RandomState(0).normal(0, 15, values.shape)
    turned = np.where(values > 0, np.maximum(1, 0.6 * (values.max() - values) + noise), 0)
    smooth = gaussian_filter(values, (1, 1, 0)) * (values > 0)
    paths = {}
    for name, array, slope in zip(NAMES, (values, turned, smooth), (1, 1, 0.5), strict=True):
        made = nib.Nifti1Image(np.rint(array).astype(np.int16), image.affine)
        made.header.set_slope_inter(slope, 0)
        paths[name] = folder / f"patient_{name}.nii.gz"
        nib.save(made, paths[name])
    whole = nib.Nifti1Image(np.stack([stored(paths[name]) for name in NAMES], -1), image.affine)
    paths["4d"] = folder / "patient.nii.gz"
    nib.save(whole, paths["4d"])
    return paths


@pytest.fixture(scope="module")
def source(case: Folder) -> LesionSource:
    files = [case[name] for name in NAMES]
    return LesionSource(files, files, example().label, donor_slice=4)


@pytest.fixture(scope="module")
def inserted(tmp_path_factory: pytest.TempPathFactory, source: LesionSource) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("inserted") / "out"
    return folder, harmonize(source, folder, seed=1)


def test_every_sequence_comes_back_in_its_form(inserted: tuple[Path, dict[str, Any]], case: Folder) -> None:
    folder, report = inserted
    files = {f"{stem}_{name}.nii.gz" for stem in ("image", "naive") for name in NAMES}
    rest = {"label.nii.gz", "alteration.nii.gz", "figure.png", "report.json"}
    assert {path.name for path in folder.iterdir()} == files | rest
    altered = stored(folder / "alteration.nii.gz") > 0
    assert altered.shape == stored(case["t1c"]).shape
    for name in NAMES:
        for stem in ("image", "naive"):
            result = folder / f"{stem}_{name}.nii.gz"
            assert header(result) == header(case[name])
            assert np.array_equal(stored(result)[~altered], stored(case[name])[~altered])
        assert (stored(folder / f"image_{name}.nii.gz") != stored(case[name])).any()
    assert [entry["sequence"] for entry in report["inputs"]["host"]] == list(NAMES)
    assert [entry["file"] for entry in report["inputs"]["host"]] == [case[name].name for name in NAMES]


def test_report_has_each_sequence_and_the_lead_as_before(inserted: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = inserted
    told = json.loads((folder / "report.json").read_text())
    assert told["lead"] in NAMES and list(told["sequences"]) == list(NAMES)
    assert told["seam"] == told["sequences"][told["lead"]]["seam"]
    assert told["sequence_files"]["image"] == [f"image_{name}.nii.gz" for name in NAMES]


def test_one_sequence_gets_the_lesion_where_all_would_have_it(
    tmp_path: Path, inserted: tuple[Path, dict[str, Any]], source: LesionSource, case: Folder
) -> None:
    lead = inserted[1]["lead"]
    alone = replace(source, host=case[lead], donor=case[lead])
    assert paste(alone, tmp_path / "out", seed=1)["placement"]["position"] == inserted[1]["placement"]["position"]
    assert (tmp_path / "out" / "image.nii.gz").is_file()


def test_a_4d_file_gives_the_same_as_a_file_for_each(
    tmp_path: Path, inserted: tuple[Path, dict[str, Any]], source: LesionSource, case: Folder
) -> None:
    at = inserted[1]["placement"]["position"]
    whole = replace(source, host=case["4d"], donor=case["4d"], at=at)
    files = replace(source, host=[case["t1c"], case["t2"]], donor=[case["t2"], case["t1c"]], at=at)
    paste(whole, tmp_path / "whole", seed=1)
    paste(files, tmp_path / "files", seed=1)
    made, original = (stored(path) for path in (tmp_path / "whole" / "image.nii.gz", case["4d"]))
    altered = stored(tmp_path / "whole" / "alteration.nii.gz") > 0
    assert made.shape == original.shape and header(tmp_path / "whole" / "image.nii.gz") == header(case["4d"])
    assert np.array_equal(made[~altered], original[~altered])
    for number, name in enumerate(("t1c", "t2")):
        assert np.array_equal(made[..., number], stored(tmp_path / "files" / f"image_{name}.nii.gz"))


def test_sequences_choose_and_name(tmp_path: Path, source: LesionSource, case: Folder) -> None:
    def run(name: str, **other: Any) -> dict[str, Any]:
        return paste(replace(source, **other), tmp_path / name, seed=1)

    with pytest.raises(ConSinGANError, match=r"host has t1c, t2, but the donor t1c, t2, flair.*t1c,t2"):
        run("lacks", host=[case["t1c"], case["t2"]])
    with pytest.raises(ConSinGANError, match="have no names"):
        run("unnamed", donor=case["4d"])
    report = run("two", host=[case["t1c"], case["t2"]], sequences=["t2", "t1c"], lead="t2")
    assert report["lead"] == "t2" and list(report["sequences"]) == ["t2", "t1c"]
    assert list(run("named", donor=case["4d"], sequences=NAMES)["sequences"]) == list(NAMES)
    one = run("one", host=case["t2"], sequences=["t2"])
    assert "sequences" not in one and one["inputs"]["donor"]["file"] == case["t2"].name
    with pytest.raises(ConSinGANError, match="lead is 't3'"):
        run("lead", lead="t3")


def test_an_earlier_result_goes_with_the_files_of_its_sequences(
    tmp_path: Path, source: LesionSource, case: Folder
) -> None:
    out = tmp_path / "out"
    paste(source, out, seed=1)
    (out / "image_mine.nii.gz").touch()
    paste(replace(source, host=case["t1c"], donor=case["t1c"]), out, seed=1, overwrite=True)
    names = {"image.nii.gz", "label.nii.gz", "alteration.nii.gz", "figure.png", "report.json", "image_mine.nii.gz"}
    assert {path.name for path in out.iterdir()} == names
    with pytest.raises(ConSinGANError, match="would take the place"):
        paste(replace(source, host=[out / "image_mine.nii.gz", case["t2"]]), out, overwrite=True)


@pytest.mark.parametrize("form", ["files", "4d"])
def test_remove_takes_the_lesion_out_of_every_sequence(tmp_path: Path, case: Folder, form: str) -> None:
    files = case["4d"] if form == "4d" else [case[name] for name in NAMES]
    report = remove(LesionTarget(files, example().label, slice_index=4), tmp_path / "out")
    altered = stored(tmp_path / "out" / "alteration.nii.gz") > 0
    assert len(report["sequences"]) == 3
    for number, name in enumerate(NAMES):
        path = tmp_path / "out" / ("image.nii.gz" if form == "4d" else f"image_{name}.nii.gz")
        made = stored(path)[..., number] if form == "4d" else stored(path)
        assert np.array_equal(made[~altered], stored(case[name])[~altered])
        assert (made != stored(case[name]))[altered].mean() > 0.5


def test_other_grids_are_resampled_only_if_asked_for(
    tmp_path: Path, case: Folder, save: Callable[..., Path], source: LesionSource
) -> None:
    affine = nib.load(case["t2"]).affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [4, 0, 0]
    host = [case["t1c"], save("patient_t2.nii.gz", stored(case["t2"])[4:], affine)]
    two = replace(source, host=host, donor=[case["t1c"], case["t2"]])
    with pytest.raises(ConSinGANError, match=r"188 x 224 x 10.*192 x 224 x 10.*--resample"):
        paste(two, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    report = paste(replace(two, resample=True), tmp_path / "out", seed=1)
    assert report["settings"]["resampled"] == {"host": ["t2"]}
    assert stored(tmp_path / "out" / "image_t2.nii.gz").shape == (192, 224, 10)
