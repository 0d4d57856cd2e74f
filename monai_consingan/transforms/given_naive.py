"""A naive image that the user made, instead of one that was pasted or filled here."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import same_grid, same_sequences
from monai_consingan.errors import ConSinGANError


class NaiveImaged(Transform):
    """Take over a user's naive image, and make of it what :class:`InsertLesiond` or :class:`FillLesiond` leave.

    The naive image counts within the alteration mask only; elsewhere the host's bits are kept. So this stands between
    :class:`LesionAlterationd` and what follows.

    Args:
        image_key: key of the naive image, on the host's grid.
        host_key: key of the host.
        lesion_key: key of the label or mask of what was pasted or filled, replaced by its mask.
        label_key: key of the label of the host's lesions, which may be missing, replaced by the resulting label.
        alteration_key: key of the mask of what may change.
        training_key: key of the image to train a model on, which is the host.
        others_key: key of the mask of the lesions that the host has besides.
        naive_key: key for another reference to the naive image, as :class:`InsertLesiond` leaves it.
        removes: whether lesions were filled rather than pasted: the resulting label then has none there.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        image_key: Hashable = "image",
        host_key: Hashable = "host",
        lesion_key: Hashable = "lesion",
        label_key: Hashable = "label",
        alteration_key: Hashable = "alteration",
        training_key: Hashable = "training",
        others_key: Hashable = "others",
        removes: bool = False,
        naive_key: Hashable = "naive",
    ) -> None:
        self.naive_key = naive_key
        self.image_key = image_key
        self.host_key = host_key
        self.lesion_key = lesion_key
        self.label_key = label_key
        self.alteration_key = alteration_key
        self.training_key = training_key
        self.others_key = others_key
        self.removes = removes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and masks.

        Raises:
            ConSinGANError: the naive image is not on the host's grid, or has other sequences.
        """
        out = dict(data)
        host, lesion = data[self.host_key], as_array(data[self.lesion_key])
        naive = same_sequences(data[self.image_key], host, name="naive image")
        if naive.shape != host.shape or not same_grid(naive.affine, host.affine, tuple(host.shape[1:])):
            raise ConSinGANError(
                f"The naive image has the shape {tuple(naive.shape)} and the affine {naive.affine.tolist()}, its "
                f"host {tuple(host.shape)} and {host.affine.tolist()}: give one on the host's grid."
            )
        changed = as_array(data[self.alteration_key]) > 0
        before = np.zeros_like(lesion) if self.label_key not in data else as_array(data[self.label_key])
        after = np.where(lesion > 0, 0 if self.removes else lesion, before).astype(lesion.dtype)
        out[self.image_key] = wrap_like(np.where(changed, as_array(naive), as_array(host)), host)
        out[self.naive_key] = out[self.image_key]
        out[self.label_key] = wrap_like(after, host)
        out[self.lesion_key] = wrap_like((lesion > 0).astype(np.uint8), host)
        others = (before > 0) & (lesion == 0) if self.removes else before > 0
        out[self.others_key] = wrap_like(others.astype(np.uint8), host)
        out[self.training_key] = host
        return out


NaiveImageD = NaiveImageDict = NaiveImaged
