"""The slices that a training reads from its data loader, and draws one of in every iteration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from monai.utils.enums import CommonKeys as Keys

from monai_consingan.engines.draws import TrainingDraws
from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANGenerator


def read_slices(loader: Iterable[Any], generator: ConSinGANGenerator) -> torch.Tensor:
    """All slices of a data loader, (S, C, H, W) or (S, C, H, W, D), in the generator's precision.

    Args:
        loader: batches (N, C, H, W), or dictionaries with them as ``image``.
        generator: the generator that they are for.

    Raises:
        ConSinGANError: no slice, slices of different shapes, or of another size than the generator's.
    """
    batches = [batch[Keys.IMAGE] if isinstance(batch, dict) else batch for batch in loader]
    if not batches:
        raise ConSinGANError("train_data_loader gives no slice: give at least one.")
    shapes = sorted({tuple(batch.shape[1:]) for batch in batches})
    if len(shapes) > 1:
        found = ", ".join(str(shape) for shape in shapes)
        raise ConSinGANError(f"The slices have different shapes, {found}: resize or crop them to one.")
    slices = torch.cat([torch.as_tensor(batch) for batch in batches])
    _check_shape(slices, generator)
    return slices.as_subclass(torch.Tensor).to(generator.body[0].fixed_noise.dtype)


def _check_shape(slices: torch.Tensor, generator: ConSinGANGenerator) -> None:
    found, wanted = tuple(slices.shape[1:]), (generator.in_channels, *generator.stage_sizes[-1])
    shrink = min(max(wanted[1:]) / max(found[1:]), 1) if len(found) > 1 else 1
    sides = [abs(side * shrink - size) for side, size in zip(found[1:], wanted[1:], strict=False)]
    if len(found) != len(wanted) or found[0] != wanted[0] or max(sides) >= 1:
        raise ConSinGANError(
            f"The slices have the shape {found}, but the generator is for {wanted} (channels, then the size of its "
            "last stage): make the generator with the stage sizes of the slices."
        )


class DrawnSlices:
    """What an engine sees of its slices: one for every iteration, for ever.

    Args:
        draws: source of the numbers.
        state: state of the engine, of which seed and iteration are read.
    """

    def __init__(self, draws: TrainingDraws, state: Any) -> None:
        self.draws = draws
        self.state = state
        self.slices = torch.empty(0)
        """The slices, once they are read."""

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            index = self.draws.slice_index(self.state.seed, self.state.iteration + 1, len(self.slices))
            yield {Keys.IMAGE: self.slices[index : index + 1], "index": torch.tensor([index])}
