"""Training augmentation for MR: gain, bias field, blur, noise and lesion-shaped blobs; shuffled tiles for editing."""

from __future__ import annotations

import torch
from monai.config import NdarrayOrTensor
from monai.transforms import (
    Compose,
    EnsureType,
    RandBiasField,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandShiftIntensity,
    ScaleIntensityRange,
)
from monai.utils import convert_to_dst_type, convert_to_tensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.tasks import get_task
from monai_consingan.transforms.training.blobs import RandLesionBlob
from monai_consingan.transforms.training.tiles import RandShuffleTiles

_BLUR_BORDER = 3  # voxels


class _RandBlur(RandGaussianSmooth):
    """MONAI's random blur, but voxels beyond the image count as those at its border, so that it does not darken."""

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Blur one image of shape ``(C, *spatial)``."""
        if randomize:
            self.randomize()
        if not self._do_transform:
            return img
        dims = img.ndim - 1
        image = convert_to_tensor(img, track_meta=False)
        padded = torch.nn.functional.pad(image[None], [_BLUR_BORDER] * (2 * dims), mode="replicate")[0]
        blurred = super().__call__(padded, randomize=False)
        inner = (slice(None), *[slice(_BLUR_BORDER, -_BLUR_BORDER)] * dims)
        return convert_to_dst_type(blurred[inner], dst=img)[0]


def training_augmentation(task: str) -> Compose:
    """The augmentation of the stage-0 input that ConSinGAN is trained with on MR.

    What happens to MR happens here: gain, offset, bias field, blur and noise, and :class:`RandLesionBlob`. For editing
    the tiles are shuffled as well (:class:`RandShuffleTiles`); editing's gaussian noise is the trainer's.

    Args:
        task: ``"harmonization"`` or ``"editing"``; the other tasks train on noise.

    Returns:
        Transforms that take an image of shape (C, H, W) or (C, D, H, W) with values in [-1, 1] and return a new tensor
        of the same shape, float32, within [-1, 1]. ``set_random_state(seed=...)`` fixes every draw.

    Raises:
        ConSinGANError: for another task.

    Example:
        >>> import torch
        >>> augment = training_augmentation("harmonization").set_random_state(seed=0)
        >>> augment(torch.zeros(1, 48, 48)).shape
        torch.Size([1, 48, 48])
    """
    if not get_task(task).image_input:
        raise ConSinGANError(f"task is {task!r}, but only harmonization and editing are trained on augmented images.")
    return Compose(
        [
            ScaleIntensityRange(a_min=-1.0, a_max=1.0, b_min=0.0, b_max=1.0),
            *([RandShuffleTiles(prob=1.0)] if task == "editing" else []),
            RandLesionBlob(prob=0.8),
            RandBiasField(degree=2, coeff_range=(-0.1, 0.1), prob=0.5),
            RandScaleIntensity(factors=0.15, prob=0.5),
            RandShiftIntensity(offsets=0.05, prob=0.3),
            _RandBlur(sigma_x=(0.3, 0.8), sigma_y=(0.3, 0.8), sigma_z=(0.3, 0.8), prob=0.3),
            RandGaussianNoise(std=0.04, prob=0.5),
            ScaleIntensityRange(a_min=0.0, a_max=1.0, b_min=-1.0, b_max=1.0, clip=True),
            EnsureType(track_meta=False),
        ]
    )
