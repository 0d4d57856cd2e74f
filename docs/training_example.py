"""Train a MONAI UNet that finds metastases, with and without lesions put in on the fly, and compare the two.

    python docs/training_example.py --output unet

trains and tests on the one scan that comes with the package: it shows how, not whether it helps. For that give a
datalist in the format of the Medical Segmentation Decathlon, whose ``training`` and ``validation`` are lists of
``{"image": ..., "label": ...}``, with paths that count from its folder:

    python docs/training_example.py --data dataset.json --output unet --epochs 300

Both networks start from the same weights and see the same number of crops. Donors and hosts are training scans only.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.data import CacheDataset, DataLoader, Dataset, load_decathlon_datalist
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import CheckpointSaver, MeanDice, StatsHandler, from_engine
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import (
    AsDiscreted,
    Compose,
    LoadImaged,
    RandCropByPosNegLabeld,
    RandFlipd,
    ScaleIntensityRangePercentilesd,
    SpatialPadd,
)
from monai.utils import set_determinism

from monai_consingan.data import example
from monai_consingan.transforms import RandLesiond
from monai_consingan.workflows import HostModels, prepare_bank, preset_settings

KEYS = ("image", "label")
PATCH = (96, 96, 8)


def network() -> UNet:
    """A small UNet; thick slices are pooled within their plane only."""
    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=2,
        channels=(16, 32, 64),
        strides=((2, 2, 1), (2, 2, 1)),
        num_res_units=1,
    )


def train(name: str, cases: list[dict[str, str]], lesion: list[Any], given: argparse.Namespace) -> dict[str, int]:
    """Train a network, and tell how the lesions that it saw were put in."""
    set_determinism(given.seed)
    transform = Compose(
        [
            LoadImaged(KEYS, ensure_channel_first=True),
            *lesion,
            AsDiscreted("label", threshold=0.5),
            ScaleIntensityRangePercentilesd("image", lower=0.5, upper=99.9, b_min=0.0, b_max=1.0, clip=True),
            SpatialPadd(KEYS, PATCH),
            RandCropByPosNegLabeld(KEYS, "label", PATCH, pos=2, neg=1, num_samples=4),
            RandFlipd(KEYS, prob=0.5, spatial_axis=0),
        ]
    )
    loader = DataLoader(CacheDataset(cases, transform, num_workers=1, progress=False), batch_size=1, shuffle=True)
    unet = network()
    trainer = SupervisedTrainer(
        device=torch.device(given.device),
        max_epochs=given.epochs,
        train_data_loader=loader,
        network=unet,
        optimizer=torch.optim.Adam(unet.parameters(), lr=1e-3),
        loss_function=DiceCELoss(to_onehot_y=True, softmax=True),
        train_handlers=[
            StatsHandler(name=name, output_transform=from_engine("loss", first=True)),
            CheckpointSaver(str(given.output), {"network": unet}, save_final=True, final_filename=f"{name}.pt"),
        ],
    )
    ways: Counter[str] = Counter()

    @trainer.on(Events.ITERATION_COMPLETED)
    def count(engine: Any) -> None:
        """The crops of a batch are of one scan, whose metadata they carry."""
        records = json.loads(engine.state.batch[0]["image"].meta.get("pasted_lesions", "[]"))
        ways.update(entry.get("how", "no place") for entry in records)

    trainer.run()
    return dict(ways)


def dice(name: str, cases: list[dict[str, str]], given: argparse.Namespace) -> float:
    """Mean Dice of a trained network."""
    transform = Compose(
        [
            LoadImaged(KEYS, ensure_channel_first=True),
            AsDiscreted("label", threshold=0.5),
            ScaleIntensityRangePercentilesd("image", lower=0.5, upper=99.9, b_min=0.0, b_max=1.0, clip=True),
        ]
    )
    unet = network()
    unet.load_state_dict(torch.load(given.output / f"{name}.pt", weights_only=True))
    evaluator = SupervisedEvaluator(
        device=torch.device(given.device),
        val_data_loader=DataLoader(Dataset(cases, transform), batch_size=1),
        network=unet,
        inferer=SlidingWindowInferer(PATCH, sw_batch_size=1, overlap=0.25),
        postprocessing=AsDiscreted(("pred", "label"), argmax=(True, False), to_onehot=2),
        key_val_metric={"dice": MeanDice(include_background=False, output_transform=from_engine(["pred", "label"]))},
    )
    evaluator.run()
    return float(evaluator.state.metrics["dice"])


def main() -> None:
    """Fill the bank, train twice, and write ``result.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="datalist [default: the scan that comes with the package]")
    parser.add_argument("--output", type=Path, required=True, help="folder for bank, networks and result.json")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument(
        "--iterations", type=int, help="iterations a stage of the bank's models [default: the preset's]"
    )
    parser.add_argument("--prob", type=float, default=0.8, help="probability that a scan gets lesions")
    parser.add_argument("--axis", type=int, default=2, help="axis perpendicular to the slices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    if given.data is None:
        training = validation = [{"image": str(example().image), "label": str(example().label)}]
    else:
        training, validation = (load_decathlon_datalist(given.data, True, part) for part in ("training", "validation"))

    settings = preset_settings("quick", "harmonization", iterations=given.iterations)
    models = HostModels(given.output / "bank", "harmonization", settings, axis=given.axis)
    prepare_bank(training, models, progress=True)
    lesion = RandLesiond(
        KEYS, donors=training, models=models, prob=given.prob, number=(1, 3), scale_range=(0.3, 1.0), axis=given.axis
    )
    result = {}
    for name, more in (("without", []), ("with", [lesion])):
        lesions = train(name, training, more, given)
        result[name] = {"lesions put in": lesions, "dice": dice(name, validation, given)}
        print(name, result[name])
    (given.output / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
