"""``benchmarks/removal.py`` runs in small, and its detector is asked about the right places of the right patients."""

from __future__ import annotations

import json
from pathlib import Path

import _removal_detector
import numpy as np
import pytest
import removal
from _detector_net import NetSettings
from _patients import Patient, read_patients
from _removal_detector import detection_rows, fires, mirrored_places, real_removals, removed
from _removal_methods import Removal

DISK = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0]], bool)


def refuse(case: Removal) -> np.ndarray:
    raise AssertionError("asked although it refuses")


@pytest.fixture(scope="module")
def patients(made_up_patients: Path) -> list[Patient]:
    return read_patients(made_up_patients)


def blank(case: Removal) -> np.ndarray:
    """Fill with the median of the slice's brain."""
    return np.where(case.mask, np.median(case.image[case.image > 0]), case.image)


def test_fires_where_something_found_overlaps(patients: list[Patient]) -> None:
    found, where = np.zeros((2, 20, 20), bool)
    where[5:8, 5:9] = DISK
    assert not fires(found, where, patients[0])
    found[8:11, 5:9] = DISK  # beside it, which the dilation by 1 mm makes an overlap
    assert fires(found, where, patients[0])
    assert not fires(np.roll(found, 3, axis=0), where, patients[0])


def test_all_of_a_lesion_is_removed_and_nothing_else(patients: list[Patient]) -> None:
    patient = patients[0]
    image, refused = removed(patient, blank, lambda method, case: method(case))
    assert not refused
    changed = image != patient.image
    assert changed[patient.core].all()
    near = np.stack([case.mask for case in real_removals(patient, 1).values()], axis=-1)
    first = min(real_removals(patient, 1))
    assert not np.delete(changed, range(first, first + near.shape[-1]), axis=-1).any()
    assert not changed[..., first : first + near.shape[-1]][~near].any()
    same, refused = removed(patient, blank, lambda *_: None)
    assert np.array_equal(same, patient.image)
    assert refused == set(real_removals(patient, 1))


def test_the_other_hemisphere_is_asked_about_where_it_is_healthy(patients: list[Patient]) -> None:
    for patient in patients:
        other = mirrored_places(patient)
        assert not (other & patient.core).any()
        assert not other[..., ~patient.core.any(axis=(0, 1))].any()


def test_detectors_learn_from_other_patients_and_stop_firing(
    patients: list[Patient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector is replaced by one that sees what is bright, which is gone where a lesion was filled."""
    learned: list[list[str]] = []
    monkeypatch.setattr(_removal_detector, "train_detector", lambda few, *_: learned.append([p.name for p in few]))
    monkeypatch.setattr(
        _removal_detector,
        "predict",
        lambda network, patient, settings, image=None: (
            (patient.image if image is None else image) > 1.5 * np.median(patient.image[patient.brain])
        ),
    )
    methods = {"filled": blank, "left": lambda case: case.image, "refusing": refuse}
    rows = detection_rows(
        patients,
        methods,
        lambda method, case: None if method is refuse else method(case),
        seeds=2,
        settings=NetSettings(steps=1),
    )
    assert [set(names) for names in learned[::2]] == [
        {other.name for other in patients} - {patient.name} for patient in patients
    ]
    assert {row["looked at"]: row["fires"].split(" ")[0] for row in rows} == {
        "(lesion, before)": "1.00",
        "(other hemisphere, untouched)": "0.00",
        "filled": "0.00",
        "left": "1.00",
        "refusing": "",
    }
    assert {row["refused"] for row in rows} == {0, 2 * sum(len(real_removals(patient)) for patient in patients)}


def test_the_command(made_up_patients: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On made-up brains of noise: a flat filling is told apart, and has no texture."""
    command = ["--data", str(made_up_patients), "--per-patient", "2", "--windows", "1", "--cache", str(tmp_path)]
    removal.main([*command, "--methods", "ring mean", "--tell-apart", "--json", str(tmp_path / "x.json")])
    assert "told, AUC" in capsys.readouterr().out
    rows = {row["method"]: row for row in json.loads((tmp_path / "x.json").read_text())["methods"]}
    assert set(rows) == {"(the truth)", "Poisson-corrected mirror", "ring mean"}
    assert rows["ring mean"]["texture"]["value"] < 0.05 < 0.5 < rows["Poisson-corrected mirror"]["texture"]["value"]
    assert rows["ring mean"]["told"]["value"] > 0.9
