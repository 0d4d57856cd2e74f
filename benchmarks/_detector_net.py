"""A small detector: a 2D U-Net on patches, applied to whole slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from _detector_data import Patch, augmentation, input_of
from _patients import Patient
from monai.data import get_track_meta, set_track_meta
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import DivisiblePad
from scipy import ndimage

__all__ = ["NetSettings", "predict", "train"]

_SLICES = 16  # predicted at once


@dataclass(frozen=True)
class NetSettings:
    """The network, its training and what counts as predicted.

    Args:
        channels: of every level.
        steps: of the optimiser.
        learning_rate: of Adam at its highest (one cycle).
        threshold: probability from which on a voxel is a lesion.
        least_mm3: smaller predicted components are taken away.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128)
    steps: int = 200
    learning_rate: float = 1e-2
    threshold: float = 0.5
    least_mm3: float = 10.0


def train(batches: Iterable[list[Patch]], settings: NetSettings, *, augment: bool, seed: int) -> tuple[UNet, float]:
    """Train a network.

    Args:
        batches: one for each step.
        settings: of the training.
        augment: with the standard augmentation.
        seed: decides the first weights and the augmentation.

    Returns:
        The network, and the mean loss of the last tenth of the steps.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        levels = len(settings.channels)
        network = UNet(2, 1, 1, settings.channels, (2,) * (levels - 1), norm="batch")
    loss_of = DiceCELoss(sigmoid=True, batch=True)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    altered = augmentation(seed) if augment else None
    network.train()
    losses = []
    for batch in batches:
        pairs = [
            {"image": torch.as_tensor(p.image)[None], "label": torch.as_tensor(p.label)[None].float()} for p in batch
        ]
        if altered is not None:  # never by its truth: that takes its length, for which MONAI seeds its transforms anew
            with _plain_tensors():
                pairs = [altered(pair) for pair in pairs]
        image, label = (torch.stack([torch.as_tensor(pair[key]) for pair in pairs]) for key in ("image", "label"))
        loss = loss_of(network(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return network, float(np.mean(losses[-max(1, len(losses) // 10) :]))


@contextmanager
def _plain_tensors() -> Iterator[None]:
    """MONAI's transforms without metadata, which cost most of their time on small patches."""
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


@torch.inference_mode()
def predict(network: UNet, patient: Patient, settings: NetSettings) -> np.ndarray:
    """Where a network sees lesions in a scan, boolean, (H, W, slices); outside the brain it is not asked."""
    network.eval()
    found = np.zeros(patient.image.shape, bool)
    box = patient.box
    planes = torch.as_tensor(np.ascontiguousarray(np.moveaxis(input_of(patient.image[box], patient), -1, 0)))
    height, width = planes.shape[1:]
    pad = DivisiblePad(2 ** (len(settings.channels) - 1), method="end", value=float(planes.min()))
    slices = torch.as_tensor(pad(planes))[:, None]
    there = found[box]
    for start in range(0, len(slices), _SLICES):
        likely = network(slices[start : start + _SLICES])[:, 0, :height, :width].sigmoid() >= settings.threshold
        there[..., start : start + _SLICES] = np.moveaxis(likely.numpy(), 0, -1)
    found &= patient.brain
    parts, _ = ndimage.label(found, np.ones((3, 3, 3)))
    large = np.bincount(parts.ravel()) * np.prod(patient.spacing) * patient.slice_mm >= settings.least_mm3
    return found & np.asarray(large[parts])
