"""The transform that puts lesions into patches of nnU-Net."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform

from monai_consingan.transforms import RandLesion

__all__ = ["LesionTransform"]


class LesionTransform(BasicTransform):
    """Put lesions into the image and the segmentation of a patch.

    Where the segmentation is negative, nnU-Net marks what lies outside of the head or of the scan: no lesion gets
    there. A patch without room for a lesion stays as it is.

    Args:
        lesions: what puts them in; its state of chance is drawn anew for every patch, from PyTorch's.
        ignore_label: value of the segmentation where nobody annotated anything: lesions keep off it.
    """

    def __init__(self, lesions: RandLesion, ignore_label: int | None = None) -> None:
        super().__init__()
        self.lesions = lesions
        self.ignore_label = ignore_label

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        """A patch with ``image``, float (C, X, Y, Z), and ``segmentation``, whole numbers (1, X, Y, Z)."""
        image, segmentation = data_dict["image"], data_dict["segmentation"]
        values = segmentation.numpy()[:1]
        inside = values >= 0
        if inside.any() and image.shape[1:] == segmentation.shape[1:]:
            self.lesions.set_random_state(seed=int(torch.randint(2**31 - 1, (1,))))
            region = None if inside.all() else inside.astype(np.uint8)
            pasted = self.lesions(image.numpy(), np.where(inside, values, 0).astype(np.int16), region)
            new = np.asarray(pasted.mask) > 0
            if new.any():
                segmentation = segmentation.clone()
                segmentation[:1][torch.from_numpy(new)] = torch.from_numpy(np.asarray(pasted.label)[new]).to(
                    segmentation.dtype
                )
                data_dict["image"] = torch.from_numpy(np.asarray(pasted.image)).to(image.dtype)
                data_dict["segmentation"] = segmentation
        return data_dict
