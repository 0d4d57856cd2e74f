"""What inputs are called: by errors, and by outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.data import MetaTensor
from monai.utils import ImageMetaKey

from ..errors import ConSinGANError
from .stored import file_format


def public_name(path: str | Path) -> str:
    """The name by which reports, lists and figures call an input.

    It is the name of the file, without the folders above it. Names of folders and of DICOM files, which are often those
    of patients, are left out.

    Args:
        path: file or folder.
    """
    path = Path(path)
    if path.is_dir():
        return "(DICOM series)"
    try:
        return "(DICOM file)" if file_format(path) == "dicom" else path.name
    except ConSinGANError:  # not an image
        return path.name


def source_name(image: Any) -> str:
    """The path that an image was read from, for errors; nothing where that is not known."""
    return str(image.meta.get(ImageMetaKey.FILENAME_OR_OBJ) or "") if isinstance(image, MetaTensor) else ""
