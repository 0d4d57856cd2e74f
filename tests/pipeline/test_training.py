"""Training a segmentation network of MONAI on pasted and removed lesions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.data import CacheDataset, DataLoader, ThreadDataLoader
from monai.engines import SupervisedTrainer
from monai.inferers import SimpleInferer
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import Compose, LoadImaged, RandFlipd, RandSpatialCropd, ScaleIntensityRangePercentilesd
from monai.utils import set_determinism

from monai_consingan.transforms import RandPasteLesiond, RemoveLesiond


def train(data: dict[str, str], steps: list[Any], kind: type[DataLoader]) -> tuple[list[float], list[bool], Any]:
    """Losses of four iterations, whether each parameter changed, and the items of the last batch."""
    set_determinism(1)
    chain = Compose(
        [
            LoadImaged(["image", "label"], ensure_channel_first=True),
            *steps,
            ScaleIntensityRangePercentilesd("image", lower=0, upper=99.9, b_min=0, b_max=1),
            RandFlipd(["image", "label"], spatial_axis=0, prob=0.5),
            RandSpatialCropd(["image", "label"], roi_size=(64, 64, 8), random_size=False),
        ]
    )
    dataset = CacheDataset([data], chain, num_workers=1, progress=False)
    network = UNet(3, 1, 2, channels=(4, 8), strides=(2,))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    losses: list[float] = []
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=4,
        train_data_loader=kind(dataset, batch_size=1),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 1e-2),
        loss_function=DiceCELoss(to_onehot_y=True, softmax=True),
        inferer=SimpleInferer(),
    )
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: losses.append(float(engine.state.output[0]["loss"]))
    )
    trainer.run()
    changed = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    return losses, changed, trainer.state.batch


@pytest.mark.parametrize("kind", [DataLoader, ThreadDataLoader])
@pytest.mark.usefixtures("determinism")
def test_a_unet_learns_from_pasted_lesions(
    scan: dict[str, str], paste_settings: dict[str, Any], kind: type[DataLoader]
) -> None:
    losses, changed, items = train(scan, [RandPasteLesiond(**paste_settings)], kind)
    assert len(losses) == 4 and all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
    assert all(changed)
    assert [item["image"].shape for item in items] == [(1, 64, 64, 8)] and items[0]["label"].any()


@pytest.mark.usefixtures("determinism")
def test_the_same_seed_trains_the_same_network(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    first, again = (train(scan, [RandPasteLesiond(**paste_settings)], DataLoader)[0] for _ in range(2))
    assert first == again


@pytest.mark.usefixtures("determinism")
def test_removed_and_pasted_anew(scan: dict[str, str], paste_settings: dict[str, Any]) -> None:
    """A scan whose lesion is removed is a host like any other."""
    remove = RemoveLesiond("image", methods="biharmonic", axis=2, mask_key=None)
    losses, changed, items = train(scan, [remove, RandPasteLesiond(**paste_settings)], DataLoader)
    assert all(math.isfinite(loss) for loss in losses) and all(changed)
    assert any(item["label"].any() for item in items)
