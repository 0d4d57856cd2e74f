"""The image pyramid: how large a slice is at every stage, and the slice at these sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def resize(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize a batch by anti-aliased bicubic interpolation, in 2D or axis by axis in 3D.

    Args:
        images: (N, C, H, W) or (N, C, H, W, D), floating point.
        size: the new spatial size.

    Returns:
        The resized batch; the same tensor if it has that size already.
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    if images.ndim == 4:
        return _resize_planes(images, size)
    planes = _resize_planes(images.flatten(0, 1), size[1:])
    planes = _resize_planes(planes.transpose(1, 2), (size[0], size[2])).transpose(1, 2)
    return planes.unflatten(0, images.shape[:2])


def _resize_planes(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(
        images, size=tuple(size), mode="bicubic", align_corners=False, antialias=True
    )


def image_pyramid(images: torch.Tensor, sizes: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """The images at the size of every stage.

    Resampling is anti-aliased and its overshoot is clipped to the range [-1, 1] of the images; nothing is rounded.

    Args:
        images: (N, C, H, W) or (N, C, H, W, D) in [-1, 1].
        sizes: spatial size of every stage, coarsest first, as :py:func:`stage_sizes` gives them.

    Returns:
        A batch for each stage.
    """
    full = resize(images, sizes[-1]).clamp(-1, 1)
    return [resize(full, size).clamp(-1, 1) for size in sizes[:-1]] + [full]
