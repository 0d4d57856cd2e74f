"""The slices of one scan or several, or their volumes, that a model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.data import Region, load_scan, named_sequences, read_stored, same_grid, slice_axis, sliced_axis
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import whole_slices
from monai_consingan.workflows.outputs import describe_inputs


@dataclass
class TrainingSlices:
    """Slices of all scans, ready to be trained on.

    Args:
        images: (S, C, H, W) in [-1, 1], or whole volumes (S, C, H, W, D).
        naive: naive images like ``images`` to fine-tune on, if there are any.
        taken: what was taken of every scan, for reports.
        inputs: names and hashes of the files, for reports.
        affine: of the first scan, with the pixels that the networks see.
        axis: its spatial axis perpendicular to the slices.
        sequences: the names of the channels, where they are known.
    """

    images: torch.Tensor
    naive: torch.Tensor | None
    taken: list[dict[str, Any]]
    inputs: dict[str, Any]
    affine: list[list[float]]
    axis: int | None
    sequences: tuple[str, ...] = ()


def take_slices(
    paths: Sequence[str | Path],
    naive_paths: Sequence[str | Path] | None,
    slices: Sequence[int] | None,
    axis: int | None,
    settings: TrainingSettings,
) -> TrainingSlices:
    """Read scans and take slices of them; the arguments are those of
    :py:func:`monai_consingan.workflows.train.train_run`.

    Raises:
        ConSinGANError: a bad scan, a slice out of range, slices of different shapes or sequences, or naive images that
            do not fit.
    """
    if not paths:
        raise ConSinGANError("images is empty: give at least one scan.")
    if naive_paths is not None and len(naive_paths) != len(paths):
        raise ConSinGANError(
            f"{len(naive_paths)} naive images are given to fine-tune on, but {len(paths)} images: give one for each."
        )
    stacks: list[torch.Tensor] = []
    naive_stacks: list[torch.Tensor] = []
    taken: list[dict[str, Any]] = []
    images: dict[str, Any] = {}
    naive_images: dict[str, Any] = {}
    for number, path in enumerate(paths):
        stored = read_stored(path)
        image = load_scan(stored)
        images |= describe_inputs({f"image_{number}": stored})
        along = sliced_axis(image, axis, settings.spatial_dims)
        stack, region, scale = whole_slices(
            image, slices, axis=along, region=settings.region, max_side=settings.max_size
        )
        names = named_sequences(image)
        if number == 0:
            sequences = names
        if names != sequences or (stacks and stack.shape[1] != stacks[0].shape[1]):
            raise ConSinGANError(
                f"image {path} has the sequences {', '.join(names) or stack.shape[1]}, but {paths[0]} has "
                f"{', '.join(sequences) or stacks[0].shape[1]}: give scans of the same sequences."
            )
        if stacks and stack.shape[2:] != stacks[0].shape[2:]:
            raise ConSinGANError(
                f"image {path} has slices of {tuple(stack.shape[2:])} pixels, but {paths[0]} of "
                f"{tuple(stacks[0].shape[2:])}: give --region slice, which resizes all to one size, or train on one of "
                "them."
            )
        stacks.append(stack)
        if naive_paths is not None:
            stored = read_stored(naive_paths[number], name="naive image")
            naive = load_scan(stored, name="naive image")
            naive_images |= describe_inputs({f"naive_{number}": stored})
            if naive.shape != image.shape or not same_grid(naive.affine, image.affine, tuple(image.shape[1:])):
                raise ConSinGANError(
                    f"naive image {naive_paths[number]} is not on the grid of {path}: give one of the same shape and "
                    "affine."
                )
            naive_stacks.append(scale.apply(region.take(naive)))
        taken.append(
            {"file": public_name(path), "slices": list(region.slices), "axis": along, "intensities": scale.as_dict()}
        )
        if number == 0:
            affine, sliced = scaled_affine(image, region), slice_axis(image, axis)
    naive_stack = torch.cat(naive_stacks) if naive_stacks else None
    return TrainingSlices(torch.cat(stacks), naive_stack, taken, images | naive_images, affine, sliced, sequences)


def scaled_affine(image: MetaTensor, region: Region) -> list[list[float]]:
    """The affine of an image, with the pixels that the networks see."""
    affine = as_array(image.affine).astype(np.float64)
    if image.ndim == 4:
        plane = [other for other in range(3) if other != region.axis]
        for column, side, size in zip(plane, region.box_size, region.size, strict=True):
            affine[:, column] *= side / size
    return [[float(number) for number in row] for row in affine]
