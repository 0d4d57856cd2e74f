from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_consingan.data.lesion_bank import BANK_FILE, BANK_FORMAT, BANK_VERSION, LesionBank, save_lesion
from monai_consingan.errors import ConSinGANError


def _bank(folder: Path, channels: int = 2, **changes: Any) -> Path:
    rng = np.random.RandomState(0)
    label = np.zeros((6, 7, 8), np.int16)
    label[2:4, 2:4, 2:4] = 4
    image = rng.standard_normal((channels, 6, 7, 8)).astype(np.float32)
    files = save_lesion(folder, 1, image, label, np.ones(label.shape, bool), (1.0, 2.0, 0.5))
    about = {"number": 1, "files": files, "donors": [0], "fold": None, "level": 0.0, "diameter_mm": 2.0, "kind": "ring"}
    donor = {"scan": "a", "lesion": 1, "fold": None, "image_sha256": "0", "label_sha256": "1"}
    index = {
        "format": BANK_FORMAT,
        "version": BANK_VERSION,
        "lead": "s0",
        "sequences": [f"s{c}" for c in range(channels)],
        "donors": [donor],
        "lesions": [about],
    }
    (folder / BANK_FILE).write_text(json.dumps({**index, **changes}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read(tmp_path: Path, channels: int) -> None:
    bank = LesionBank(_bank(tmp_path, channels))
    image, label, valid = bank.load(bank.lesions[0])
    expected = np.random.RandomState(0).standard_normal((channels, 6, 7, 8)).astype(np.float32)
    np.testing.assert_array_equal(image.numpy(), expected)
    assert image.meta["sequences"] == list(bank.sequences)
    assert image.pixdim.tolist() == [1.0, 2.0, 0.5]
    assert label.shape == valid.shape == (1, 6, 7, 8)
    assert set(np.unique(label)) == {0, 4}


def test_the_same_lesion_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _bank(tmp_path / name)
    for path in (tmp_path / "a").rglob("*.nii.gz"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "no bank of lesions"),
        ({"lesions": []}, "damaged"),
        ({"lesions": [{"number": 1}]}, "damaged"),
        ({"lesions": "no"}, "damaged"),
        ({"donors": [{}]}, "damaged"),
        ({"donors": []}, "damaged .*donors that are not there"),
    ],
)
def test_another_or_damaged_index_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConSinGANError, match=why) as error:
        LesionBank(_bank(tmp_path, **changes))
    assert str(tmp_path) in str(error.value)


def test_no_json_is_refused(tmp_path: Path) -> None:
    (_bank(tmp_path) / BANK_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ConSinGANError, match="cannot be read"):
        LesionBank(tmp_path)


def test_a_folder_without_a_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=f"no {BANK_FILE}"):
        LesionBank(tmp_path)


def test_a_file_beyond_the_bank_is_refused(tmp_path: Path) -> None:
    index = json.loads((_bank(tmp_path) / BANK_FILE).read_text())
    files = index["lesions"][0]["files"]
    index["lesions"][0]["files"] = {f"../{path}": sha256 for path, sha256 in files.items()}
    (tmp_path / BANK_FILE).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ConSinGANError, match="no file of a bank"):
        LesionBank(tmp_path)


def test_a_changed_lesion_is_refused(tmp_path: Path) -> None:
    bank = LesionBank(_bank(tmp_path))
    first, second = (tmp_path / path for path in list(bank.lesions[0]["files"])[1:])
    first.write_bytes(second.read_bytes())
    with pytest.raises(ConSinGANError, match=r"0001_label\.nii\.gz is damaged"):
        bank.load(bank.lesions[0])


def test_lesions_of_other_sequences_are_refused(tmp_path: Path) -> None:
    bank = LesionBank(_bank(tmp_path, sequences=["t1", "t2", "flair"]))
    with pytest.raises(ConSinGANError, match="damaged"):
        bank.load(bank.lesions[0])
