from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_consingan.data import example, load_label, load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import compare_sets, inception_features, load_inception, texture
from monai_consingan.metrics.inception import INCEPTION_VARIABLE
from monai_consingan.workflows import LesionTarget, evaluate, remove
from monai_consingan.workflows.evaluation_page import images_table, results_table, warnings_of
from monai_consingan.workflows.results import evaluate_result


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.RandomState(0)
    for name, level, count in (("real", 200, 6), ("synthetic", 90, 4)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.fromarray(rng.randint(0, level, (30, 30)).astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path / "real", tmp_path / "synthetic"


def test_images_are_compared_by_their_features(
    sets: tuple[Path, Path], inception_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = evaluate(tmp_path / "all", images=sets, inception=inception_file, dims=64, seed=3)["images"]
    network = load_inception(inception_file, dims=64)
    files = [sorted(folder.iterdir()) for folder in sets]
    expected = asdict(compare_sets(*(inception_features(names, network) for names in files), seed=3))
    assert {name: found[name] for name in expected} == expected
    assert found["sources"]["synthetic"] == {"name": "synthetic", "images": 4, "sources": 4}
    monkeypatch.setenv(INCEPTION_VARIABLE, str(inception_file))
    fewer = evaluate(tmp_path / "fewer", images=sets, dims=64, max_slices=3)["images"]
    assert (fewer["n_real"], fewer["n_synthetic"], fewer["n_floor"]) == (3, 3, 0)
    assert fewer["inception_sha256"] == found["inception_sha256"] is not None


def test_results_are_measured(inserted: Any, removed: Any) -> None:
    for (folder, report), command in ((inserted, "harmonize"), (removed, "remove")):
        found = evaluate_result(folder)
        image = load_scan(folder / "image.nii.gz")
        label, alteration = (
            load_label(folder / f"{name}.nii.gz", image=image, allow_empty=True) for name in ("label", "alteration")
        )
        assert found["command"] == command
        assert found["texture"] == texture(image, alteration, axis=2, exclude=label)
        assert found["texture_naive"] != found["texture"]
        for name in ("seam", "seam_naive", "contrast_kept"):
            assert found[name] == pytest.approx(report[name], abs=1e-6)
        assert (found["changed_outside"], found["compared_with"]) == (0, "naive")
        against = evaluate_result(folder, originals=example().image.parent)
        assert (against["changed_outside"], against["compared_with"]) == (0, "original")
    assert ("size_kept" in evaluate_result(inserted[0]), "size_kept" in evaluate_result(removed[0])) == (True, False)


def test_a_change_outside_is_counted_and_told(inserted: Any, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(inserted[0], folder)
    image = nib.load(folder / "image.nii.gz")
    values = np.asarray(image.dataobj).copy()
    outside = np.argwhere(np.asarray(nib.load(folder / "alteration.nii.gz").dataobj) == 0)
    values[tuple(outside[[5, 500]].T)] += 1
    nib.save(nib.Nifti1Image(values, image.affine, image.header), folder / "image.nii.gz")
    report = evaluate(tmp_path / "out", results=[folder], originals=example().image.parent)
    assert report["results"][0]["changed_outside"] == 2
    assert warnings_of(report) == ["changed differs outside its alteration mask."]
    assert "Warning: changed differs" in (tmp_path / "out" / "report.html").read_text()


def test_both_ways_give_one_report_and_one_page(
    sets: tuple[Path, Path], inception_file: Path, inserted: Any, removed: Any, tmp_path: Path
) -> None:
    report = evaluate(
        tmp_path / "out", images=sets, inception=inception_file, dims=64, results=[inserted[0].parent, removed[0]]
    )
    names = ["images.png", "report.html", "report.json", "report.pdf"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    assert saved["images"]["fid"] == pytest.approx(report["images"]["fid"], abs=1e-6)
    assert [result["command"] for result in saved["results"]] == ["harmonize", "remove"]
    assert str(tmp_path) not in (tmp_path / "out" / "report.json").read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<img") == 3
    for row in (*images_table(report["images"]), *results_table(report["results"])):
        for cell in row:
            assert f">{cell}</t" in page
    assert "too few to rank" in page


def test_tables_show_the_naive_image_beside_the_result_and_the_floor() -> None:
    results = [{"folder": "a", "command": "remove", "seam": 1.0, "seam_naive": 2.345, "contrast_kept": None}]
    assert results_table(results)[1] == ["a", "remove", "1.00 (2.35)", "-", "not measurable", "-", "-", "-"]
    kid = {"value": 0.12345, "lower": -0.1, "upper": 0.2}
    images = {"n_real": 9, "n_synthetic": 7, "n_floor": 4, "fid": 1.5, "fid_floor": 1.25, "fid_at_n_floor": 2.0}
    table = images_table({**images, "kid": kid, "kid_floor": kid})
    assert table[1:] == [
        ["real and synthetic", "9 and 7", "1.5", "0.1235", "-0.1 to 0.2"],
        ["real and real", "4 and 4", "1.25", "0.1235", "-0.1 to 0.2"],
        ["real and synthetic, as many", "4 and 4", "2", "", ""],
    ]
    assert len(images_table({**images, "n_floor": 0, "kid": kid, "kid_floor": kid})) == 2


def test_radiomics_have_columns_of_their_own() -> None:
    kid = {"value": 0.5, "lower": 0.25, "upper": 0.75}
    images = {"n_real": 9, "n_synthetic": 7, "n_floor": 4, "fid": 1.5, "fid_floor": 1.25, "fid_at_n_floor": 2.0}
    radiomics = {"frd": kid, "frd_floor": {**kid, "value": 0.125}, "frd_at_n_floor": {**kid, "value": 4.0}}
    table = images_table({**images, "kid": kid, "kid_floor": kid, "radiomics": radiomics})
    assert [row[5] for row in table] == ["FRD", "0.5", "0.125", "4"] and table[2][6] == "0.25 to 0.75"
    table = images_table({**images, "kid": kid, "kid_floor": kid, "radiomics": radiomics, "n_floor": 0})
    assert [row[5] for row in table] == ["FRD", "0.5"]
    for number, warnings in ((9, []), (8, ["The FRD is of 8 real and 7 synthetic images only: the others have"])):
        given = {**images, "radiomics": {**radiomics, "n_real": number, "n_synthetic": 7}}
        assert [warning[:65] for warning in warnings_of({"images": given})] == warnings


def test_every_sequence_of_a_result_is_measured(tmp_path: Path) -> None:
    scan = nib.load(example().image)
    values = np.asarray(scan.dataobj)
    for name, array in (("t1c", values), ("flair", np.where(values > 0, 2000 - values, 0).clip(0))):
        nib.save(nib.Nifti1Image(array.astype(np.int16), scan.affine), tmp_path / f"case_{name}.nii.gz")
    files = [tmp_path / "case_t1c.nii.gz", tmp_path / "case_flair.nii.gz"]
    made = remove(LesionTarget(files, example().label, slice_index=4, lead="t1c"), tmp_path / "out")
    found = evaluate_result(tmp_path / "out", originals=tmp_path)
    assert (found["lead"], list(found["sequences"]), found["changed_outside"]) == ("t1c", ["t1c", "flair"], 0)
    assert found["sequences"]["flair"]["seam"] == pytest.approx(made["sequences"]["flair"]["seam"], abs=1e-6)
    assert found["sequences"]["flair"]["texture"] != found["texture"] == found["sequences"]["t1c"]["texture"]
    rows = results_table([found])
    assert [row[0] for row in rows[1:]] == ["out, t1c", "out, flair"] and rows[2][-1] == ""


def test_refuses_what_cannot_be_evaluated(
    sets: tuple[Path, Path], inception_file: Path, inserted: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConSinGANError, match="nothing to evaluate"):
        evaluate(tmp_path / "out")
    with pytest.raises(ConSinGANError, match="holds no result"):
        evaluate(tmp_path / "out", results=[sets[0]])
    with pytest.raises(ConSinGANError, match=r"has 1 synthetic images"):
        evaluate(tmp_path / "out", images=(sets[0], inserted[0]), inception=inception_file)
    with pytest.raises(ConSinGANError, match=r"does not hold \S+ as the result was made of it"):
        evaluate_result(inserted[0], originals=tmp_path)
    folder = tmp_path / "broken"
    shutil.copytree(inserted[0], folder)
    (folder / "report.json").write_text('{"command": "train"}')
    with pytest.raises(ConSinGANError, match=r"report\.json cannot be used"):
        evaluate_result(folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"command": ["remove"]}, "command"),
        ({"placement": None}, "placement"),
        ({"placement": {"axis": "z"}}, "placement"),
        ({"inputs": [1]}, "inputs"),
        ({"seam": "hard", "placement": 1}, "placement, measures"),
        ({"sequences": {"t1": {"seam": "hard"}}, "lead": "t1"}, "measures"),
        ({"sequences": {"t1": {}}, "lead": "t2"}, "sequences"),
        ({"sequence_files": {"image": ["../image.nii.gz"]}}, "sequences"),
    ],
)
def test_an_odd_report_is_refused_by_what_is_odd(
    removed: Any, tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    folder, report = shutil.copytree(removed[0], tmp_path / "odd"), dict(removed[1])
    (folder / "report.json").write_text(json.dumps({**json.loads((folder / "report.json").read_text()), **changed}))
    with pytest.raises(ConSinGANError, match=rf"report\.json cannot be used \(its {words}\)"):
        evaluate_result(folder)
    assert report["command"] == "remove"


@pytest.mark.parametrize("named", ["../*", "/etc/passwd", "scan[1].nii.gz", 5, None])
def test_an_original_is_found_by_its_name_and_not_by_a_pattern(removed: Any, tmp_path: Path, named: Any) -> None:
    folder, originals = shutil.copytree(removed[0], tmp_path / "odd"), tmp_path / "originals"
    originals.mkdir()
    shutil.copy(example().image, originals / "scan[1].nii.gz")
    report = json.loads((folder / "report.json").read_text())
    report["inputs"]["image"]["file"] = named
    (folder / "report.json").write_text(json.dumps(report))
    if named == "scan[1].nii.gz":
        assert evaluate_result(folder, originals=originals)["changed_outside"] == 0
    else:
        with pytest.raises(ConSinGANError, match="does not hold"):
            evaluate_result(folder, originals=originals)


def test_results_of_one_name_are_told_apart(removed: Any, tmp_path: Path) -> None:
    for site in ("a", "b"):
        shutil.copytree(removed[0], tmp_path / site / "case")
    report = evaluate(tmp_path / "out", results=[tmp_path / "a", tmp_path / "b"])
    assert [result["folder"] for result in report["results"]] == ["case", "case_2"]
    with pytest.raises(ConSinGANError, match="would take the place of"):
        evaluate(tmp_path / "a" / "case", results=[tmp_path / "a" / "case"], overwrite=True)
