"""How a donor's lesion becomes a host's: its intensities matched, its border blended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_consingan.arrays import cast_values, check_axis, check_number, check_range
from monai_consingan.data.contrast import RING_MM
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BLENDS, MATCHES
from monai_consingan.transforms.alteration import alteration_weight
from monai_consingan.transforms.blend import blend_arrays
from monai_consingan.transforms.head import Air
from monai_consingan.transforms.insertion.crossfade import crossfade
from monai_consingan.transforms.insertion.match import check_gain, match_intensities, one_scale
from monai_consingan.transforms.insertion.naive import naive_paste
from monai_consingan.transforms.insertion.tissue_blend import TissueBlend
from monai_consingan.transforms.poisson import poisson_blend

_REACH_MM = 20.0


@dataclass(eq=False)
class Pasting:
    """How a lesion is pasted.

    Args:
        blend, feather_mm, match, ring_mm, axis: see :class:`monai_consingan.transforms.PasteLesion`.

    Raises:
        ConSinGANError: when an argument is none of those.
    """

    blend: str = "hard"
    feather_mm: float = 2.0
    match: str = "none"
    ring_mm: tuple[float, float] = (2.0, 8.0)
    axis: int | None = None

    def __post_init__(self) -> None:
        if self.blend not in BLENDS:
            raise ConSinGANError(f'blend "{self.blend}" is unknown; choose one of {", ".join(BLENDS)}.')
        if self.match not in MATCHES:
            raise ConSinGANError(f'match "{self.match}" is unknown; choose one of {", ".join(MATCHES)}.')
        check_axis(self.axis, 3)
        self.feather_mm = check_number(self.feather_mm, "feather_mm")
        inner, outer = check_range(self.ring_mm, "ring_mm")
        if inner == outer:
            raise ConSinGANError(f"ring_mm is {self.ring_mm}, which is empty; give two rising distances in mm.")
        self.ring_mm = inner, outer

    @property
    def reach_mm(self) -> float:
        """How far from a lesion the host may change, or has a say in what does."""
        if self.blend == "tissue":
            return max(self.ring_mm[1], TissueBlend().looks_mm)
        return self.ring_mm[1] + 2 * self.feather_mm + _REACH_MM

    @property
    def near_mm(self) -> float:
        """How far from a lesion distances to it count."""
        return max(self.ring_mm[1], RING_MM[1], TissueBlend().near_mm if self.blend == "tissue" else 0.0)

    def matched(
        self,
        host: np.ndarray,
        ring: np.ndarray | None,
        donor: np.ndarray,
        donor_ring: np.ndarray | None,
        signed: Sequence[bool],
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """The donor's values as the host has them, and how each channel's were matched.

        Args:
            host, donor: arrays of shape (C, \\*spatial).
            ring, donor_ring: the tissue around the lesion in each, boolean (\\*spatial); None where nothing is matched.
            signed: whether host or donor has values far below 0, in each channel.

        Raises:
            ConSinGANError: the intensities do not allow the match.
        """
        ways = [self.match] * len(host)
        if ring is None or donor_ring is None:
            return donor, tuple(ways)
        if self.match == "scale":
            alike = one_scale(host, ring, donor, donor_ring)
            ways = ["none" if one or below else "gain" for one, below in zip(alike, signed, strict=True)]
        check_gain(ways, signed)
        return match_intensities(host, ring, donor, donor_ring, ways), tuple(ways)

    def tissue(self, image: np.ndarray, airs: Sequence[Air], known: np.ndarray | None = None) -> np.ndarray:
        """Where a part of an image is known and shows what may be blended in all channels, boolean (\\*spatial).

        Args:
            image: the part, (C, \\*spatial).
            airs: what tells tissue from air in each channel.
            known: where its values count, boolean (\\*spatial); None for everywhere.
        """
        shown = np.ones(image.shape[1:], bool) if known is None else known
        for channel, about in zip(image, airs, strict=True):
            if about.background or self.blend == "tissue":
                shown = shown & about.background.tissue(channel, known)
        return shown

    def blended(
        self,
        host: np.ndarray,
        donor: np.ndarray,
        label: np.ndarray,
        valid: np.ndarray,
        mm: Sequence[float],
        axis: int | None,
        around: np.ndarray,
    ) -> np.ndarray:
        """The host with the donor's lesion, both (C, \\*spatial) around it, in the host's dtype.

        Args:
            host: the host.
            donor: the donor, moved and matched.
            label: the lesion's label values, (\\*spatial), 0 elsewhere.
            valid: where host and donor both show tissue, boolean.
            mm: spacing.
            axis: the spatial axis perpendicular to the slices, or None.
            around: distance in mm to the lesion, as far as :attr:`near_mm`.
        """
        if self.blend == "tissue":  # which tells a lesion's parts by their values
            merged = TissueBlend()(host, donor, label, axis=axis, spacing=mm, valid=valid, around=around)
            result, changed = host.copy(), merged != host
            result[changed] = cast_values(merged[changed], host.dtype)
            return result
        mask = label > 0
        if self.blend == "hard":
            return naive_paste(host, donor, mask)
        if self.blend == "feather":
            weight = alteration_weight(mask, spacing=mm, dilation_mm=0.0, softness_mm=self.feather_mm, axis=axis)
            return blend_arrays(host, donor, np.where(valid, weight, 0.0)[None])
        pairs = zip(host, donor, strict=True)
        if self.blend == "crossfade":
            faded = [
                crossfade(
                    a, b, mask, width_mm=self.feather_mm, ring_mm=self.ring_mm, axis=axis, spacing=mm, valid=valid
                )
                for a, b in pairs
            ]
            return cast_values(np.stack(faded), host.dtype)
        cloned = [poisson_blend(a, b, mask, axis=axis, spacing=mm, valid=valid) for a, b in pairs]
        return blend_arrays(host, np.stack(cloned), mask[None].astype(np.float64))
