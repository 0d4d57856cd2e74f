"""Make docs/images/volume.png: the packaged scan as a volume, and its lesion put into another place of it.

The packaged scan has slices of 6.5 mm, which are worked on one by one. Interpolated to 1.5 mm it stands in for a scan
of thin slices, so that work in space can be shown: ``python docs/volume_example.py``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.transforms import LoadImage, Spacing

from monai_consingan.data import example
from monai_consingan.workflows import LesionSource, harmonize

VOXEL_MM = (1.0, 1.0, 1.5)


def interpolated(path: Path, mode: int | str) -> nib.Nifti1Image:
    """A file of the packaged example with thinner slices."""
    image = Spacing(VOXEL_MM, mode=mode, padding_mode="nearest")(LoadImage(ensure_channel_first=True)(path))
    values = image[0].numpy() > 0.5 if mode == "bilinear" else np.rint(image[0].numpy().clip(0))
    return nib.Nifti1Image(values.astype(np.int16), image.affine.numpy())


def main() -> None:
    """Write the picture beside the others."""
    files = example()
    with tempfile.TemporaryDirectory() as folder:
        scan, label = Path(folder) / "scan.nii.gz", Path(folder) / "label.nii.gz"
        nib.save(interpolated(files.image, 3), scan)
        nib.save(interpolated(files.label, "bilinear"), label)
        harmonize(LesionSource(scan, scan, label, host_label=label), Path(folder) / "out")
        shutil.copy(Path(folder) / "out" / "figure.png", Path(__file__).parent / "images" / "volume.png")


if __name__ == "__main__":
    main()
