"""Oedema: what a lesion brings along besides itself stays within the host's tissue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.transforms.host_knowledge import HostKnowledge

_UNLIKE = 3.0  # robust standard deviations from the head's median that fluid, vessels and air are beyond
_SMOOTH_MM = 0.7  # so that noise makes no holes


def bounded_oedema(
    label: NDArray[Any],
    lesion_labels: Iterable[int],
    image: NDArray[Any],
    known: HostKnowledge,
    box: tuple[slice, ...],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A new lesion's label without the oedema that would lie in fluid, off the head, or beyond either.

    What is tissue is told by intensities: in every sequence within three robust standard deviations of the head's
    median, which the fluid of ventricles and sulci is not. Oedema that no tissue links to the lesion goes, too.

    Args:
        label: the new lesion's label in a box of the host, (\\*box).
        lesion_labels: label values that are the lesion itself, and stay wherever they are; what else there is, is
            oedema.
        image: the host in the box, (C, \\*box).
        known: what is known of the host.
        box: the box, an index for the host's spatial axes.

    Returns:
        The label, and where the host shows tissue that oedema may lie in, boolean (\\*box).
    """
    core = lesion_voxels(label, lesion_labels)
    tissue = known.head[box].copy()
    for channel, about in zip(image, known.channels, strict=True):
        smooth = ndimage.gaussian_filter(channel.astype(np.float64), [_SMOOTH_MM / mm for mm in known.spacing])
        level, spread = about.level
        tissue &= np.abs(smooth - level) <= _UNLIKE * spread
    parts, _ = ndimage.label(core | ((label > 0) & tissue))
    kept = np.isin(parts, np.unique(parts[core])) & (parts > 0)
    return np.where(kept, label, np.zeros((), label.dtype)), tissue
