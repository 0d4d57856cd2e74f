"""``benchmarks/detector.py`` runs in small, goes on where it was, and keeps training and test apart."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import _detector_runs
import detector
import numpy as np
import pytest
import torch
from _detector_data import Arm, BatchSettings, Patches, augmentation
from _detector_net import NetSettings, train
from _detector_runs import Experiment, PasteSettings
from _detector_scores import MEASURES, Found, difference
from _methods import Paste
from _patients import read_patients
from monai.transforms import RandAffined

from monai_consingan.errors import ConSinGANError

SYNTHETIC = Arm("synthetic", augment=False, method=Paste())


@pytest.fixture(scope="module")
def experiment(made_up_patients: Path, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    settings = PasteSettings(2, 1), BatchSettings(), NetSettings()
    patients = read_patients(made_up_patients)
    return Experiment(patients, [SYNTHETIC], 2, 1, *settings, tmp_path_factory.mktemp("cache"))


def test_a_finished_experiment_is_read_from_its_cache(
    made_up_patients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", str(made_up_patients), "--quick", "--methods", "naive", "--cache", str(tmp_path / "cache")]
    detector.main([*command, "--json", str(tmp_path / "first.json"), "--figures", str(tmp_path)])
    printed = capsys.readouterr().out
    monkeypatch.setattr(_detector_runs, "train", lambda *_, **__: pytest.fail("trained again"))
    detector.main([*command, "--json", str(tmp_path / "second.json")])
    assert capsys.readouterr().out == printed
    first, second = (json.loads((tmp_path / f"{name}.json").read_text())["arms"] for name in ("first", "second"))
    assert first == second
    real = ["real only", "real oversampled", "standard augmentation", "oversampled + standard"]
    assert [row["arm"] for row in first] == [*real, "+ naive", "+ blank lesions"]
    assert all(set(row["patients"]["score"]) == {f"made-up-{n}" for n in range(4)} for row in first)
    assert {"arms.png", "patches.png"} <= {path.name for path in tmp_path.iterdir()}


def test_every_patient_is_tested_once_and_never_learned_from_in_that_fold(experiment: Experiment) -> None:
    tested = [patient.name for fold in range(2) for patient in experiment.tested(fold)]
    assert sorted(tested) == sorted(patient.name for patient in experiment.patients)
    for fold in range(2):
        held_out = {patient.name for patient in experiment.tested(fold)}
        patches = experiment.patches(fold)
        used = {name for paste in patches.pastes for name in (paste.window.patient.name, paste.donor)}
        assert used and not used & held_out
        assert not {patient.name for patient in patches.patients} & held_out
    with pytest.raises(ConSinGANError, match="not trained on"):
        Patches(experiment.trained(0), experiment.pastes, experiment.batch)


def test_arms_differ_in_the_synthetic_lesions_only(experiment: Experiment) -> None:
    patches = experiment.patches(0)
    images = experiment.images(SYNTHETIC, patches.pastes)
    real = list(patches.batches(Arm("real"), [], 3, seed=1))
    synthetic = list(patches.batches(SYNTHETIC, images, 3, seed=1))
    count = experiment.batch.lesions
    for one, other in zip(real, synthetic, strict=True):
        assert [patch.label.any() for patch in one] == [True] * count + [False] * count
        assert [patch.label.any() for patch in other] == [True] * count + [False] * count
        same = [np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True)]
        assert same == [True] * (count // 2) + [False] * (count // 2) + [True] * count
    assert not np.array_equal(real[0][0].image, next(patches.batches(Arm("real"), [], 1, seed=2))[0].image)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_standard_augmentation_zooms_every_axis(dims: int) -> None:
    (affine,) = [one for one in augmentation(0, dims).transforms if isinstance(one, RandAffined)]
    draw = affine.rand_affine.rand_affine_grid
    draw(spatial_size=(4,) * dims)
    zooms = np.linalg.svd(np.asarray(draw.get_transformation_matrix())[:dims, :dims], compute_uv=False)
    assert (np.abs(zooms - 1) > 1e-4).all() and (np.abs(zooms - 1) <= 0.2001).all()


@pytest.mark.parametrize("augment", [False, True])
def test_a_training_repeats_to_the_bit(experiment: Experiment, augment: bool) -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        batches = experiment.patches(0).batches(Arm("real"), [], 3, seed=1)
        network, _ = train(batches, NetSettings((4, 8), steps=3), augment=augment, seed=seed)
        return list(network.state_dict().values())

    first = weights(1)
    assert all(torch.equal(one, other) for one, other in zip(first, weights(1), strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(first, weights(2), strict=True))


def test_pasted_lesions_are_bright_where_their_label_is(experiment: Experiment) -> None:
    for paste, image in zip(experiment.pastes, experiment.images(SYNTHETIC, experiment.pastes), strict=True):
        case, median = paste.insertion, paste.window.patient.brain_level[0]
        assert image[case.mask].mean() > 1.7 * median  # the made-up lesions are twice as bright as their brain
        assert case.host[case.mask].mean() < 1.2 * median
        assert np.array_equal(image[~case.mask], case.host[~case.mask])


def test_what_was_found_is_scored_and_read_back(experiment: Experiment) -> None:
    patient = experiment.patients[0]
    perfect, nothing = (Found.of(mask, patient) for mask in (patient.core, np.zeros_like(patient.core)))
    assert {name: measure(perfect) for name, measure in MEASURES.items()} == {
        name: 0.0 if "false" in name else 1.0 for name in MEASURES
    }
    assert all(measure(nothing) == 0 for measure in MEASURES.values())
    assert Found.from_dict(json.loads(json.dumps(perfect.as_dict()))) == perfect


def test_difference_is_paired_and_leaves_out_who_has_no_lesion() -> None:
    other = {"a": 0.1, "b": 0.5, "c": float("nan"), "d": 0.2}
    always = difference({name: value + 0.25 for name, value in other.items()}, other)
    assert always == pytest.approx({"value": 0.25, "above": 3, "patients": 3, "low": 0.25, "high": 0.25})
    mixed = difference({"a": 0.2, "b": 0.4, "d": 0.2}, {name: other[name] for name in "abd"})
    bounds = [mixed["low"], mixed["value"], mixed["high"]]
    assert all(low <= high for low, high in pairwise(bounds)) and mixed["above"] == 1
    assert bounds[0] == pytest.approx(-0.1) and bounds[2] == pytest.approx(0.1)


def test_a_datalist_names_its_patients(made_up_patients: Path, tmp_path: Path) -> None:
    def entry(number: int, **more: str) -> dict[str, str]:
        start = str(made_up_patients / f"made-up-{number}")
        return {"image": f"{start}_t1ce.nii.gz", "label": f"{start}_seg.nii.gz", **more}

    datalist = tmp_path / "scans.json"
    entries = [entry(0, patient="one"), entry(1, patient="one"), entry(2)]
    datalist.write_text(json.dumps({"training": entries, "test": [entry(3, patient="other")]}))
    found = {patient.name: patient.image_file.name for patient in read_patients(datalist)}
    assert found == {
        "one": "made-up-0_t1ce.nii.gz",
        "made-up-2_t1ce": "made-up-2_t1ce.nii.gz",
        "other": "made-up-3_t1ce.nii.gz",
    }
    assert not read_patients(datalist, core_labels=(2,))[0].core.any()
