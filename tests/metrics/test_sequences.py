from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import (
    Surroundings,
    Where,
    by_sequence,
    changed_outside,
    check_insertion,
    check_removal,
    contrast,
    insertion_measures,
    measure_change,
    removal_measures,
    seam,
    texture,
)

NAMES = ["t1", "t1ce", "flair"]
LESION = np.zeros((1, 48, 48, 6), np.uint8)
LESION[0, 20:28, 20:28, 1:5] = 1


def tissue(seed: int = 0) -> np.ndarray:
    """Three sequences of noisy tissue around 100, 100 and 60 in air, (3, 48, 48, 6)."""
    image = np.zeros((3, 48, 48, 6))
    image[:, 4:-4, 4:-4] = np.random.RandomState(seed).normal(100, 3, (3, 40, 40, 6))
    image[2] *= 0.6
    return image


def with_lesion(image: np.ndarray, levels: tuple[float, float, float] = (98.0, 150.0, 40.0)) -> np.ndarray:
    """A lesion that the first sequence hardly shows, the second as bright, the third as dark."""
    return np.where(
        LESION > 0, image + np.reshape([levels[0] - 100, levels[1] - 100, levels[2] - 60], (3, 1, 1, 1)), image
    )


def named(image: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(image), meta={"sequences": NAMES})


def inserted(result: np.ndarray) -> Any:
    donor = named(with_lesion(tissue(1)))
    measures = insertion_measures({"": named(result)}, LESION, donor, LESION, Where(2))
    return check_insertion(named(result), named(tissue()), LESION, donor, LESION, measures, Where(2))


def removed(result: np.ndarray) -> Any:
    ill = named(with_lesion(tissue()))
    measures = removal_measures({"": named(result)}, LESION, LESION, ill, Where(2))
    return check_removal(named(result), ill, LESION, LESION, measures, Where(2))


@pytest.mark.parametrize("measure", [contrast, seam, texture])
def test_a_lead_channel_is_measured_as_if_it_were_alone(measure: Callable[..., float]) -> None:
    image = with_lesion(tissue())
    for number, name in enumerate(NAMES):
        alone = measure(image[number : number + 1], LESION, axis=2)
        assert measure(image, LESION, axis=2, lead=number) == alone
        assert measure(named(image), LESION, axis=2, lead=name) == alone


def test_the_lead_is_where_the_lesion_stands_out_most() -> None:
    assert Surroundings(named(with_lesion(tissue())), LESION, axis=2).channel == 1


def test_only_what_is_tissue_in_all_channels_is_compared_with() -> None:
    image = tissue()
    image[0, :20] = image[1, :, 28:] = 0
    case, around = Surroundings(image, LESION, axis=2, lead=2), np.zeros(LESION.shape[1:], bool)
    around[case.box] = case.ring((0, 8))
    assert around.any() and not around[:20].any() and not around[:, 28:].any()


def test_a_table_by_sequence_and_the_lead_s_measures_above_it() -> None:
    donor, result = named(with_lesion(tissue(1))), named(with_lesion(tissue()))
    found = insertion_measures({"": result}, LESION, donor, LESION, Where(2))
    assert found["lead"] == "t1ce" and list(found["sequences"]) == NAMES
    assert {**found["sequences"]["t1ce"], "lead": "t1ce", "sequences": found["sequences"]} == found
    alone = insertion_measures({"": result[2:]}, LESION, donor[2:], LESION, Where(2))
    assert found["sequences"]["flair"] == pytest.approx(alone, nan_ok=True, abs=0)
    assert math.isnan(found["sequences"]["t1"]["rim_core_kept"])  # next to none in the donor


def test_a_sequence_that_cannot_be_measured_is_no_error_unless_it_leads() -> None:
    image = with_lesion(tissue()) - np.reshape([100, 0, 0], (3, 1, 1, 1))
    image[0, 10:40, 10:40] = np.random.RandomState(0).normal(0, 1, (30, 30, 6))  # as after a z-score
    case = Surroundings(image, LESION, axis=2, lead="2", tissue=np.ones_like(LESION))
    found = by_sequence(lambda one: {"contrast": contrast(one)}, case)
    assert found["contrast"] > 0.4
    with pytest.raises(ConSinGANError, match="needs intensities above 0"):
        by_sequence(lambda one: {"contrast": contrast(one)}, Surroundings(image - 200, LESION, axis=2, lead=0))
    assert math.isnan(
        by_sequence(
            lambda one: {"contrast": contrast(one)},
            Surroundings(np.stack([image[1], -image[1]]), LESION, axis=2, lead=0, tissue=np.ones_like(LESION)),
        )["sequences"]["2"]["contrast"]
    )


def test_images_with_other_sequences_are_refused() -> None:
    with pytest.raises(ConSinGANError, match="1 sequences and another 3"):
        insertion_measures({"": tissue()}, LESION, with_lesion(tissue())[1:2], LESION)


def test_a_sound_lesion_passes_in_every_sequence() -> None:
    checks = inserted(with_lesion(tissue()))
    assert checks.failed == ()
    told = checks.as_dict()
    assert list(told["sequences"]) == NAMES and told["passed"] and told["sequences"]["flair"]["passed"]
    assert "visibility" not in told["sequences"]["t1"]["limits"]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ((98, 150, 80), ["contrast kept is -1.", " in flair"]),
        ((98, 60, 40), ["contrast kept is -0.", "not 0.50 to 2.00"]),
        ((190, 150, 40), ["seam is ", " in t1"]),
    ],
)
def test_a_lesion_that_is_wrong_in_one_sequence_fails(levels: tuple[float, float, float], words: list[str]) -> None:
    failed = inserted(with_lesion(tissue(), levels)).failed
    assert any(all(word in clause for word in words) for clause in failed), failed


def test_a_removal_that_left_the_lesion_in_one_sequence_fails() -> None:
    assert removed(tissue()).failed == ()
    left = tissue()
    left[2] = with_lesion(left)[2]
    assert [clause for clause in removed(left).failed if clause.startswith("contrast kept is 1.00")] == [
        "contrast kept is 1.00, not -0.50 to 0.50 in flair"
    ]


def test_black_is_looked_for_in_every_sequence() -> None:
    host, result = tissue(), with_lesion(tissue())
    result[2, 30:34, 20:28, 2:4] = 0.0
    found = measure_change(named(result), named(host), LESION, Where(2))
    assert found["black_gained"] == 0 and found["sequences"]["flair"]["black_gained"] == pytest.approx(0.25)


def test_one_alteration_mask_serves_all_sequences() -> None:
    before, after = tissue(), with_lesion(tissue())
    assert changed_outside(before, after, LESION) == 0
    after[2, 0, 0, 0] += 1
    assert changed_outside(before, after, LESION) == 1
