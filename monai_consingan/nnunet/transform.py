"""The transform that puts lesions into patches of nnU-Net."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform

from monai_consingan.errors import ConSinGANWarning
from monai_consingan.nnunet.donors import has_constant_channel
from monai_consingan.transforms import RandLesion

_PATIENCE = 50  # patches without a lesion, after which this is told


class LesionTransform(BasicTransform):
    """Put lesions into the image and the segmentation of a patch.

    Where the segmentation is negative, nnU-Net marks what lies outside of the head or of the scan: no lesion gets
    there, nor to what is labelled, with whatever value. A patch without room for a lesion stays as it is, and so does
    one of which a channel is constant, as of a sequence that is missing. If the first 50 patches have none, a warning
    says why the last of them had not.

    Args:
        lesions: what puts them in; its state of chance is drawn anew for every patch, from PyTorch's.
    """

    def __init__(self, lesions: RandLesion) -> None:
        super().__init__()
        self.lesions = lesions
        self._without = 0  # patches in a row, from the first one on

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        """A patch with ``image``, float (C, X, Y, Z), and ``segmentation``, whole numbers (1, X, Y, Z)."""
        image, segmentation = data_dict["image"], data_dict["segmentation"]
        values = segmentation.numpy()[:1]
        inside = values >= 0
        why = "nnU-Net marks all of it as outside, or a channel is constant"
        if inside.any() and not has_constant_channel(image):
            self.lesions.set_random_state(seed=int(torch.randint(2**31 - 1, (1,))))
            region = None if inside.all() else inside.astype(np.uint8)
            pasted = self.lesions(image.numpy(), np.where(inside, values, 0).astype(np.int16), region)
            new = np.asarray(pasted.mask) > 0
            if new.any():
                self._without = _PATIENCE
                segmentation = segmentation.clone()
                segmentation[:1][torch.from_numpy(new)] = torch.from_numpy(np.asarray(pasted.label)[new]).to(
                    segmentation.dtype
                )
                data_dict["image"] = torch.from_numpy(np.asarray(pasted.image)).to(image.dtype)
                data_dict["segmentation"] = segmentation
                return data_dict
            why = next((lesion["reason"] for lesion in self.lesions.log if "reason" in lesion), "none was drawn")
        self._tell(why)
        return data_dict

    def _tell(self, why: str) -> None:
        """Warn once if no patch has got a lesion."""
        if self._without < _PATIENCE:
            self._without += 1
            if self._without == _PATIENCE:
                told = f"None of the first {_PATIENCE} patches got a lesion. Why the last did not: {why}"
                warnings.warn(told, ConSinGANWarning, stacklevel=3)
