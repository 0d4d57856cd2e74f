"""Redrawing the region around a lesion inside whole images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from scipy.ndimage import gaussian_filter

from monai_consingan.arrays import spacing_of
from monai_consingan.data import IntensityScale, Region, sliced_axis
from monai_consingan.inferers.inferer import ConSinGANInferer
from monai_consingan.transforms import region_slices


def redraw_region(
    naive: torch.Tensor,
    network: Callable[..., Any],
    *,
    task: str,
    region: Region,
    scale: IntensityScale,
    spacing: Sequence[float],
    level_mm: float = 0.0,
    detail_mm: float = 0.0,
) -> torch.Tensor:
    """Let a generator redraw a region of an image.

    Args:
        naive: the image, ``(C, *spatial)``.
        network: a trained :py:class:`~monai_consingan.networks.ConSinGANGenerator`.
        task: ``"harmonization"`` or ``"editing"``.
        region: the region.
        scale: its intensities.
        spacing: mm per spatial axis of the image.
        level_mm: the result takes over the naive image's level, averaged with a gaussian of this standard deviation
            within the slice (of a box: in space), as a generator with norms does not keep it by itself; 0 leaves the
            generator's.
        detail_mm: likewise the result takes over what is finer than this of the naive image, as a generator blurs it;
            0 leaves the generator's.

    Returns:
        An image like ``naive``, redrawn in the whole region.
    """
    slices = region.take(naive)
    redrawn = scale.undo(ConSinGANInferer(task)(scale.apply(slices), network))
    missing = (slices - redrawn).numpy()
    if level_mm > 0:
        redrawn = redrawn + torch.from_numpy(_smoothed(missing, level_mm, spacing, region))
    if detail_mm > 0:
        redrawn = redrawn + torch.from_numpy(missing - _smoothed(missing, detail_mm, spacing, region))
    return region.put(redrawn, naive)


def _smoothed(slices: np.ndarray, sigma_mm: float, spacing: Sequence[float], region: Region) -> np.ndarray:
    """Slices of a region, averaged within the slice, or a box, averaged in space."""
    in_plane = [size for axis, size in enumerate(spacing) if axis != region.axis]
    sigma = [
        sigma_mm * pixels / (size * box)
        for size, pixels, box in zip(in_plane, region.size, region.box_size, strict=True)
    ]
    return np.asarray(gaussian_filter(slices, sigma=(0, 0, *sigma), mode="nearest"))


class ConSinGANRegionInferer(Inferer):
    """Let a generator redraw the region around a lesion, and put it back into the whole image.

    The images of a batch are handled one after the other, each with a region and an intensity scale of its own.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        axis: spatial axis perpendicular to the slices; ``None`` finds it (:py:func:`monai_consingan.data.slice_axis`).
        dims: 2 for generators of slices, 3 for generators of boxes.
        region: ``"roi"`` or ``"slice"`` (:py:func:`monai_consingan.data.find_region`).
        max_side: largest side in pixels that the networks see.
        level_mm, detail_mm: what is kept of the naive image (:py:func:`redraw_region`).

    Example::

        inferer = ConSinGANRegionInferer("harmonization", axis=2)
        redrawn = inferer(naive, generator, lesion, alteration, host)  # all (B, 1, H, W, D)
    """

    def __init__(
        self,
        task: str,
        axis: int | None = None,
        region: str = "roi",
        max_side: int = 250,
        level_mm: float = 3.0,
        detail_mm: float = 0.0,
        dims: int = 2,
    ) -> None:
        self.dims = dims
        self.task = task
        self.level_mm = level_mm
        self.detail_mm = detail_mm
        self.axis = axis
        self.region = region
        self.max_side = max_side

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """Redraw images.

        Args:
            inputs: naive images in a scan's intensities, ``(B, C, *spatial)``.
            network: a trained :py:class:`~monai_consingan.networks.ConSinGANGenerator`.
            args: three batches like ``inputs``: masks of the lesions, masks of what may change, and the images that
                the model is trained on (the hosts).
            kwargs: not used.

        Returns:
            Images like ``inputs``, redrawn in the whole region; composite them with
            :py:class:`~monai_consingan.transforms.BlendBack`.

        Raises:
            ConSinGANError: a region that does not fit the generator.
        """
        lesions, alterations, training = args
        results = []
        for naive, lesion, alteration, host in zip(inputs, lesions, alterations, training, strict=True):
            _, region, scale = region_slices(
                naive.cpu(),
                lesion.cpu(),
                alteration.cpu(),
                [host.cpu()],
                axis=sliced_axis(naive, self.axis, self.dims),
                region=self.region,
                max_side=self.max_side,
                size=network.stage_sizes[-1],  # type: ignore[attr-defined]
            )
            redrawn = redraw_region(
                naive.cpu().as_subclass(torch.Tensor),
                network,
                task=self.task,
                region=region,
                scale=scale,
                spacing=spacing_of(naive),
                level_mm=self.level_mm,
                detail_mm=self.detail_mm,
            )
            results.append(redrawn)
        return torch.stack(results).to(inputs.device)
