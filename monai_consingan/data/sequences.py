"""Images of several sequences: one channel each, their names, and the one that lesions are measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing

from monai_consingan.arrays import as_array, as_mask, check_host, spacing_of, wrap_like
from monai_consingan.background import find_background
from monai_consingan.data.contrast import RING_MM, cnr
from monai_consingan.data.scan import on_one_grid
from monai_consingan.data.stored import source_name
from monai_consingan.distance import reach_box, ring
from monai_consingan.errors import ConSinGANError

SEQUENCES = "sequences"
"""Key of ``meta`` for the names of an image's sequences, a list with one for each channel."""

SEQUENCE_FILES = "sequence_files"
"""Key of ``meta`` for the files of an image's sequences, a list with one for each channel, where each has its own."""

_COARSE = 64  # voxels along an axis that are enough to see whether two scans show the same body
_TOGETHER = 0.5  # of the smaller body that lies in the other one at least


def sequence_names(image: NdarrayOrTensor) -> tuple[str, ...]:
    """The names of an image's sequences, one for each channel.

    Args:
        image: (C, \\*spatial).

    Returns:
        What ``image.meta["sequences"]`` says, or ``"1"``, ``"2"``, ... where it does not name every channel.
    """
    given = image.meta.get(SEQUENCES) if isinstance(image, MetaTensor) else None
    names = tuple(map(str, given)) if isinstance(given, (list, tuple)) else ()
    count = int(image.shape[0])
    return names if len(names) == count else tuple(str(number + 1) for number in range(count))


def named_sequences(image: NdarrayOrTensor) -> tuple[str, ...]:
    """The names of an image's sequences, (C, \\*spatial), as its metadata tell them; none where they do not."""
    told = isinstance(image, MetaTensor) and image.meta.get(SEQUENCES) is not None
    names = sequence_names(image)
    return names if told and names != sequence_names(np.empty(len(names))) else ()


def chosen_channel(names: Sequence[str], lead: int | str, what: str = "the image") -> int:
    """The channel that a name or a number chooses.

    Args:
        names: names of the channels.
        lead: one of them, or a channel's number from 0.
        what: what has these sequences, for the error.

    Raises:
        ConSinGANError: there is no such channel.
    """
    if isinstance(lead, (int, np.integer)) and not isinstance(lead, bool) and 0 <= lead < len(names):
        return int(lead)
    folded = [name.casefold() for name in names]
    if isinstance(lead, str) and folded.count(lead.casefold()) == 1:
        return folded.index(lead.casefold())
    raise ConSinGANError(f"lead is {lead!r}, but {what} has the sequences {', '.join(names)}: give one of them.")


def lead_channel(image: NdarrayOrTensor, lesion: NdarrayOrTensor, lead: int | str | None = None) -> int:
    """The channel in which a lesion is measured, and which places are found by.

    Args:
        image: (C, \\*spatial).
        lesion: mask of the lesion on its grid, (1, \\*spatial).
        lead: the name of a sequence or the number of a channel from 0. ``None`` takes the channel in which the lesion
            stands out most: that with the greatest contrast-to-noise ratio, bright or dark, between its mean and the
            median of the tissue 2 to 8 mm around it.

    Returns:
        Its number; 0 for images of one channel.

    Raises:
        ConSinGANError: there is no such channel, or the shapes differ.

    Example:
        >>> image = np.random.RandomState(0).normal(100, 5, (2, 32, 32))
        >>> lesion = np.zeros((1, 32, 32))
        >>> lesion[0, 12:20, 12:20] = 1
        >>> image[1] += 50 * lesion[0]
        >>> lead_channel(image, lesion)
        1
    """
    if lead is not None:
        return chosen_channel(sequence_names(image), lead)
    if image.shape[0] == 1:
        return 0
    check_host(image, lesion)
    inside = as_mask(lesion)[0]
    if not inside.any():
        return 0
    mm = spacing_of(image)
    box = reach_box(inside, mm, RING_MM[1])
    near = inside[box]
    around, ratios = ring(near, mm, RING_MM), []
    for channel in as_array(image):
        part = channel[box]
        ratios.append(abs(cnr(part[near], part[around & ~find_background(channel).mask(part)])))
    return int(np.argmax(np.nan_to_num(ratios, nan=-1.0, posinf=np.inf)))


def stack_sequences(
    images: Mapping[str, MetaTensor], *, name: str = "image", stacked: np.ndarray | None = None
) -> MetaTensor:
    """One image of the sequences of a case.

    Args:
        images: the sequences by their names, (1, \\*spatial) each.
        name: what the case is to the user ("host", "donor"), for errors.
        stacked: the values of all, (C, \\*spatial), if they lie in one array already; else they are copied to one.

    Returns:
        (C, \\*spatial) with the names in ``meta["sequences"]``, the affine and all else in ``meta`` being the first
        one's. A single image comes back as it is.

    Raises:
        ConSinGANError: no images, or one of several channels; a sequence on another grid than the first, that is
            constant, or that does not show the body that the first shows.

    Example::

        stack_sequences({"t1": load_scan("t1.nii.gz"), "flair": load_scan("flair.nii.gz")})
    """
    if not images:
        raise ConSinGANError(f"{name} has no sequence: give at least one scan.")
    names = list(images)
    main = images[names[0]]
    channels = []
    for sequence, image in images.items():
        what = f"sequence {sequence} of the {name}{_file(image)}"
        if image.shape[0] != 1:
            raise ConSinGANError(f"{what} has {image.shape[0]} channels: give one for each sequence.")
        if image is not main and not on_one_grid(image, main):
            raise ConSinGANError(
                f"{what} has the grid {_grid(image)}, but {names[0]}{_file(main)} {_grid(main)}: give sequences "
                "of one grid, or --resample to bring them to that of the lead."
            )
        channels.append(as_array(image))
        if channels[-1].min() == channels[-1].max():
            raise ConSinGANError(f"{what} is constant there ({channels[-1].flat[0]:g}): leave it out.")
    if len(names) == 1:
        return main
    bodies = [_body(values[0]) for values in channels]
    for sequence, body in zip(names, bodies, strict=True):
        if (body & bodies[0]).sum() < _TOGETHER * min(body.sum(), bodies[0].sum()):
            raise ConSinGANError(
                f"sequence {sequence} of the {name}{_file(images[sequence])} does not show the body that {names[0]}"
                f"{_file(main)} shows, as they overlap by less than half: give sequences of one session, aligned."
            )
    together: MetaTensor = wrap_like(np.concatenate(channels) if stacked is None else stacked, main)
    together.meta[SEQUENCES] = names
    return together


def same_sequences(image: Any, other: NdarrayOrTensor, *, name: str = "donor", other_name: str = "host") -> Any:
    """An image with its sequences in another one's order.

    Args:
        image: (C, \\*spatial).
        other: (C, \\*spatial), of any grid.
        name: what the image is to the user.
        other_name: what the other one is.

    Returns:
        The image itself where the order is the same, or where one of them does not say what its sequences are.

    Raises:
        ConSinGANError: one of them has a sequence that the other lacks.
    """
    have, want = sequence_names(image), sequence_names(other)
    told = all(isinstance(part, MetaTensor) and part.meta.get(SEQUENCES) for part in (image, other))
    if len(have) != len(want) or (told and sorted(have) != sorted(want)):
        raise ConSinGANError(
            f"The {other_name} has {_listed(want)} but the {name} {_listed(have)}: choose those that both have."
        )
    if not told or have == want:
        return image
    ordered = wrap_like(as_array(image)[[have.index(sequence) for sequence in want]], image)
    ordered.meta[SEQUENCES] = list(want)
    return ordered


def _listed(names: Sequence[str]) -> str:
    """How many sequences there are, and which."""
    return f"{len(names)} sequence{'s' if len(names) > 1 else ''} ({', '.join(names)})"


def _grid(image: MetaTensor) -> str:
    """A grid in words: its shape, voxels and origin."""
    affine = np.asarray(image.affine, dtype=np.float64)
    shape = tuple(int(n) for n in image.shape[1:])
    voxel = " x ".join(f"{mm:.4g}" for mm in affine_to_spacing(affine)[: len(shape)])
    origin = ", ".join(f"{mm:.4g}" for mm in affine[: len(shape), -1])
    return f"{' x '.join(map(str, shape))} voxels of {voxel} mm from ({origin})"


def _file(image: MetaTensor) -> str:
    path = source_name(image)
    return f" ({path})" if path else ""


def _body(values: np.ndarray) -> np.ndarray:
    """Roughly where a scan shows something, on a coarse grid: what is neither background nor as dark as air."""
    coarse = values[tuple(slice(None, None, max(1, size // _COARSE)) for size in values.shape)]
    background = find_background(values)
    low, mean = float(np.percentile(coarse, 1)), float(coarse.mean(dtype=np.float64))
    return ~background.mask(coarse) if background else np.asarray(coarse > low + 0.5 * (mean - low))
