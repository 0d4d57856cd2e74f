"""What a change did to a scan, and how its border looks, in each sequence: the measures that results are checked by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import slice_axis, slices_of, thick_slices
from monai_consingan.data.sequences import lead_channel
from monai_consingan.distance import bounding_box
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.fidelity import contrast, contrast_to_noise, kept
from monai_consingan.metrics.seam import expected_seam, level_jump, seam
from monai_consingan.metrics.surroundings import Surroundings, TissueLevel, Where, channels_array, tissue_levels
from monai_consingan.transforms.head import head_mask
from monai_consingan.transforms.whole_voxels import filled_along_axes

_DROP = 0.05  # of the image's range: smaller changes make nothing black
_AROUND = 4  # voxels around what changed, in which tissue is told


def by_sequence(measure: Callable[..., dict[str, float]], *cases: Surroundings) -> dict[str, Any]:
    """The measures of a case in its lead sequence and, if there are several, in each of them.

    Args:
        measure: gives the measures by name of as many surroundings as there are cases, each with one channel.
        cases: surroundings in images with the same sequences; the first one's lead is that of all.

    Returns:
        The measures of the lead sequence; with several sequences also ``lead``, its name, and ``sequences``, the
        measures of each by its name. Those of a sequence that cannot be measured, such as one whose tissue has the mean
        0, are NaN.

    Raises:
        ConSinGANError: images with different numbers of sequences, or a lead that cannot be measured.

    Example:

        >>> import numpy as np
        >>> from monai_consingan.metrics import contrast
        >>> image, mask = np.full((2, 32, 32), 100.0), np.zeros((1, 32, 32))
        >>> mask[0, 12:20, 12:20] = 1
        >>> image[:, mask[0] > 0] = [[150.0], [80.0]]
        >>> found = by_sequence(lambda case: {"contrast": contrast(case)}, Surroundings(image, mask, lead=0))
        >>> found["contrast"], found["sequences"]["2"]
        (0.5, {'contrast': -0.2})
    """
    first, *others = cases
    for other in others:
        if len(other.sequences) != len(first.sequences):
            raise ConSinGANError(
                f"One image has {len(first.sequences)} sequences and another {len(other.sequences)}: give images with "
                "the same sequences."
            )
    if len(first.sequences) == 1:
        return measure(*cases)
    lead = measure(*(case.of_sequence(first.channel) for case in cases))
    table: dict[str, dict[str, float]] = {}
    for channel, name in enumerate(first.sequences):
        if channel == first.channel:
            table[name] = lead
            continue
        try:
            table[name] = measure(*(case.of_sequence(channel) for case in cases))
        except ConSinGANError:
            table[name] = dict.fromkeys(lead, math.nan)
    return {**lead, "lead": first.sequences[first.channel], "sequences": table}


def of_lead(measures: Mapping[str, Any]) -> dict[str, float]:
    """What :func:`by_sequence` found of the lead sequence, without the others."""
    return {name: value for name, value in measures.items() if name not in ("lead", "sequences")}


def measure_change(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    where: Where = Where(),
    *,
    lesion: NdarrayOrTensor | None = None,
    head: np.ndarray | None = None,
    around: Surroundings | None = None,
    source: Surroundings | None = None,
) -> dict[str, Any]:
    """What a change did to a scan.

    Args:
        result: the scan after it, (C, \\*spatial).
        host: the scan before.
        mask: what was put in or filled.
        where: where it is measured.
        lesion: where the lesion is, or was; the mask by default.
        head: the host's head, boolean (\\*spatial); ``None`` finds it.
        around: the mask's surroundings in the result, if they are known.
        source: see :func:`measure_new_lesion`.

    Returns:
        By sequence (:func:`by_sequence`) what :func:`measure_border` finds, and ``in_tissue``, the share of the lesion
        that lies in the host's head (of one that was filled: or between parts of it), and ``black_gained``, the voxels
        that became as dark as air, but for those of a lesion that was put in, as a share of the mask's.
    """
    before, after = channels_array(host), channels_array(result)
    marks, inside = as_array(mask if lesion is None else lesion)[0] > 0, as_array(mask)[0] > 0
    head = _head(before, spacing_of(host)) if head is None else head
    if lesion is not None and head.any() and not head[marks].all():  # a void that was cut out of the head lies in it
        head = filled_along_axes(head)
    levels = tissue_levels(host) if where.levels is None else where.levels
    in_tissue, voxels = float(head[marks].mean()), np.count_nonzero(inside)
    changed = (before != after).any(axis=0)
    box = bounding_box(changed, [_AROUND] * changed.ndim) if changed.any() else None

    def of_channel(channel: int) -> dict[str, float]:
        """The measures that are those of a change alone, in a channel."""
        black = 0
        if box is not None:
            turned = _turned_black(before[channel][box], after[channel][box], levels[channel])
            black = int((turned & ~inside[box] if lesion is None else turned).sum())  # a lesion may be dark
        return {"in_tissue": in_tissue, "black_gained": black / voxels}

    where = replace(where, levels=levels)
    return measure_border(result, host, mask, where, lesion=lesion, around=around, source=source, more=of_channel)


def measure_new_lesion(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    where: Where = Where(),
    *,
    part: np.ndarray,
    donor_cnr: float,
    donor_contrast: float | None = None,
    head: np.ndarray | None = None,
    source: Surroundings | None = None,
) -> dict[str, Any]:
    """What putting a lesion in did to a scan, where of the lesion's donor only the contrast is known.

    With ``where`` all known, so does a part of the scan that holds all that changed and as much around it as measures
    look at (``reach_in_voxels``).

    Args:
        result: the scan with the lesion, (C, \\*spatial).
        host: the scan before.
        lesion: where the lesion is.
        where: where it is measured.
        part: the part of it whose contrast is measured, boolean (\\*spatial).
        donor_cnr: contrast-to-noise ratio of this part in the donor (:func:`contrast_to_noise`).
        donor_contrast: its contrast there (:func:`contrast`); ``None`` where that is not known.
        head: see :func:`measure_change`.
        source: the lesion in what was put there, in the donor's tissue, matched to the host.

    Returns:
        What :func:`measure_change` finds, with a source ``seam_expected`` in each sequence
        (:func:`~monai_consingan.metrics.expected_seam`), ``cnr``, and ``contrast_kept``, the share of the donor's
        contrast-to-noise ratio or contrast, whichever is nearer to 1: hosts may be far smoother or noisier than the
        donor, or lie around 0.
    """
    around = where.around(result, lesion)
    found = measure_change(result, host, lesion, where, head=head, around=around, source=source)
    cnr = contrast_to_noise(around, part=part)
    shares = [kept(cnr, donor_cnr)]
    if donor_contrast is not None:
        with suppress(ConSinGANError):
            shares.append(kept(contrast(around, part=part), donor_contrast))
    shares = [share for share in shares if math.isfinite(share)] or [math.nan]
    return {**found, "cnr": cnr, "contrast_kept": min(shares, key=lambda share: abs(share - 1))}


def measure_border(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    where: Where = Where(),
    *,
    lesion: NdarrayOrTensor | None = None,
    around: Surroundings | None = None,
    source: Surroundings | None = None,
    more: Callable[[int], dict[str, float]] = lambda channel: {},
) -> dict[str, Any]:
    """How smooth the border of a mask is, and how far a lesion stands out.

    Args:
        result, mask, where, lesion, around, source: see :func:`measure_change`.
        host: the scan before the lesion was put in or filled; the same if it is the lesion's donor.
        more: gives further measures of a channel.

    Returns:
        By sequence (:func:`by_sequence`) ``seam`` (:func:`seam`) and, where the mask has several slices,
        ``seam_through``, the same across them; ``level_jump`` and ``level_jump_through``, how far slices lie above or
        below their neighbours (:func:`level_jump`), along the axis in the plane where they do most and across the
        slices, unless these are thick; ``visibility``, how far the lesion stands out (:func:`contrast_to_noise`),
        brighter or darker.
    """
    axis = slice_axis(mask, where.axis)
    lead = lead_channel(result if lesion is None else host, mask if lesion is None else lesion, where.lead)
    where = replace(where, axis=axis, lead=lead)
    filled = where.around(result, mask) if around is None else around
    of_lesion = filled if lesion is None else where.around(result, lesion)
    crosses = axis is not None and len(slices_of(mask, axis)) > 1
    in_space = where.around(result, mask, dims=3) if crosses and where.dims == 2 else filled
    even = crosses and not thick_slices(host)
    plane = tuple(along for along in range(filled.ndim) if along != axis)

    def measure(filled: Surroundings, of_lesion: Surroundings, in_space: Surroundings) -> dict[str, float]:
        """The measures in one channel."""
        expected = {}
        if source is not None:
            expected["seam_expected"] = expected_seam(filled, source.of_sequence(filled.channel), along=plane)
        return {
            **more(filled.channel),
            **expected,
            "seam": seam(filled, along=plane),
            "seam_through": seam(in_space, along=axis) if crosses else math.nan,
            "level_jump": max(level_jump(in_space, along=along) for along in plane) if even else math.nan,
            "level_jump_through": level_jump(in_space, along=axis) if even and axis is not None else math.nan,
            "visibility": abs(contrast_to_noise(of_lesion)),
        }

    return by_sequence(measure, filled, of_lesion, in_space)


def changed_outside(before: NdarrayOrTensor, after: NdarrayOrTensor, alteration: NdarrayOrTensor) -> int:
    """Number of values that changed where they must not.

    Args:
        before: the host.
        after: the result.
        alteration: mask or weight; changes are allowed where it is above 0. It has the images' shape, or one channel
            for all of theirs.

    Returns:
        Number of differing values where the alteration is 0, which is 0 for a method that keeps its promise. NaN equals
        NaN.

    Raises:
        ConSinGANError: when the shapes differ.
    """
    first, second, allowed = as_array(before), as_array(after), as_array(alteration)
    if first.shape != second.shape or allowed.shape not in (first.shape, (1, *first.shape[1:])):
        raise ConSinGANError(
            f"before, after and alteration have the shapes {first.shape}, {second.shape} and {allowed.shape}: "
            "give all three on one grid."
        )
    both_nan = (first != first) & (second != second)
    return int(np.count_nonzero((first != second) & ~both_nan & ~(allowed > 0)))


def _head(channels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """What lies in the head in all channels, boolean (\\*spatial)."""
    return np.logical_and.reduce([head_mask(channel, spacing=spacing) for channel in channels])


def _turned_black(before: np.ndarray, after: np.ndarray, level: TissueLevel) -> np.ndarray:
    """Where tissue in a part of a channel became as dark as air by more than a little, boolean (\\*spatial)."""
    dropped = np.abs(before.astype(np.float64) - after) > _DROP * level.span
    return np.asarray(dropped & level.mask(before) & ~level.mask(after))
