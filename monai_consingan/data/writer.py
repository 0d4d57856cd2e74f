"""MONAI's way to the files of :mod:`monai_consingan.data.save`: a writer for ``SaveImage``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import DtypeLike, NdarrayOrTensor, PathLike
from monai.data import ImageWriter
from monai.data.folder_layout import default_name_formatter
from monai.utils import ImageMetaKey, convert_data_type

from monai_consingan.data.save import save_label_like
from monai_consingan.data.sequence_files import as_files, read_sequences, save_sequences
from monai_consingan.data.sequences import SEQUENCE_FILES, SEQUENCES
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import real_path, safe_name


def case_file(meta: Mapping[str, Any] | None, saver: Any) -> dict[str, Any]:
    """How ``SaveImage`` names files: by the case, as :py:class:`~monai_consingan.transforms.LoadScand` noted it.

    Args:
        meta: ``meta`` of the image; without a case in it, MONAI's own naming holds.
        saver: the ``SaveImage``.

    Example::

        SaveImaged(keys="image", writer=HostGeometryWriter, output_name_formatter=case_file)
    """
    if meta and meta.get("case"):
        # MONAI takes off what looks like a suffix, so that 1.2.840.1 and 1.2.840.2 would be one file
        return {"subject": safe_name(str(meta["case"]), "case") + ".nii.gz", "idx": None}
    return dict(default_name_formatter(dict(meta or {}), saver))


class HostGeometryWriter(ImageWriter):
    """Write an image on the grid of the scan it was made from, with that file's type and header geometry.

    Voxels whose values are those of the scan keep its stored numbers bit for bit. With an integer ``output_dtype`` the
    array is written as a label. A scan that is a picture gets PNG files, whatever extension is asked for. Of several
    sequences all are written in the form they came in, as a 4D file or, with their names before the extension, as a
    file for each.

    Args:
        output_dtype: an integer type for labels and masks, which then get the smallest type that holds them; any other
            for images, whose type is the scan's.
        **kwargs: of :py:class:`monai.data.ImageWriter`.

    Example::

        SaveImaged(keys="image", writer=HostGeometryWriter, resample=False, output_ext=".nii.gz")
    """

    def __init__(self, output_dtype: DtypeLike = np.float32, **kwargs: Any) -> None:
        super().__init__(output_dtype=output_dtype, affine=None, channel_dim=0, **kwargs)
        self.is_label = np.issubdtype(np.dtype(output_dtype), np.integer)
        self.host: list[Path] = []
        self.sequences: list[str] | None = None

    def set_data_array(self, data_array: NdarrayOrTensor, channel_dim: int | None = 0, **kwargs: Any) -> None:
        """Take the image, channel-first."""
        self.data_obj = convert_data_type(data_array, np.ndarray)[0]

    def set_metadata(self, meta_dict: Mapping[str, Any] | None = None, resample: bool = True, **options: Any) -> None:
        """Take the scan's path from ``filename_or_obj``, or those of its sequences; nothing is resampled.

        Raises:
            ConSinGANError: the image does not come from a file.
        """
        meta = meta_dict or {}
        name = meta.get(SEQUENCE_FILES) or meta.get(ImageMetaKey.FILENAME_OR_OBJ)
        if not name:
            raise ConSinGANError(
                "The image to save names no scan in its meta data (filename_or_obj): load it from a file."
            )
        self.host, self.sequences = as_files(name), meta.get(SEQUENCES)

    def write(self, filename: PathLike, verbose: bool = False, **kwargs: Any) -> None:
        """Write the file; it appears whole or not at all.

        Raises:
            ConSinGANError: the file is the scan itself, or as :py:func:`monai_consingan.data.save_like`.
        """
        if not self.host:
            raise ConSinGANError("The image to save has no meta data: call set_metadata first.")
        files = read_sequences(self.host, name="host")
        path = Path(filename)
        if files.suffix == ".png":
            path = path.with_name(path.name.removesuffix(".nii.gz").removesuffix(".png") + files.suffix)
        if real_path(path) in [real_path(host) for host in self.host]:
            raise ConSinGANError(f"output {path} would take the place of the scan: give another folder.")
        super().write(str(path), verbose=verbose)
        if self.is_label:
            save_label_like(path, self.data_obj, files.parts[0])
            return
        if self.sequences and len(files.parts) > 1:
            files = files.choose(list(self.sequences))
        before, _ = files.image()
        if before.shape != self.data_obj.shape:
            raise ConSinGANError(
                f"The image to save has the shape {tuple(self.data_obj.shape)} but its scan {tuple(before.shape)}: "
                "give all sequences on the grid of their files."
            )
        changed = np.asarray(self.data_obj != before.numpy())
        save_sequences(path.parent, path.name.removesuffix(files.suffix), self.data_obj, files, alteration=changed)
