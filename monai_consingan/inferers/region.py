"""Redrawing the region around a lesion inside whole images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from scipy.ndimage import gaussian_filter
from torch.nn.functional import pad

from monai_consingan.arrays import spacing_of
from monai_consingan.data import IntensityScale, Region, sliced_axis
from monai_consingan.inferers.inferer import ConSinGANInferer
from monai_consingan.transforms import region_slices


class ConSinGANRegionInferer(Inferer):
    """Let a generator redraw the region around a lesion, and put it back into the whole image.

    The images of a batch are handled one after the other, each with a region and an intensity scale of its own.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        axis: spatial axis perpendicular to the slices; ``None`` finds it (:py:func:`monai_consingan.data.slice_axis`).
        dims: 2 for generators of slices, 3 for generators of boxes.
        region: ``"roi"`` or ``"slice"`` (:py:func:`monai_consingan.data.find_region`).
        max_side: largest side in pixels that the networks see.
        level_mm: the result takes over the naive image's level, averaged with a gaussian of this standard deviation
            within the slice (of a box: in space), as a generator with norms does not keep it by itself; 0 leaves the
            generator's.
        detail_mm: likewise the result takes over what is finer than this of the naive image, as a generator blurs it;
            0 leaves the generator's.

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
        size = network.stage_sizes[-1]  # type: ignore[attr-defined]
        for naive, lesion, alteration, host in zip(
            inputs.cpu(), lesions.cpu(), alterations.cpu(), training.cpu(), strict=True
        ):
            _, region, scale = self.look(naive, lesion, alteration, host, size, padded=True)
            results.append(self.redraw(naive, network, region, scale))
        return torch.stack(results).to(inputs.device)

    def look(
        self,
        naive: torch.Tensor,
        lesion: torch.Tensor,
        alteration: torch.Tensor,
        training: torch.Tensor,
        size: Sequence[int] | None = None,
        padded: bool = False,
    ) -> tuple[torch.Tensor, Region, IntensityScale]:
        """The slices of an image that a model is trained on, their region, and the intensities that are -1 and 1.

        Args:
            naive, lesion, alteration, training: one of each of what is called with, on the CPU.
            size: height and width (and depth) of what the model sees; ``None`` takes what the lesion needs.
            padded: whether the region may be smaller than that where the image is (:py:meth:`redraw` pads it).

        Raises:
            ConSinGANError: there is no such region.
        """
        axis = sliced_axis(naive, self.axis, self.dims)
        how: dict[str, Any] = {"axis": axis, "region": self.region, "max_side": self.max_side, "size": size}
        return region_slices(naive, lesion, alteration, [training], **how, padded=padded)

    def redraw(
        self, naive: torch.Tensor, network: Callable[..., Any], region: Region, scale: IntensityScale
    ) -> torch.Tensor:
        """An image, (C, \\*spatial), redrawn in all of a region that was looked at.

        Where the region is smaller than what the generator was trained on, its edge is repeated beyond its end.

        Args:
            naive: the image, on the CPU.
            network: the generator.
            region: the region.
            scale: its intensities.
        """
        plain, spacing = naive.as_subclass(torch.Tensor), spacing_of(naive)
        slices = region.take(plain)
        redrawn = scale.undo(_padded(ConSinGANInferer(self.task), scale.apply(slices), network))
        missing = (slices - redrawn).numpy()
        if self.level_mm > 0:
            redrawn = redrawn + torch.from_numpy(_smoothed(missing, self.level_mm, spacing, region))
        if self.detail_mm > 0:
            redrawn = redrawn + torch.from_numpy(missing - _smoothed(missing, self.detail_mm, spacing, region))
        return region.put(redrawn, plain)


def _padded(infer: ConSinGANInferer, slices: torch.Tensor, network: Any) -> torch.Tensor:
    """Slices, or a box, redrawn by a generator of a size that may be larger."""
    size = slices.shape[2:]
    missing = [max(0, wide - side) for side, wide in zip(size, network.stage_sizes[-1], strict=True)]
    if any(missing):
        slices = pad(slices, [n for more in reversed(missing) for n in (0, more)], mode="replicate")
    inside: Any = (..., *[slice(side) for side in size])
    return infer(slices, network)[inside]


def _smoothed(slices: np.ndarray, sigma_mm: float, spacing: Sequence[float], region: Region) -> np.ndarray:
    """Slices of a region, averaged within the slice, or a box, averaged in space."""
    in_plane = [size for axis, size in enumerate(spacing) if axis != region.axis]
    sigma = [
        sigma_mm * pixels / (size * box)
        for size, pixels, box in zip(in_plane, region.size, region.box_size, strict=True)
    ]
    return np.asarray(gaussian_filter(slices, sigma=(0, 0, *sigma), mode="nearest"))
