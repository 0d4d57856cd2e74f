from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings, Lesion, ScanRecord, ScanSet
from monai_consingan.workflows.augmentation.donors import choose_donors, describe_donors, donors_of, draw_lesion
from monai_consingan.workflows.augmentation.plan import plan_tasks
from monai_consingan.workflows.augmentation.survey import ScanSurvey, size_class


def scan_set(kinds: list[tuple[str, int | None]]) -> ScanSet:
    records = [
        ScanRecord(f"s{number}", Path(f"s{number}.nii"), Path("l.nii"), split, fold)
        for number, (split, fold) in enumerate(kinds)
    ]
    return ScanSet("datalist", Path(), tuple(records))


def lesions(scans: ScanSet, sizes: str = "small medium") -> list[Lesion]:
    return [
        Lesion(record.name, number, 65.0, 5.0, size, 1.0, 3.0, 1)
        for record in scans.records
        for number, size in enumerate(sizes.split(), 1)
    ]


SCANS = st.lists(
    st.tuples(st.sampled_from(["training", "validation", "test"]), st.sampled_from([None, 0, 1, 2])),
    min_size=1,
    max_size=9,
)


@given(kinds=SCANS, per_scan=st.integers(1, 3), seed=st.integers(0, 99))
def test_no_network_is_trained_with_what_it_is_validated_on(
    kinds: list[tuple[str, int | None]], per_scan: int, seed: int
) -> None:
    scans = scan_set(kinds)
    records = {record.name: record for record in scans.records}
    for task in plan_tasks(scans, AugmentSettings(per_scan=per_scan, seed=seed)):
        used = {task.host} | {lesion.scan for lesion in donors_of(records[task.host], scans.records, lesions(scans))}
        assert all(records[name].split == "training" for name in used)
        for fold in (0, 1, 2):  # a run's training is all that is not of its fold, as MONAI splits a datalist
            validation = {record.name for record in scans.of("training") if record.fold == fold}
            assert task.fold == fold or not used & validation


def test_the_guard_leaves_donors() -> None:
    scans = scan_set([("training", 0), ("training", 0), ("training", 1), ("validation", None)])
    found = donors_of(scans.records[0], scans.records, lesions(scans))
    assert [(lesion.scan, lesion.number) for lesion in found] == [("s0", 1), ("s0", 2), ("s1", 1), ("s1", 2)]


@given(kinds=SCANS, per_scan=st.integers(1, 4), seed=st.integers(0, 99))
def test_tasks_do_not_depend_on_order_number_and_other_scans(
    kinds: list[tuple[str, int | None]], per_scan: int, seed: int
) -> None:
    scans, settings = scan_set(kinds), AugmentSettings(per_scan=per_scan, seed=seed)
    tasks = plan_tasks(scans, settings)
    assert Counter(task.host for task in tasks) == {record.name: per_scan for record in scans.of("training")}
    assert len({task.name for task in tasks}) == len({task.seed for task in tasks}) == len(tasks)
    other = replace(scans, records=tuple(reversed(scans.records[: len(scans.records) // 2 + 1])))
    fewer = plan_tasks(other, replace(settings, per_scan=1))
    assert set(fewer) <= set(tasks)
    again = plan_tasks(scans, replace(settings, seed=seed + 1))
    assert not {task.seed for task in again} & {task.seed for task in tasks}


def test_draws() -> None:
    donors = lesions(scan_set([("training", None)] * 3), "small medium large")
    settings = AugmentSettings(sizes={"small": 3, "large": 1, "medium": 0}, rotate_range=10, scale_range=(0.5, 0.75))
    rng = np.random.RandomState(0)
    draws = [draw_lesion(donors, settings, rng) for _ in range(400)]
    sizes = Counter(draw.donor.size for draw in draws)
    assert sizes["medium"] == 0
    assert sizes["small"] / 400 == pytest.approx(0.75, abs=0.07)
    assert len({(draw.donor.scan, draw.donor.number) for draw in draws}) == 6
    assert all(abs(draw.degrees) <= 10 and 0.5 <= draw.scale <= 0.75 for draw in draws)
    assert np.mean([draw.flips for draw in draws]) == pytest.approx(0.5, abs=0.05)
    assert draws[0] == draw_lesion(donors, settings, np.random.RandomState(0))
    json.dumps(draws[0].as_dict(), allow_nan=False)
    alike = Counter(draw_lesion(donors, AugmentSettings(), rng).donor for _ in range(900))
    assert set(alike) == set(donors)
    assert min(alike.values()) > 60
    with pytest.raises(ConSinGANError, match="no donor in the host's fold"):
        draw_lesion(choose_donors(donors[:1], AugmentSettings(sizes={"large": 1}))[0], settings, rng)
    with pytest.raises(ConSinGANError, match="no donor"):
        draw_lesion([], AugmentSettings(), rng)


def test_what_is_no_donor_and_why() -> None:
    scans = scan_set([("training", None)] * 2)
    usual, bright, dark, speck, faint, giant = (
        replace(lesion, scan="s0", number=number)
        for number, lesion in enumerate(lesions(scans, "small medium large small small giant")[:6], 1)
    )
    dark, speck, faint = replace(dark, cnr=-2.5), replace(speck, volume_mm3=9.9), replace(faint, cnr=-1.9)
    every = [usual, bright, dark, speck, faint, giant]
    found, left = choose_donors(every, AugmentSettings())
    assert found == [usual, bright, dark]
    assert left == {
        speck: "smaller than 10 mm3",
        faint: "contrast-to-noise ratio below 2",
        giant: "30 mm or more in diameter",
    }
    assert choose_donors([giant, speck], AugmentSettings())[0] == [giant]  # nothing else is there
    assert choose_donors(every, AugmentSettings(min_volume=0, min_cnr=0))[0] == every[:5]
    found, left = choose_donors(every, AugmentSettings(sizes={"giant": 1, "small": 2, "large": 0}))
    assert found == [usual, giant]
    assert left[dark] == left[bright] == "of a size that is not asked for"
    surveys = {"s0": ScanSurvey("s0", "", "", tuple(every), {"7": "it has fewer than 4 voxels"})}
    told = describe_donors(scans, surveys, AugmentSettings())
    assert told["donors"] == 3
    assert [(lesion["scan"], lesion["lesion"], lesion["why"]) for lesion in told["left_out"]] == [
        ("s0", 7, "it has fewer than 4 voxels"),
        ("s0", 4, "smaller than 10 mm3"),
        ("s0", 5, "contrast-to-noise ratio below 2"),
        ("s0", 6, "30 mm or more in diameter"),
    ]


def test_size_classes() -> None:
    assert [size_class(diameter) for diameter in (0.1, 5.99, 6, 14.9, 15, 29.9, 30, 80)] == [
        *["small"] * 2,
        *["medium"] * 2,
        *["large"] * 2,
        *["giant"] * 2,
    ]


BAD: dict[str, dict[str, Any]] = {
    "per scan is 0": {"per_scan": 0},
    "attempts is 0": {"attempts": 0},
    "lesions is": {"lesions": (2, 1)},
    "method is 'gan'": {"method": "gan"},
    "on failure is 'consingan'": {"on_failure": "consingan"},
    "match is": {"match": "colour"},
    "sizes is": {"sizes": {"huge": 1}},
    "sizes is {'small': -1": {"sizes": {"small": -1, "large": 2}},
    "scale range is": {"scale_range": (0, 1)},
    "contrast range is": {"contrast_range": (2, 1)},
    "flip prob is 2": {"flip_prob": 2},
    "seam margin is 0.5": {"seam_margin": 0.5},
    "clearance mm is -1": {"clearance_mm": -1},
    "edge mm is -1": {"edge_mm": -1.0},
    "min volume is -1": {"min_volume": -1},
    "min cnr is nan": {"min_cnr": float("nan")},
}


@pytest.mark.parametrize("words", BAD)
def test_bad_settings(words: str) -> None:
    with pytest.raises(ConSinGANError, match=words):
        AugmentSettings(**BAD[words])


def test_settings_come_back_from_json() -> None:
    settings = AugmentSettings(lesions=(2, 3), sizes={"small": 1.5}, lesion_labels=(1, 4), edge_mm=3.0)
    assert AugmentSettings(**json.loads(json.dumps(settings.as_dict()))) == settings
