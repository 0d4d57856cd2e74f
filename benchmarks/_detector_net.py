"""A small detector: a U-Net on patches; in 2D it is applied to whole slices."""

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

__all__ = ["NetSettings", "predict", "train", "without_crumbs"]

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
        dims: 2 for slices, 3 in space.
        sequences: channels of the image.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128)
    steps: int = 200
    learning_rate: float = 1e-2
    threshold: float = 0.5
    least_mm3: float = 10.0
    dims: int = 2
    sequences: int = 1


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
        strides = (2,) * (levels - 1)
        network = UNet(settings.dims, settings.sequences, 1, settings.channels, strides, norm="batch")
    loss_of = DiceCELoss(sigmoid=True, batch=True)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
    altered = augmentation(seed, settings.dims) if augment else None
    network.train()
    losses = []
    for batch in batches:
        pairs = [
            {
                "image": torch.as_tensor(p.image).reshape(settings.sequences, *p.label.shape),
                "label": torch.as_tensor(p.label)[None].float(),
            }
            for p in batch
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
def predict(network: UNet, patient: Patient, settings: NetSettings, image: np.ndarray | None = None) -> np.ndarray:
    """Where a network sees lesions in a scan; outside the brain it is not asked.

    Args:
        network: trained.
        patient: whose scan.
        settings: what counts as predicted.
        image: an altered scan of the patient instead, of the same shape.

    Returns:
        Boolean, (H, W, slices).
    """
    network.eval()
    image = patient.image if image is None else image
    found = np.zeros(image.shape, bool)
    box = patient.box
    planes = torch.as_tensor(np.ascontiguousarray(np.moveaxis(input_of(image[box], patient), -1, 0)))
    height, width = planes.shape[1:]
    pad = DivisiblePad(2 ** (len(settings.channels) - 1), method="end", value=float(planes.min()))
    slices = torch.as_tensor(pad(planes))[:, None]
    there = found[box]
    for start in range(0, len(slices), _SLICES):
        likely = network(slices[start : start + _SLICES])[:, 0, :height, :width].sigmoid() >= settings.threshold
        there[..., start : start + _SLICES] = np.moveaxis(likely.numpy(), 0, -1)
    found &= patient.brain
    return without_crumbs(found, settings.least_mm3 / float(np.prod(patient.spacing) * patient.slice_mm))


def without_crumbs(found: np.ndarray, least: float) -> np.ndarray:
    """A mask in space without components of fewer voxels than ``least``."""
    parts, _ = ndimage.label(found, np.ones((3, 3, 3)))
    return found & np.asarray((np.bincount(parts.ravel()) >= least)[parts])
