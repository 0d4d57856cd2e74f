from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins
from monai_consingan.workflows.reading import make_reading, score_reading
from monai_consingan.workflows.reading.score import ANSWERS_FORMAT

Tree = Callable[..., dict[str, str]]

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def read(
    augmented: tuple[Path, dict[str, Any]], data_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A reading, and its key."""
    output = tmp_path_factory.mktemp("reading") / "out"
    page = make_reading(augmented[0], data_set, output, number=4)
    assert page == output / "page" / "reading.html"
    return output, json.loads((output / "key.json").read_text(encoding="utf-8"))


def answered(folder: Path, key: dict[str, Any], **changes: Any) -> Path:
    """Answers of a reader who is right about all, but for what is changed."""
    right = {name: {"answer": told["answer"], "confidence": 2, "seconds": 3.5} for name, told in key["cases"].items()}
    path = folder / f"answers-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({"format": ANSWERS_FORMAT, "reading": key["reading"], "answers": {**right, **changes}}))
    return path


def test_the_page_gives_nothing_away(read: tuple[Path, dict[str, Any]], augmented: Any) -> None:
    output, key = read
    assert sorted(told["answer"] for told in key["cases"].values()) == ["real", "real", "synthetic", "synthetic"]
    files = sorted(path.relative_to(output / "page").as_posix() for path in (output / "page").rglob("*.*"))
    assert files == [*(f"pictures/00{n}.png" for n in (1, 2, 3, 4)), "reading.html"]
    text = (output / "page" / "reading.html").read_text(encoding="utf-8")
    content = text.split('id="content">')[1].split("</script>")[0]
    assert not re.search("image[0-9]|_syn|answer|volume", content)
    for path in (output / "page" / "pictures").iterdir():
        picture = Image.open(path)
        assert np.asarray(picture).std() > 5 and picture.info == {}


def test_the_same_seed_gives_the_same_reading(
    read: tuple[Path, dict[str, Any]], augmented: Any, data_set: Path, tmp_path: Path, tree: Tree
) -> None:
    make_reading(augmented[0], data_set, tmp_path / "again", number=4)
    assert tree(tmp_path / "again") == tree(read[0])
    make_reading(augmented[0], data_set, tmp_path / "other", number=4, seed=5)
    assert json.loads((tmp_path / "other" / "key.json").read_text(encoding="utf-8"))["reading"] != read[1]["reading"]


def test_a_new_reading_leaves_nothing_of_the_one_before(augmented: Any, data_set: Path, tmp_path: Path) -> None:
    for number in (4, 2):
        make_reading(augmented[0], data_set, tmp_path / "out", number=number, overwrite=True)
    pictures = tmp_path / "out" / "page" / "pictures"
    assert sorted(path.name for path in pictures.iterdir()) == ["001.png", "002.png"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    pictures.rename(tmp_path / "moved")
    pictures.symlink_to(elsewhere)
    with pytest.raises(ConSinGANError, match="holds the link pictures, which leads out of it"):
        make_reading(augmented[0], data_set, tmp_path / "out", number=2, overwrite=True)
    assert not list(elsewhere.iterdir())


def test_too_few_cases(augmented: Any, data_set: Path, tmp_path: Path) -> None:
    for number, words in ((400, "synthetic cases, but 200 are asked for"), (3, "number is 3, but must be an even")):
        with pytest.raises(ConSinGANError, match=words):
            make_reading(augmented[0], data_set, tmp_path / "out", number=number)
    assert not (tmp_path / "out").exists()


def test_real_places_have_the_size_of_the_removed_lesions_in_mm(data_set: Path, tmp_path: Path) -> None:
    first = {key: str(data_set.parent / f"{key}0.nii.gz") for key in ("image", "label")}
    (tmp_path / "list.json").write_text(json.dumps({"training": [first]}))
    free_twins(tmp_path / "list.json", tmp_path / "out", TwinSettings(method="fill", most_contrast=5, most_seam=9))
    make_reading(tmp_path / "out", data_set, tmp_path / "reading", number=2)
    cases = json.loads((tmp_path / "reading" / "key.json").read_text(encoding="utf-8"))["cases"]
    assert cases["001"]["volume_mm3"] == cases["002"]["volume_mm3"]
    for number in (1, 2):  # the same voxels, but twice as thick
        scan = nib.load(data_set.parent / f"image{number}.nii.gz")
        nib.save(
            nib.Nifti1Image(np.asarray(scan.dataobj), scan.affine @ np.diag([1, 1, 2, 1])), tmp_path / f"{number}.nii"
        )
    (tmp_path / "thick.json").write_text(json.dumps({"training": [{"image": f"{number}.nii"} for number in (1, 2)]}))
    with pytest.raises(ConSinGANError, match=r"thick\.json has 0 real cases, but 1 are asked for"):
        make_reading(tmp_path / "out", tmp_path / "thick.json", tmp_path / "other", number=2)


def test_real_cases_show_the_sequences_of_the_synthetic_ones(augmented: Any, data_set: Path, tmp_path: Path) -> None:
    files = [str(data_set.parent / f"image{number}.nii.gz") for number in (0, 2)]
    entry = {"image": files, "label": str(data_set.parent / "label0.nii.gz")}
    (tmp_path / "list.json").write_text(json.dumps({"training": [entry]}))
    with pytest.raises(ConSinGANError, match=r"has the sequences .*, but the synthetic scans have .*: give"):
        make_reading(augmented[0], tmp_path / "list.json", tmp_path / "out", number=2)
    assert not (tmp_path / "out").exists()


def test_real_lesions_are_of_the_label_values_that_were_asked_for(with_oedema: Path, tmp_path: Path) -> None:
    settings = AugmentSettings(
        method="poisson", per_scan=3, lesions=(1, 1), lesion_labels=(2,), contrast_range=(0.01, 99), seam_margin=99
    )
    assert augment(with_oedema, tmp_path / "out", settings)["made"] >= 3
    with pytest.raises(ConSinGANError, match="has 2 real cases, but 3 are asked for"):  # oedema alone is none
        make_reading(tmp_path / "out", with_oedema, tmp_path / "reading", number=6)


def test_scores(read: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output, key = read
    missed = next(name for name, told in key["cases"].items() if told["answer"] == "synthetic")
    paths = [
        answered(tmp_path, key),
        answered(tmp_path, key, **{missed: {"answer": "real", "confidence": 1, "seconds": 9}}),
    ]
    scores = score_reading(paths, output / "key.json")
    assert [reader["sensitivity"]["value"] for reader in scores["readers"]] == [1, 0.5]
    assert scores["readers"][0]["seconds"] == 3.5
    assert scores["together"]["sensitivity"] == 0.75
    assert scores["kappa"] == pytest.approx(0.5)
    assert score_reading(paths[:1], output / "key.json")["kappa"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "x"}, "none of this program"),
        ({"reading": "x"}, "of another reading than the key"),
        ({"answers": {}}, "lack 4 of 4 cases, such as 001"),
        ({"answers": {f"00{n}": {"answer": "fake"} for n in (1, 2, 3, 4)}}, "for case 001: give the answers"),
    ],
)
def test_answers_that_do_not_fit(
    read: tuple[Path, dict[str, Any]], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    output, key = read
    path = answered(tmp_path, key)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}))
    with pytest.raises(ConSinGANError, match=words):
        score_reading([path], output / "key.json")
    with pytest.raises(ConSinGANError, match="is none of this program"):
        score_reading([path], path)


def test_all_the_time_that_a_case_is_looked_at_counts(read: tuple[Path, dict[str, Any]], browser: Any) -> None:
    page = browser.new_page()
    page.goto((read[0] / "page" / "reading.html").as_uri())
    page.evaluate("void (performance.now = () => 1000 * now, globalThis.now = 0, since = 0, seconds['001'] = 0)")
    for now, key in ((20, "j"), (25, "k"), (28, "1"), (30, "k"), (31, "6"), (33, "2")):
        page.evaluate(f"void (now = {now})")
        page.keyboard.press(key)
    given = page.evaluate("answers")
    assert (given["001"], given["002"]) == (
        {"answer": "synthetic", "confidence": 3, "seconds": 24},
        {"answer": "real", "confidence": 2, "seconds": 9},
    )
    page.close()


def test_a_reader_in_a_browser(
    read: tuple[Path, dict[str, Any]], open_page: Callable[[Path], Any], tmp_path: Path
) -> None:
    output, _ = read
    page = open_page(output / "page" / "reading.html")
    for key in ("1", "6", "3", "k", "4"):
        page.keyboard.press(key)
    page.reload()
    assert page.locator("#what").inner_text() == "Case 4 of 4"
    assert page.locator("#shown").evaluate("image => image.naturalWidth") > 0
    page.get_by_role("button", name="Synthetic, sure").click()
    assert page.locator("#count").inner_text() == "4 of 4 answered"
    with page.expect_download() as download:
        page.keyboard.press("s")
    download.value.save_as(tmp_path / "answers.json")
    given = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))["answers"]
    assert [(given[name]["answer"], given[name]["confidence"]) for name in sorted(given)] == [
        *[("real", 3), ("synthetic", 3), ("synthetic", 1), ("synthetic", 3)],
    ]
    scores = score_reading([tmp_path / "answers.json"], output / "key.json")
    assert scores["cases"] == 4
