"""The sequences of an image: their names, and the one that lesions are measured in."""

from __future__ import annotations

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.background import find_background
from monai_consingan.distance import ring
from monai_consingan.errors import ConSinGANError

__all__ = ["lead_channel", "named_sequences", "sequence_names"]

_RING_MM = (2.0, 8.0)


def sequence_names(image: NdarrayOrTensor) -> tuple[str, ...]:
    """The names of an image's sequences, (C, \\*spatial): as its metadata tell them, else "1", "2" and so on."""
    names = image.meta.get("sequences") if isinstance(image, MetaTensor) else None
    count = int(image.shape[0])
    if names is None or len(names) != count:
        return _numbered(count)
    return tuple(str(name) for name in names)


def named_sequences(image: NdarrayOrTensor) -> tuple[str, ...]:
    """The names of an image's sequences as its metadata tell them; none where they do not."""
    told = isinstance(image, MetaTensor) and image.meta.get("sequences") is not None
    names = sequence_names(image)
    return names if told and names != _numbered(len(names)) else ()


def lead_channel(image: NdarrayOrTensor, lesion: NdarrayOrTensor, lead: int | str | None = None) -> int:
    """The channel that a lesion is measured in.

    Args:
        image: (C, \\*spatial).
        lesion: its mask, (1, \\*spatial).
        lead: the channel's number or its sequence's name; ``None`` takes the one with the greatest contrast-to-noise
            ratio between the lesion and the tissue 2 to 8 mm around it.

    Raises:
        ConSinGANError: no such channel.
    """
    names = sequence_names(image)
    if lead is not None:
        number = names.index(lead) if lead in names else lead
        if isinstance(number, str) or not 0 <= number < len(names):
            raise ConSinGANError(f"lead is {lead!r}, but the sequences are {', '.join(names)}: give one of them.")
        return int(number)
    if len(names) == 1:
        return 0
    inside = as_array(lesion)[0] > 0
    around = ring(inside, spacing_of(image), _RING_MM)
    ratios = []
    for channel in as_array(image):
        values = channel[around & ~find_background(channel).mask(channel)].astype(np.float64)
        if not values.size or not inside.any():
            ratios.append(0.0)
            continue
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle)) or values.std() or np.finfo(float).tiny
        ratios.append(abs(float(channel[inside].mean(dtype=np.float64)) - middle) / spread)
    return int(np.argmax(ratios))


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(number + 1) for number in range(count))
