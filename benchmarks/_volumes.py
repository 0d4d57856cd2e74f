"""Data sets of any size and number of scans, made of the packaged scan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from monai_consingan.data import example


def make_data_set(folder: Path, shape: Sequence[int], scans: int) -> Path:
    """Write a datalist of scans that are the packaged one, resampled, each of its own brightness and grain.

    Args:
        folder: folder for the files.
        shape: their shape, which covers the packaged scan's field of view.
        scans: their number.

    Returns:
        The datalist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image, label = (nib.load(path) for path in (example().image, example().label))
    factors = [new / old for new, old in zip(shape, image.shape, strict=True)]
    affine = image.affine @ np.diag([*(1 / factor for factor in factors), 1.0])
    grown = ndimage.zoom(np.asarray(image.dataobj, np.float32), factors, order=1)
    marks = ndimage.zoom(np.asarray(label.dataobj, np.uint8), factors, order=0)
    nib.save(nib.Nifti1Image(marks, affine), folder / "label.nii.gz")
    rng = np.random.default_rng(0)
    entries = []
    for number in range(scans):
        made = np.empty(grown.shape, np.int16)
        for plane in range(grown.shape[2]):  # one by one, to spare memory
            grain = rng.normal(0, 0.01 * grown.max(), grown.shape[:2])
            made[..., plane] = np.clip((1 + 0.02 * number) * grown[..., plane] + grain, 0, None)
        name = f"scan{number:03d}.nii.gz"
        nib.save(nib.Nifti1Image(made, affine), folder / name)
        entries.append({"image": name, "label": "label.nii.gz"})
    path = folder / "datalist.json"
    path.write_text(json.dumps({"training": entries}), encoding="utf-8")
    return path
