"""What comes with the package: a real scan, and the MONAI bundles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ..errors import ConSinGANError, check_choice


@dataclass(frozen=True)
class PackagedExample:
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


def example() -> PackagedExample:
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
    return PackagedExample(
        image=folder / "brain1_z12-21_t1c.nii.gz",
        label=folder / "brain1_z12-21_seg.nii.gz",
        source=folder / "SOURCE.txt",
    )


BUNDLES = ("consingan_harmonization", "consingan_editing")


def bundle_folder(name: str) -> Path:
    """Find the folder of a bundle.

    Args:
        name: one of :py:data:`BUNDLES`.

    Returns:
        The working directory if it is (a copy of) that bundle, otherwise the folder that is installed with the package.

    Raises:
        ConSinGANError: there is no such bundle.

    Example::

        from monai_consingan.data import bundle_folder

        print(bundle_folder("consingan_harmonization") / "configs" / "train.json")
    """
    check_choice(BUNDLES, bundle=name)
    package = Path(__file__).parents[1]
    # installed from a wheel the bundles lie in the package, in a checkout beside it
    for folder in (Path.cwd(), package / "bundles" / name, package.parent / "bundles" / name):
        if _is_bundle(folder, name):
            return folder
    raise ConSinGANError(f"bundle {name} is not installed with the package: install monai-consingan anew.")


def _is_bundle(folder: Path, name: str) -> bool:
    try:
        metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
        return bool(metadata["name"] == name)
    except (OSError, ValueError, KeyError, TypeError):
        return False
