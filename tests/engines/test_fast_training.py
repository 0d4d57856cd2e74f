"""Trainings on the functions compiled for the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ignite.engine import Events

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings

pytest.importorskip("numba")

SIZES = [(17, 15), (21, 19), (26, 23)]


def train(fast: bool, *, slices: int = 1, task: str = "harmonization", on: Callable[..., Any] | None = None) -> Any:
    torch.manual_seed(5)
    shape: dict[str, Any] = {"channels": 8, "num_layers": 2, "negative_slope": 0.3}
    norm, border = task == "harmonization", "noise" if task == "generation" else "zero"
    generator = ConSinGANGenerator(SIZES, norm=norm, border=border, **shape)
    discriminator = ConSinGANDiscriminator(**shape)
    images = torch.rand(slices, 1, *SIZES[-1]) * 2 - 1
    settings = TrainingSettings(task, iterations=3, concurrent_stages=2, augment=False)
    trainer = ConSinGANTrainer("cpu", [images], generator, discriminator, settings, fast=fast)
    outputs: list[dict[str, float]] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def keep(engine: ConSinGANTrainer) -> None:
        output = engine.state.output[0]
        outputs.append({name: float(value) for name, value in output.items() if torch.as_tensor(value).numel() == 1})

    if on is not None:
        on(trainer)
    trainer.run()
    weights = {**generator.state_dict(), **{f"d.{key}": value for key, value in discriminator.state_dict().items()}}
    return outputs, weights


@pytest.mark.parametrize(("task", "slices"), [("harmonization", 1), ("harmonization", 2), ("generation", 1)])
def test_same_training(task: str, slices: int) -> None:
    fast, slow = (train(choice, task=task, slices=slices) for choice in (True, False))
    assert len(fast[0]) == len(slow[0]) == 9
    for ours, theirs in zip(fast[0], slow[0], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert ours[name] == pytest.approx(theirs[name], abs=2e-4, rel=2e-4), name
    for name, value in slow[1].items():
        if not (task == "harmonization" and "adn" not in name and name.endswith("conv.bias")):
            torch.testing.assert_close(fast[1][name], value, rtol=0, atol=2e-3, msg=name)


def test_same_bytes_twice() -> None:
    first, second = train(True), train(True)
    assert first[0] == second[0]
    assert all(torch.equal(first[1][name], second[1][name]) for name in first[1])


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    train(True)
    assert torch.get_num_threads() == before


def test_nan_does_not_reach_the_weights() -> None:
    seen: list[ConSinGANTrainer] = []

    def spoil(trainer: ConSinGANTrainer) -> None:
        seen.append(trainer)

        @trainer.on(Events.ITERATION_STARTED(once=5))
        def nan(engine: ConSinGANTrainer) -> None:
            engine.draws.noise = lambda *where: torch.full_like(where[-1], float("nan"))  # type: ignore[method-assign]

    with pytest.raises(ConSinGANError, match="the discriminator loss is nan"):
        train(True, on=spoil)
    assert seen[0].is_finite
