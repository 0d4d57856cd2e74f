from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import Compose, RandGaussianNoise, RandScaleIntensity

from monai_consingan.engines import TrainingDraws
from monai_consingan.tasks import get_task
from monai_consingan.transforms import training_augmentation

LIKE = torch.zeros(1, 1, 12, 10)
SEEDS = st.integers(0, 2**63)
COUNTS = st.integers(0, 2**40)


def draws(task: str = "generation", augmentation: object = None) -> TrainingDraws:
    return TrainingDraws(get_task(task), augmentation)  # type: ignore[arg-type]


@given(seed=SEEDS, iteration=COUNTS, other=COUNTS)
def test_a_draw_depends_on_its_place_only(seed: int, iteration: int, other: int) -> None:
    first, second = draws(), draws()
    second.noise(seed, other, 1, LIKE)  # draws before it do not matter
    second.alpha(seed, other, 0, LIKE)
    assert torch.equal(first.noise(seed, iteration, 1, LIKE), second.noise(seed, iteration, 1, LIKE))
    assert torch.equal(first.stage_input(seed, iteration, LIKE), second.stage_input(seed, iteration, LIKE))
    assert first.slice_index(seed, iteration, 5) == second.slice_index(seed, iteration, 5)
    alpha = first.alpha(seed, iteration, 2, LIKE)
    assert alpha == second.alpha(seed, iteration, 2, LIKE)
    assert alpha.shape == () and 0 <= alpha < 1


def test_all_draws_differ() -> None:
    d, image = draws("editing"), torch.zeros(1, 1, 12, 10)
    kinds = [
        *[d.noise(seed, iteration, stage, LIKE) for seed in (0, 1) for iteration in (1, 2) for stage in (1, 2)],
        *[d.fixed_noise(seed, stage, LIKE) for seed in (0, 1) for stage in (0, 1)],
        *[d.stage_input(seed, iteration, image) * 10 for seed in (0, 1) for iteration in (1, 2)],
    ]
    assert len({tensor.numpy().tobytes() for tensor in kinds}) == len(kinds)
    alphas = [d.alpha(seed, it, step, LIKE).item() for seed in (0, 1) for it in (1, 2) for step in (0, 1, 2)]
    assert len(set(alphas)) == len(alphas)


def test_distributions() -> None:
    d = draws()
    noise = d.noise(0, 1, 1, torch.zeros(1, 4, 100, 100))
    assert abs(noise.mean().item()) < 0.02 and noise.std().item() == pytest.approx(1, abs=0.02)
    indices = [d.slice_index(0, iteration, 4) for iteration in range(400)]
    assert sorted(set(indices)) == [0, 1, 2, 3]
    assert max(np.bincount(indices)) < 150
    assert {d.slice_index(0, iteration, 1) for iteration in range(9)} == {0}
    alphas = [d.alpha(0, iteration, 0, LIKE).item() for iteration in range(400)]
    assert 0.45 < np.mean(alphas) < 0.55 and min(alphas) < 0.02 and max(alphas) > 0.98


def test_noise_has_the_form_of_its_like() -> None:
    like = torch.zeros(2, 3, 4, 5, 6, dtype=torch.float64)
    for noise in (draws().noise(0, 1, 1, like), draws().fixed_noise(0, 1, like)):
        assert noise.shape == like.shape and noise.dtype == like.dtype


def test_input_by_task() -> None:
    image = torch.rand(1, 1, 12, 10)
    assert torch.equal(draws("harmonization").stage_input(0, 1, image), image)
    noise = (draws("editing").stage_input(0, 1, image) - image) / 0.1
    assert noise.std().item() == pytest.approx(1, abs=0.25)
    for task in ("generation", "retarget", "animation"):
        given_image = draws(task).stage_input(0, 1, image)
        assert torch.equal(given_image, draws(task).stage_input(0, 1, torch.zeros_like(image)))


@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_augmentation_depends_on_seed_and_iteration_only(task: str) -> None:
    image = torch.rand(1, 1, 16, 14) * 2 - 1
    first, second = (draws(task, training_augmentation(task)) for _ in range(2))
    second.stage_input(9, 9, image)
    results = [first.stage_input(seed, iteration, image) for seed in (0, 1) for iteration in range(1, 6)]
    again = [second.stage_input(seed, iteration, image) for seed in (0, 1) for iteration in range(1, 6)]
    assert all(torch.equal(a, b) for a, b in zip(results, again, strict=True))
    assert len({result.numpy().tobytes() for result in results}) == 10
    assert results[0].shape == image.shape and type(results[0]) is torch.Tensor


def test_augmentation_without_a_random_state() -> None:
    assert torch.equal(draws("harmonization", lambda x: -x).stage_input(0, 1, LIKE + 1), LIKE - 1)


def test_augmentation_is_not_for_tasks_on_noise() -> None:
    def refuse(image: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    assert draws("generation", refuse).stage_input(0, 1, LIKE).shape == LIKE.shape


def test_global_random_states_are_untouched_and_irrelevant() -> None:
    augmentation = Compose([RandGaussianNoise(prob=1.0), RandScaleIntensity(0.5, prob=1.0)])
    d, results = draws("editing", augmentation), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state(legacy=False), random.getstate()
        results.append(
            torch.cat([d.stage_input(0, 3, LIKE), d.noise(0, 3, 1, LIKE), d.fixed_noise(0, 1, LIKE)]).numpy().tobytes()
        )
        d.slice_index(0, 3, 9)
        d.alpha(0, 3, 1, LIKE)
        assert torch.equal(torch.get_rng_state(), before[0])
        np.testing.assert_equal(np.random.get_state(legacy=False), before[1])
        assert random.getstate() == before[2]
    assert results[0] == results[1]
