"""MONAI's way to the files of :mod:`monai_consingan.data.save`: a writer for ``SaveImage``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import DtypeLike, NdarrayOrTensor
from monai.data import ImageWriter
from monai.utils import ImageMetaKey, convert_data_type

from monai_consingan.data.save import save_label_like, save_like
from monai_consingan.data.scan import load_scan
from monai_consingan.errors import ConSinGANError

__all__ = ["HostGeometryWriter"]


class HostGeometryWriter(ImageWriter):
    """Write an image on the grid of the scan it was made from, with that file's type and header geometry.

    Voxels whose values are those of the scan keep its stored numbers bit for bit. With an integer ``output_dtype`` the
    array is written as a label.

    Args:
        output_dtype: an integer type for labels and masks; any other for images, whose type is the scan's.
        **kwargs: of :py:class:`monai.data.ImageWriter`.

    Example::

        SaveImaged(keys="image", writer=HostGeometryWriter, resample=False, output_ext=".nii.gz")
    """

    def __init__(self, output_dtype: DtypeLike = np.float32, **kwargs: Any) -> None:
        super().__init__(output_dtype=output_dtype, affine=None, channel_dim=0, **kwargs)
        self.host: Path | None = None

    def set_data_array(self, data_array: NdarrayOrTensor, channel_dim: int | None = 0, **kwargs: Any) -> None:
        """Take the image, channel-first with one channel."""
        self.data_obj = convert_data_type(data_array, np.ndarray)[0]

    def set_metadata(self, meta_dict: Mapping[str, Any] | None = None, resample: bool = True, **options: Any) -> None:
        """Take the scan's path from ``filename_or_obj``; nothing is resampled.

        Raises:
            ConSinGANError: the image does not come from a file.
        """
        name = (meta_dict or {}).get(ImageMetaKey.FILENAME_OR_OBJ)
        if not name:
            raise ConSinGANError("The image to save names no scan in its meta data (filename_or_obj): load it from a file.")
        self.host = Path(str(name))

    def write(self, filename: str | Path, verbose: bool = False, **kwargs: Any) -> None:
        """Write the file; it appears whole or not at all.

        Raises:
            ConSinGANError: as :py:func:`monai_consingan.data.save_like`.
        """
        super().write(filename, verbose=verbose)
        if self.host is None:
            raise ConSinGANError("The image to save has no meta data: call set_metadata first.")
        if np.issubdtype(np.dtype(self.output_dtype), np.integer):
            save_label_like(filename, self.data_obj, self.host, dtype=self.output_dtype)
            return
        scan = load_scan(self.host, name="host")
        save_like(filename, self.data_obj, scan, alteration=self.data_obj != scan.numpy())
