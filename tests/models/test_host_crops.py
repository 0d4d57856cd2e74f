from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.models.host_crops import host_crops
from monai_consingan.settings import TrainingSettings

SMALL = {"stages": 2, "iterations": 2, "channels": 2}
HARMONIZATION = TrainingSettings("harmonization", **SMALL)  # type: ignore[arg-type]
EDITING = TrainingSettings("editing", **SMALL)  # type: ignore[arg-type]


def host(seed: int = 0, shape: tuple[int, ...] = (50, 40, 6)) -> MetaTensor:
    values = np.random.default_rng(seed).normal(100, 4, shape)
    values[:5] = values[-5:] = values[:, :5] = values[:, -5:] = 0
    return MetaTensor(torch.from_numpy(values[None].astype(np.float32)))


@given(st.integers(1, 9), st.integers(11, 60), st.sampled_from([0, 1, 2]), st.integers(0, 2**32 - 1))
def test_crops_have_one_size_and_range(crops: int, side: int, axis: int, seed: int) -> None:
    scan = host(shape=(50, 40, 30))
    slices = host_crops(scan, HARMONIZATION, crops=crops, side=side, axis=axis, seed=seed)
    plane = [size for number, size in enumerate((50, 40, 30)) if number != axis]
    assert slices.shape == (crops, 1, *(min(side, size) for size in plane))
    assert float(slices.min()) >= -1 and float(slices.max()) <= 1
    assert torch.equal(slices, host_crops(scan, HARMONIZATION, crops=crops, side=side, axis=axis, seed=seed))


def test_crops_are_parts_of_slices_across_the_head() -> None:
    scan = host()
    scan[0] = torch.where(scan[0] > 0, scan[0] + 100 * torch.arange(6), 0)  # the brightness tells the slice
    slices = host_crops(scan, HARMONIZATION, crops=3, side=12, axis=2, seed=1)
    whole = scan[0].unfold(0, 12, 1).unfold(1, 12, 1)  # all crops there are
    for part, index in zip(slices[:, 0], (1, 3, 5), strict=True):
        crops = whole[:, :, index].flatten(2).as_tensor().double()
        centred, seen = crops - crops.mean(2, keepdim=True), part.flatten().double() - part.mean().double()
        alike = (centred @ seen) / (centred.norm(dim=2) * seen.norm()).clamp(min=1e-9)
        assert float(alike.max()) > 0.99


def test_crops_keep_clear_of_lesions() -> None:
    scan, label = host(shape=(60, 60)), np.zeros((1, 60, 60))
    label[0, 15:45, 20:40] = 1
    scan[torch.from_numpy(label) > 0] = scan[torch.from_numpy(label) > 0].round()  # which tells it from tissue
    clear, other = (host_crops(scan, EDITING, label=mark, side=12, crops=4) for mark in (label, None))
    values = [min(crop.unique().numel() for crop in crops) for crops in (clear, other)]
    assert values[0] > 0.9 * 12**2 and values[1] < 0.6 * 12**2


def test_whole_slices() -> None:
    settings = TrainingSettings("harmonization", region="slice", max_size=32, **SMALL)  # type: ignore[arg-type]
    assert host_crops(host(), settings, crops=2, axis=2).shape == (2, 1, 32, 32)
    assert host_crops(host(shape=(50, 40)), settings, crops=1).shape == (1, 1, 32, 32)
