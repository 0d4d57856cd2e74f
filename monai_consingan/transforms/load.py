"""Reading scans and labels as the first steps of a pipeline."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from os import PathLike
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from monai_consingan.data import load_label, read_sequences


class LoadScand(MapTransform):
    """Read grey MR scans with :func:`monai_consingan.data.load_scan`, which refuses what is none.

    A list of paths, or a file of four dimensions, is read as the sequences of one scan
    (:func:`monai_consingan.data.read_sequences`). What is no path, such as an image that was read before, stays as it
    is. The name of the case, under ``case`` if there is one, is noted in the images' ``meta`` and so names the files
    that are saved (:py:func:`monai_consingan.data.case_file`).

    Args:
        keys: keys of the scans' paths, which the images replace.
        allow_missing_keys: skip keys that are not in the dictionary.

    Example::

        LoadScand(keys=["host", "donor"])({"host": "a.nii.gz", "donor": "series_folder"})
    """

    backend = [TransformBackends.TORCH]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the images, (C, \\*spatial) float32."""
        out = dict(data)
        for key in self.key_iterator(out):
            if not _is_path(out[key]) and not (isinstance(out[key], (list, tuple)) and all(map(_is_path, out[key]))):
                continue
            out[key] = _noted(read_sequences(out[key], name=_words(key)).image()[0], data)
        return out


class LoadLesionLabeld(MapTransform):
    """Read labels with :func:`monai_consingan.data.load_label`, which checks that they belong to their image.

    What is no path stays as it is. The name of the case is noted as by :class:`LoadScand`.

    Args:
        keys: keys of the labels' paths, which the labels replace.
        image_key: key of the image that they outline, which must be read before.
        allow_empty: accept labels without any lesion.
        allow_missing_keys: skip keys that are not in the dictionary.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection,
        image_key: Hashable,
        allow_empty: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key
        self.allow_empty = allow_empty

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the labels, whole numbers of shape (1, \\*spatial)."""
        out = dict(data)
        for key in self.key_iterator(out):
            if not _is_path(out[key]):
                continue
            label = load_label(
                out[key],
                image=out[self.image_key],
                image_name=_words(self.image_key),
                name=_words(key),
                allow_empty=self.allow_empty,
            )
            out[key] = _noted(label, data)
        return out


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, PathLike))


def _noted(image: MetaTensor, data: Mapping[Hashable, Any]) -> MetaTensor:
    """The image, in whose metadata the name of its case is noted."""
    if data.get("case"):
        image.meta["case"] = str(data["case"])
    return image


def _words(key: Hashable) -> str:
    return str(key).replace("_", " ")


LoadScanD = LoadScanDict = LoadScand
LoadLesionLabelD = LoadLesionLabelDict = LoadLesionLabeld
