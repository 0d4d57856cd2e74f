"""Train the weights that the bundles ship, and note in their metadata what their own evaluation measures.

``python tools/rebuild_bundles.py bundles/consingan_editing``, or ``make bundles`` for both.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import monai
import numpy as np
import torch
from monai.bundle import ConfigWorkflow

from monai_consingan.data import BUNDLES, bundle_folder
from monai_consingan.networks import load_generator
from monai_consingan.whole_file import whole_file

__all__ = ["rebuild_bundle"]


def rebuild_bundle(folder: str | Path, **overrides: Any) -> dict[str, float]:
    """Replace ``models/model.pt`` of a bundle by what its ``train.json`` makes of the packaged example.

    ``configs/metadata.json`` then gets the numbers of its ``evaluate.json``, the sizes of the network's input and
    output, and the versions that it was made with.

    Args:
        folder: the bundle.
        overrides: ids of ``train.json`` with other contents, such as ``iterations=10``.

    Returns:
        The numbers.

    Example::

        rebuild_bundle("bundles/consingan_harmonization")
    """
    folder = Path(folder).absolute()
    model = folder / "models" / "model.pt"
    with TemporaryDirectory() as work:
        given = {"bundle_root": str(folder), "device": "cpu", "output_dir": work}
        _run(folder, "train.json", **given, **overrides)
        model.parent.mkdir(exist_ok=True)
        with whole_file(model) as temporary:
            shutil.copyfile(Path(work) / "model.pt", temporary)
        evaluated = _run(folder, "inference.json", "evaluate.json", **given)
    measured = {name: round(float(value), 4) for name, value in sorted(evaluated.evaluator.state.metrics.items())}
    _note(folder / "configs" / "metadata.json", model, evaluated.parser["task"], measured)
    return measured


def _run(folder: Path, *names: str, **given: Any) -> ConfigWorkflow:
    kind = "train" if names[0] == "train.json" else "infer"
    workflow = ConfigWorkflow([str(folder / "configs" / name) for name in names], workflow_type=kind, **given)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def _note(path: Path, model: Path, task: str, measured: dict[str, float]) -> None:
    metadata = json.loads(path.read_text(encoding="utf-8"))
    sizes = load_generator(model, task=task).stage_sizes
    shapes = metadata["network_data_format"]
    shapes["inputs"]["image"]["spatial_shape"] = list(sizes[0])
    shapes["outputs"]["pred"]["spatial_shape"] = list(sizes[-1])
    metadata["eval_metrics"] = measured
    for name, module in (("monai", monai), ("pytorch", torch), ("numpy", np)):
        metadata[f"{name}_version"] = module.__version__.split("+")[0]
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(metadata, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")


def main(folders: Sequence[str]) -> None:
    """Rebuild the bundles in the given folders, by default all that the package finds."""
    for folder in folders or [str(bundle_folder(name)) for name in BUNDLES]:
        print(folder, rebuild_bundle(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
