"""The real scan that comes with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Example:
    """Paths of the packaged scan and what its slices hold.

    Attributes:
        image: T1-weighted MR after contrast agent, axial, 192 x 224 x 10 voxels, int16 NIfTI.
        label: its tumour outline (0 background, 1 tumour), uint8 NIfTI on the same grid.
        source: text file with origin, licence and citations.
        tumour_slices: indices along spatial axis 2 of the slices that hold tumour.
        free_slices: indices along spatial axis 2 of the slices that hold none.
    """

    image: Path
    label: Path
    source: Path
    tumour_slices: range = range(6)
    free_slices: range = range(6, 10)


def example() -> Example:
    """Find the scan that is installed with the package.

    It serves as donor (its tumour slices) and as host (its tumour-free slices) in the demo, the tests and the
    documentation. ``SOURCE.txt`` beside it gives its origin and licence.

    Returns:
        The paths of image, label and source, and the slices with and without tumour.

    Example::

        from monai_consingan.data import example, load_label, load_scan

        image = load_scan(example().image)
        label = load_label(example().label, image=image)
    """
    folder = Path(str(files("monai_consingan.data").joinpath("example")))
    return Example(
        image=folder / "brain1_z12-21_t1c.nii.gz",
        label=folder / "brain1_z12-21_seg.nii.gz",
        source=folder / "SOURCE.txt",
    )
