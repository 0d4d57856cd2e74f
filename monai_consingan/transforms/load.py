"""What a user gives, taken over as steps of a pipeline: scans and labels that are read, and a naive image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import load_label, read_sequences, same_sequences
from monai_consingan.data.scan import on_one_grid
from monai_consingan.errors import ConSinGANError


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


@dataclass(eq=False)
class NaiveImaged(Transform):
    """Take over a user's naive image, and make of it what :class:`InsertLesiond` or :class:`FillLesiond` leave.

    The naive image counts within the alteration mask only; elsewhere the host's bits are kept. So this stands between
    :class:`LesionAlterationd` and what follows.

    ``image`` is the naive image, on the grid of ``host``; ``lesion`` the label or mask of what was pasted or filled,
    which its mask replaces; ``label`` that of the host's lesions, which may be missing, and which the resulting label
    replaces; ``alteration`` the mask of what may change. Added are ``naive``, the same image; ``training``, the image
    to train a model on, which is the host; and ``others``, the mask of the lesions that the host has besides.

    Args:
        removes: whether lesions were filled rather than pasted: the resulting label then has none there.
    """

    removes: bool = False

    backend = [TransformBackends.NUMPY]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and masks.

        Raises:
            ConSinGANError: the naive image is not on the host's grid, or has other sequences.
        """
        host, lesion = data["host"], as_array(data["lesion"])
        naive = same_sequences(data["image"], host, name="naive image")
        if not on_one_grid(naive, host):
            raise ConSinGANError(
                f"The naive image has the shape {tuple(naive.shape)} and the affine {naive.affine.tolist()}, its "
                f"host {tuple(host.shape)} and {host.affine.tolist()}: give one on the host's grid."
            )
        changed = as_array(data["alteration"]) > 0
        before = np.zeros_like(lesion) if "label" not in data else as_array(data["label"])
        after = np.where(lesion > 0, 0 if self.removes else lesion, before).astype(lesion.dtype)
        others = (before > 0) & (lesion == 0) if self.removes else before > 0
        image = wrap_like(np.where(changed, as_array(naive), as_array(host)), host)
        masks = {"lesion": lesion > 0, "others": others}
        return {
            **data,
            "image": image,
            "naive": image,
            "label": wrap_like(after, host),
            "training": host,
            **{name: wrap_like(mask.astype(np.uint8), host) for name, mask in masks.items()},
        }


NaiveImageD = NaiveImageDict = NaiveImaged
