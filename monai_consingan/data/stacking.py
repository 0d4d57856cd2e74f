"""Sequences of one case under several keys, as one image of several channels, and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.utils import ensure_tuple

from ..arrays import as_array, cast_values, check_same_grid, wrap_like
from ..errors import ConSinGANError
from .sequences import sequence_names


def as_keys(keys: KeysCollection) -> tuple[Hashable, ...]:
    """One key, or several, as a tuple."""
    return tuple(ensure_tuple(keys))


def check_keys(**keys: KeysCollection | None) -> None:
    """Refuse to put two things under one key, of which one would be lost.

    Args:
        keys: a key, or several, by the names of the arguments that they were given as; None where there is none.

    Raises:
        ConSinGANError: a key stands twice.
    """
    found: dict[Hashable, str] = {}
    for name, own in keys.items():
        for key in () if own is None else as_keys(own):
            if key in found:
                raise ConSinGANError(f"{found[key]} and {name} are both {key!r}; give each a key of its own.")
            found[key] = name


def stack_keys(data: Mapping[Hashable, Any], keys: KeysCollection) -> Any:
    """The images of several keys as one, (C, \\*spatial), in the order of the keys.

    Args:
        data: what they are in.
        keys: one key, whose image stays as it is, or several.

    Returns:
        An image of a type that holds the values of all exactly, with the first one's metadata, to which
        ``"sequences"`` is added: the names that the images bring, or else their keys.

    Raises:
        ConSinGANError: the images differ in shape or place.
    """
    names = as_keys(keys)
    if len(names) == 1:
        return data[names[0]]
    check_same_grid(data, names)
    first, images = data[names[0]], [data[key] for key in names]
    stacked = wrap_like(np.concatenate([as_array(image) for image in images]), first)
    if isinstance(stacked, MetaTensor):
        stacked.meta["sequences"] = [
            name for key, image in zip(names, images, strict=True) for name in _names_of(image, str(key))
        ]
    return stacked


def _names_of(image: NdarrayOrTensor, key: str) -> tuple[str, ...]:
    """The names of an image's sequences; a single one that has none is called by its key."""
    known = isinstance(image, MetaTensor) and image.meta.get("sequences")
    names = sequence_names(image)
    return names if known or len(names) > 1 else (key,)


def unstack_keys(image: Any, keys: KeysCollection, hosts: Sequence[NdarrayOrTensor] = ()) -> dict[Hashable, Any]:
    """An image of several channels by keys: all of it for one key, or a channel for each.

    Args:
        image: (C, \\*spatial).
        keys: one key, or as many as there are ``hosts``.
        hosts: what had been stacked: each part gets the type, the metadata and the number of channels of its host.

    Raises:
        ConSinGANError: another number of keys.
    """
    names = as_keys(keys)
    if len(names) == 1:
        return {names[0]: image}
    if len(names) != len(hosts):
        raise ConSinGANError(f"There are {len(hosts)} sequences for the keys {names}: give one key, or one for each.")
    ends = np.cumsum([host.shape[0] for host in hosts])
    parts = np.split(as_array(image), ends[:-1])
    return {
        key: wrap_like(cast_values(part, as_array(host).dtype), host)
        for key, part, host in zip(names, parts, hosts, strict=True)
    }
