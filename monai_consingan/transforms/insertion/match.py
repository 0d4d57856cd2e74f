"""Intensities of a donor matched to a host by the tissue around the lesion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_consingan.distance import reach_box, ring
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.head import Air, tissue_in

_ONE_SCALE = 2.0
"""Tissue of one scan differs by less than this factor from place to place, and scans of other gain by more."""


def check_gain(ways: Sequence[str], signed: Sequence[bool]) -> None:
    """Refuse a match by gain of intensities that have no ratio.

    Args:
        ways: how each channel is matched.
        signed: whether host or donor has values far below 0 there (``monai_consingan.background.Background``).

    Raises:
        ConSinGANError: a channel that has them is matched by gain.
    """
    for channel, (way, below) in enumerate(zip(ways, signed, strict=True)):
        if way == "gain" and below:
            where = f"in channel {channel} " if len(signed) > 1 else ""
            raise ConSinGANError(
                f'match="gain" needs intensities whose 0 is dark, but {where}much of the host or donor lies below 0, '
                'as after a z-score; use match="mean_std".'
            )


def one_scale(host: np.ndarray, ring: np.ndarray, donor: np.ndarray, donor_ring: np.ndarray) -> list[bool]:
    """Whether a donor's intensities mean the same in the host: their means around the lesion differ by no factor of 2.

    Args:
        host, ring, donor, donor_ring: as of :func:`match_intensities`. Where a ring is empty or not above 0, nothing
            speaks against it.

    Returns:
        The answer for every channel.
    """
    if not (ring.any() and donor_ring.any()):
        return [True] * len(host)
    means = [
        (old[ring].mean(dtype=np.float64), new[donor_ring].mean(dtype=np.float64))
        for old, new in zip(host, donor, strict=True)
    ]
    return [not (a > 0 and b > 0) or 1 / _ONE_SCALE <= a / b <= _ONE_SCALE for a, b in means]


def tissue_ring(
    image: np.ndarray,
    lesion: np.ndarray,
    ring_mm: tuple[float, float],
    spacing: Sequence[float],
    axis: int | None,
    known: np.ndarray | None = None,
    airs: Sequence[Air | None] | None = None,
) -> np.ndarray:
    """Voxels around a lesion that are neither air nor mixed with it in any channel.

    Args:
        image: array of shape (C, \\*spatial).
        lesion: boolean array of shape (\\*spatial).
        ring_mm: distances in mm above which and up to which a voxel counts.
        spacing: mm per spatial axis.
        axis: the spatial axis perpendicular to the slices to stay within them, or None.
        known: boolean array of shape (\\*spatial), where the image's values count; None for everywhere.
        airs: what tells tissue from air in each channel; None finds it.

    Returns:
        Boolean array of shape (\\*spatial).
    """
    found, box = ring(lesion, spacing, ring_mm, axis), reach_box(lesion, spacing, ring_mm[1])
    pairs, in_space = zip(image, airs or [None] * len(image), strict=True), axis is None and lesion.ndim == 3
    shown = [tissue_in(channel, box, known, air, in_space=in_space) for channel, air in pairs]
    found[box] &= np.all(shown, axis=0)
    return found


def match_intensities(
    host: np.ndarray, ring: np.ndarray, donor: np.ndarray, donor_ring: np.ndarray, ways: Sequence[str]
) -> np.ndarray:
    """The donor with its intensities mapped to the host's, channel by channel.

    Args:
        host: array of shape (C, \\*spatial).
        ring: host voxels to match to, boolean (\\*spatial).
        donor: array of shape (C, \\*spatial).
        donor_ring: donor voxels to match, boolean (\\*spatial).
        ways: for every channel ``"gain"`` for equal means by multiplication, ``"mean_std"`` for equal means and
            standard deviations, or ``"none"``.

    Returns:
        float64 array of the donor's shape; the donor itself if no channel is to be matched.

    Raises:
        ConSinGANError: when a ring is empty, or its intensities do not allow the match.
    """
    if all(way == "none" for way in ways):
        return donor
    for name, where in (("host", ring), ("donor", donor_ring)):
        if not where.any():
            raise NoPlaceError(
                f'the {name} shows no tissue around the lesion to match by; use a wider ring_mm or match="none".'
            )
    out = donor.astype(np.float64)
    for channel, old, way in zip(out, host, ways, strict=True):
        if way == "none":
            continue
        want, have = old[ring].astype(np.float64), channel[donor_ring]
        if way == "gain":
            if not (have.mean() > 0 and want.mean() > 0):
                raise ConSinGANError(
                    f'match="gain" needs positive intensities but their means around the lesion are {have.mean():g} in '
                    f'the donor and {want.mean():g} in the host; use match="mean_std".'
                )
            channel *= want.mean() / have.mean()
        else:
            if not have.std() > 0:
                raise ConSinGANError('the donor is constant around the lesion; use match="gain" or match="none".')
            channel[...] = (channel - have.mean()) / have.std() * want.std() + want.mean()
    return out
