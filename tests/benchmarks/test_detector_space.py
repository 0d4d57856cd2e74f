"""``benchmarks/detector_space.py`` goes on where it was, and keeps training and test apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import _detector_space_runs
import detector_space
import numpy as np
import pytest
from _detector_net import NetSettings
from _detector_scans import CoarseScan, Lesions, library
from _detector_space import THRESHOLDS, SpaceArm, SpaceBatch, at_false_positives, batches
from _detector_space_runs import DICE, SENSITIVITY, SpaceExperiment
from _sequences import read_volumes

from monai_consingan.errors import ConSinGANError

SEQUENCES = ("t1ce", "flair")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, save_patient: Callable[..., None]) -> Path:
    """Four patients of two sequences: a ball of noise with a bright ball in it."""
    folder = tmp_path_factory.mktemp("space")
    grid = np.stack(np.mgrid[:72, :72, :72])
    for number in range(4):
        middle = np.array([28 + 4 * number, 36, 30])
        core = ((grid - middle[:, None, None, None]) ** 2).sum(0) < 8**2
        save_patient(folder, number, core, ((grid - 36) ** 2).sum(0) < 34**2, 0.05, {"t1ce": 1.0, "flair": 0.6})
    return folder


@pytest.fixture(scope="module")
def scans(folder: Path) -> list[CoarseScan]:
    return [CoarseScan(volume) for volume in read_volumes(folder, SEQUENCES)]


def experiment(scans: list[CoarseScan], cache: Path) -> SpaceExperiment:
    net = NetSettings((4, 8), steps=2, dims=3, sequences=2)
    return SpaceExperiment(scans, 2, 2, 1, SpaceBatch(16, jitter=4), net, 0.1, cache)


def test_a_finished_experiment_is_read_from_its_cache(
    scans: list[CoarseScan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = [
        SpaceArm("2: standard", 2),
        SpaceArm("2: + copies", 2, lesions=Lesions("copies")),
        SpaceArm("2: twins", 2, twins=True),
    ]
    arms.append(SpaceArm("2: on the fly", 2, lesions=Lesions("copies"), on_the_fly=True))
    first = experiment(scans, tmp_path).run(arms)
    monkeypatch.setattr(_detector_space_runs, "train", lambda *_, **__: pytest.fail("trained again"))
    assert experiment(scans, tmp_path).run(arms) == first
    assert all(len(seeds) == 2 for arm in first.values() for found in arm.values() for seeds in found.values())


def test_no_tested_patient_is_learnt_from_and_fewer_are_among_more(scans: list[CoarseScan], tmp_path: Path) -> None:
    run = experiment(scans, tmp_path)
    assert sorted(s.name for fold in range(2) for s in run.tested(fold)) == sorted(scan.name for scan in scans)
    for fold in range(2):
        one, two = (run.trained(fold, 1, count) for count in (1, 2))
        assert one == two[:1] and not {scan.name for scan in two} & {scan.name for scan in run.tested(fold)}
        made = run.lesions(SpaceArm("", 1, lesions=Lesions("copies")), one)
        assert made and {name for lesion in made for name in (lesion.host, lesion.donor)} == {one[0].name}
    every = library(Lesions("copies"), scans, 1, tmp_path / "made")
    with pytest.raises(ConSinGANError, match="not trained on"):
        next(batches(SpaceArm("", 1, lesions=Lesions("copies")), scans[:1], every, SpaceBatch(16), 1, 0))


def test_arms_differ_in_what_they_add_only(scans: list[CoarseScan], tmp_path: Path) -> None:
    made = library(Lesions("copies"), scans, 1, tmp_path)
    settings = SpaceBatch(16, jitter=4)

    def drawn(arm: SpaceArm) -> list[list[bytes]]:
        steps = batches(arm, scans, made if arm.lesions else [], settings, 2, seed=3)
        return [[patch.image.tobytes() for patch in batch] for batch in steps]

    plain, copies, twins = (
        drawn(arm) for arm in (SpaceArm("", 4), SpaceArm("", 4, lesions=Lesions("copies")), SpaceArm("", 4, twins=True))
    )
    for real, pasted, removed in zip(plain, copies, twins, strict=True):
        assert [a == b for a, b in zip(real, pasted, strict=True)] == [True, False, True, True]
        assert [a == b for a, b in zip(real, removed, strict=True)] == [True, True, True, False]


@pytest.mark.parametrize(
    "lesions",
    [Lesions("copies"), Lesions("blank"), Lesions("patches"), Lesions("warped", oedema=False, mass_effect=0.5)],
)
def test_lesions_are_bright_where_their_label_is(lesions: Lesions, scans: list[CoarseScan], tmp_path: Path) -> None:
    made = library(lesions, scans[:2], 1, tmp_path)
    assert {(one.host, one.donor) for one in made} == {(a.name, b.name) for a in scans[:2] for b in scans[:2]}
    again = library(lesions, scans[:2], 1, tmp_path)
    for one, same in zip(made, again, strict=True):
        host = next(scan for scan in scans if scan.name == one.host)
        image, core = one.into(host)
        new = core & ~host.core
        assert new.any() and image[0][new].mean() > 1.5 * float(host.levels[0][0].item())
        assert np.array_equal(same.into(host)[0], image)


def test_sensitivity_is_that_at_the_false_positives_that_are_allowed() -> None:
    wrong, count = [9, 5, 2] + [0] * (len(THRESHOLDS) - 3), len(THRESHOLDS)
    found = {
        "a": {"sensitivity": [1.0] * 3 + [0.5] * (count - 3), "false_positives": wrong},
        "b": {"sensitivity": [1.0] * 2 + [0.25] * (count - 2), "false_positives": [0] * count},
    }
    assert at_false_positives(found, 2) == {"a": 1.0, "b": 0.25}  # at the third threshold 2 and 0, 1 on average
    assert at_false_positives(found, 0) == {"a": 0.5, "b": 0.25}
    assert at_false_positives({"a": {**found["a"], "false_positives": [3] * count}}, 2) == {"a": 0.0}


def test_gains_are_weighed_against_more_patients() -> None:
    patients = [f"p{number}" for number in range(8)]

    def values(shift: float) -> dict[str, dict[str, list[float]]]:
        one = {name: [0.1 * number + shift, 0.1 * number + shift] for number, name in enumerate(patients)}
        return {DICE: one, SENSITIVITY: one}

    standard = {detector_space.standard(count): values(0.02 * count) for count in (2, 4)}
    found = {**standard, "2: ours": values(0.05)}
    assert detector_space.worth(found, "2: ours", DICE)["value"] == pytest.approx(0.5)
    assert detector_space.power(found, "2: ours", detector_space.standard(2), DICE)["patients"] <= 1
    gap = {"value": 0.03, "low": 0.01, "high": 0.05}
    same = {"value": 0.0, "low": -0.1, "high": 0.1}
    assert detector_space.verdict({DICE: gap, SENSITIVITY: same}) == "helps"
    assert detector_space.verdict({DICE: {**gap, "low": -0.01}, SENSITIVITY: same}) == "not shown"
    fell = {"value": -0.1, "low": -0.2, "high": -0.01}
    assert detector_space.verdict({DICE: gap, SENSITIVITY: fell}) == "not shown"
    assert detector_space.verdict({DICE: fell, SENSITIVITY: same}) == "harms"


def test_what_arms_are_held_against() -> None:
    held = {arm.name: detector_space.held_against(arm) for arm in detector_space.all_arms()}
    assert held["2: standard augmentation"] == {"real patients instead": "4: standard augmentation"}
    assert held["2: + copies on the fly"] == {
        "standard": "2: standard augmentation",
        "blank": "2: + blank lesions",
        "copies": "2: + copies",
        "real patients instead": "4: standard augmentation",
    }
    assert held["2: + warped, no oedema"]["the same without"] == "2: + warped"
    assert held["4: + patches"] == {"standard": "4: standard augmentation", "copies": "4: + copies"}
    assert held["2: real only"] == {"standard": "2: standard augmentation"}
    assert all(other in held for others in held.values() for other in others.values())


def test_the_command_writes_its_numbers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = [
        *(SpaceArm(detector_space.standard(count), count) for count in (1, 2)),
        SpaceArm("2: + twins", 2, twins=True),
    ]
    monkeypatch.setattr(detector_space, "all_arms", lambda: arms)
    monkeypatch.setattr(detector_space, "MORE", 1)
    out = tmp_path / "out.json"
    command = ["--data", str(folder), "--sequences", *SEQUENCES, "--quick", "--side", "16", "--cache", str(tmp_path)]
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="4 patients are asked for, but 3 are left"):
        patch.setattr(detector_space, "all_arms", lambda: [SpaceArm("", 4)])
        detector_space.main(command)
    detector_space.main([*command, "--folds", "2", "--json", str(out)])
    assert [row["arm"] for row in json.loads(out.read_text())["arms"]] == [arm.name for arm in arms]
