"""A naive image that the user made, instead of one that was pasted or filled here."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import same_sequences
from monai_consingan.data.scan import on_one_grid
from monai_consingan.errors import ConSinGANError


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
