"""Rebuilding the weights of a bundle, on a copy and small settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rebuild_bundles import rebuild_bundle

from monai_consingan.data import BUNDLES, bundle_folder
from monai_consingan.networks import load_generator


@pytest.mark.parametrize("name", BUNDLES)
def test_weights_and_metadata_are_replaced(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(bundle_folder(name), folder, ignore=shutil.ignore_patterns("model.pt"))
    before = json.loads((folder / "configs" / "metadata.json").read_text())
    measured = rebuild_bundle(folder, stages=2, iterations=2, channels=4, min_size=30)
    after = json.loads((folder / "configs" / "metadata.json").read_text())
    generator = load_generator(folder / "models" / "model.pt", task=name.removeprefix("consingan_"))
    assert after["eval_metrics"] == measured
    assert measured.keys() == before["eval_metrics"].keys()
    assert measured != before["eval_metrics"]
    assert after["network_data_format"]["inputs"]["image"]["spatial_shape"] == generator.stage_sizes[0] == [30, 30]
    assert after.keys() == before.keys()
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "configs", "docs", "models"]
