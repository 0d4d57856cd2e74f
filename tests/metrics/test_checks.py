from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.metrics import (
    Surroundings,
    beyond,
    check_insertion,
    check_removal,
    contrast,
    insertion_measures,
    kept,
    measure_change,
    removal_measures,
    seam,
)


def tissue(seed: int = 0) -> np.ndarray:
    """A slab of noisy tissue around 100 in air, (1, 48, 48, 6)."""
    image = np.zeros((1, 48, 48, 6))
    image[:, 4:-4, 4:-4] = np.random.RandomState(seed).normal(100, 3, (1, 40, 40, 6))
    return image


def box(*sides: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((1, 48, 48, 6), np.uint8)
    mask[(0, *(slice(*side) for side in sides))] = 1
    return mask


LESION = box((20, 28), (20, 28), (1, 5))


def lesion_in(image: np.ndarray, value: float = 150.0) -> np.ndarray:
    return np.where(LESION > 0, value + (image - 100), image)


def inserted(result: np.ndarray, lesion: np.ndarray = LESION) -> tuple[str, ...]:
    donor = lesion_in(tissue(1))
    measures = insertion_measures({"": result}, lesion, donor, LESION, axis=2)
    return check_insertion(result, tissue(), lesion, donor, LESION, measures, axis=2).failed


def test_a_sound_lesion_passes() -> None:
    assert inserted(lesion_in(tissue())) == ()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: np.where(LESION > 0, 5.0, image), "contrast kept is -1.9"),
        (lambda image: np.where(LESION > 0, 102.0, image), "visibility is 0."),
        (lambda image: np.where(box((28, 30), (20, 28), (2, 4)) > 0, 1.0, image), "black gained is 0.12"),
        (lambda image: np.where(box((20, 28), (20, 28), (4, 5)) > 0, 400, image), "seam through is "),
    ],
)
def test_a_spoilt_lesion_does_not(spoil: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    failed = inserted(spoil(lesion_in(tissue())))
    assert any(clause.startswith(words) for clause in failed), failed


def test_a_lesion_in_air_does_not_pass() -> None:
    at_edge = box((0, 8), (20, 28), (1, 5))
    found = measure_change(tissue(), tissue(), at_edge, axis=2)
    assert found["in_tissue"] == pytest.approx(0.5)


def test_removal_is_checked() -> None:
    ill, lesion = lesion_in(tissue()), LESION

    def failed(result: np.ndarray) -> tuple[str, ...]:
        measures = removal_measures({"": result}, lesion, lesion, ill, axis=2)
        return check_removal(result, ill, lesion, lesion, measures, axis=2).failed

    assert failed(tissue()) == ()
    assert [clause.split(" is ")[0] for clause in failed(ill)] == ["contrast kept", "seam", "seam through"]
    hole = failed(np.where(lesion > 0, 0.0, ill))
    assert hole[0].startswith("contrast kept is -") and hole[-1].startswith("black gained is 1.00"), hole


def test_seam_across_slices_is_that_of_the_faces() -> None:
    image = tissue()
    stepped = np.where(np.indices(image.shape)[3] > 2, image + 30, image)
    lower = box((20, 28), (20, 28), (0, 3))
    assert seam(stepped, lower, axis=2) == pytest.approx(seam(image, lower, axis=2))
    assert seam(stepped, lower, along=2) == pytest.approx(
        np.abs(np.diff(stepped[0, 20:28, 20:28, 2:4], axis=-1)).mean() / _steps_around(stepped, lower), rel=1e-9
    )
    assert math.isnan(measure_change(image, image, box((20, 28), (20, 28), (2, 3)), axis=2)["seam_through"])


def _steps_around(image: np.ndarray, mask: np.ndarray) -> float:
    """Mean step across the slices between voxels of the ring of 8 mm, pair by pair."""
    places = np.argwhere(mask[0] > 0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mask.shape[1:]), indexing="ij"), -1)
    near = np.sqrt(((grid[..., None, :] - places) ** 2).sum(-1).min(-1)) <= 8
    ring = near & (mask[0] == 0) & (image[0] > 50)
    both = ring[..., 1:] & ring[..., :-1]
    return float(np.abs(np.diff(image[0], axis=-1))[both].mean())


def test_a_share_of_next_to_nothing_is_not_measurable() -> None:
    assert math.isnan(kept(0.5, 0.0)) and math.isnan(kept(0.1, 0.005, noise=0.03))
    assert kept(0.1, 0.2, noise=0.03) == 0.5
    flat = tissue()
    assert abs(contrast(flat, LESION, axis=2)) < 0.005
    assert math.isnan(removal_measures({"": flat}, LESION, LESION, flat, axis=2)["contrast_kept"])
    assert math.isnan(insertion_measures({"": flat}, LESION, flat, LESION, axis=2)["contrast_kept"])


def test_words_for_what_is_beyond() -> None:
    limits = {
        "low": (1.0, math.inf),
        "high": (-math.inf, 2.0),
        "both": (0.0, 1.0),
        "no": (0.0, 1.0),
        "even": (0.0, 1.0),
        "good": (0.0, 1.0),
        "all": (1.0, math.inf),
    }
    wrong = beyond(
        {"low": 0.5, "high": 3.0, "both": 2.0, "no": math.nan, "even": math.inf, "good": 1.0, "all": math.inf}, limits
    )
    assert list(wrong.values()) == [
        "low is 0.50, below 1.00",
        "high is 3.00, above 2.00",
        "both is 2.00, not 0.00 to 1.00",
        "no is not measurable",
        "even is not measurable",
    ]


def banded(image: np.ndarray) -> np.ndarray:
    """The image with every second slice of the lesion's place brighter."""
    out = image.copy()
    out[..., ::2] += 6 * LESION[..., ::2]
    return out


def test_bands_through_the_slices_are_found() -> None:
    ill = lesion_in(tissue())
    for dims in (2, 3):
        for result, passes in ((tissue(), True), (banded(tissue()), False)):
            measures = removal_measures({"": result}, LESION, LESION, ill, axis=2, dims=dims)
            checks = check_removal(result, ill, LESION, LESION, measures, axis=2, dims=dims)
            clauses = [clause for clause in checks.failed if clause.startswith("level jump through is ")]
            assert bool(clauses) != passes, checks


def test_levels_of_thick_slices_are_not_compared() -> None:
    thick = MetaTensor(torch.from_numpy(banded(tissue())), affine=torch.diag(torch.tensor([1.0, 1.0, 6.0, 1.0])))
    found = measure_change(thick, thick, LESION)
    assert math.isnan(found["level_jump"]) and math.isnan(found["level_jump_through"])


def test_in_space_the_seam_is_that_in_the_plane_and_the_one_through_it_beside() -> None:
    donor, result = lesion_in(tissue(1)), lesion_in(tissue())
    step = np.where(box((20, 28), (20, 28), (4, 5)) > 0, 400, result)
    measures = insertion_measures({"": result, "_step": step}, LESION, donor, LESION, axis=2, dims=3)
    in_space = Surroundings(result, LESION)
    assert measures["seam"] == seam(in_space, along=(0, 1))
    assert measures["seam_through"] == seam(in_space, along=2)
    assert measures["seam_through_step"] > 2 * measures["seam_through"]
    assert measures["level_jump_through_step"] > 2 * measures["level_jump_through"]
    assert measures["seam_through_donor"] == seam(donor, LESION, along=2)
    found = measure_change(step, tissue(), LESION, axis=2, dims=3)
    assert found["seam_through"] == measures["seam_through_step"]
