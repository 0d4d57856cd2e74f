"""Measures of images with several sequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.surroundings import Surroundings


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
