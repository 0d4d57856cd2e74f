"""Inserting a lesion, from and into a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import Transform

from monai_consingan.arrays import as_array, given, wrap_like
from monai_consingan.data import as_keys, stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.insert import InsertLesion


class InsertLesiond(Transform):
    """Dictionary version of :class:`InsertLesion`.

    Every case can have choices of its own, which go before those given here: ``lesion_labels``, ``donor_slice``,
    ``host_slice``, ``at``, ``offset``, ``match``, ``paste_blend``, ``seed``, ``lead``, ``mass_effect`` and ``oedema``
    in the data, and ``lesion_number``, a number or word instead of ``lesion``.

    The data have ``donor_label`` and, if the host has lesions already, ``host_label``; they may have ``donor_valid``
    and ``level``, as of a bank of lesions. Added are ``label``, the resulting one; the masks ``lesion`` of the new
    lesion, ``others`` of the lesions that the host has had, ``donor_lesion`` of the donor's that was taken, and
    ``head`` of the host's head in all sequences; ``before``, what the lesion was pasted into, which is the host, with
    its tissue moved by mass effect; ``lead``, the number of the channel in which the place was looked for; and
    ``placement``, a dictionary (:class:`Placement`) with what was chosen.

    Args:
        host_key: key of the host, which stays as it is, or of several sequences of it, each an image.
        donor_key: key of the donor, or of its sequences in the same order.
        image_key: key of the host with the lesion pasted; of several sequences one for all, (C, \\*spatial), or one for
            each. So are ``training_key`` and ``naive_key``.
        training_key: key of the image to train a model on, which is the host.
        naive_key: key of the host with the lesion's voxels in place of its own, without a blend.
        kwargs: the arguments of :class:`InsertLesion`.
    """

    backend = InsertLesion.backend

    def __init__(
        self,
        host_key: KeysCollection = "host",
        donor_key: KeysCollection = "donor",
        image_key: KeysCollection = "image",
        training_key: KeysCollection = "training",
        naive_key: KeysCollection = "naive",
        **kwargs: Any,
    ) -> None:
        self.host_key, self.donor_key = as_keys(host_key), as_keys(donor_key)
        self.images = (image_key, naive_key, training_key)
        self.insert = InsertLesion(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the naive image, its label and masks."""
        needed = (*self.host_key, *self.donor_key, "donor_label")
        if any(data.get(key) is None for key in needed):
            raise ConSinGANError(f"The data lack one of {', '.join(map(str, needed))}: load them before.")
        host, donor = (stack_keys(data, keys) for keys in (self.host_key, self.donor_key))
        own = given(data, "match", "paste_blend", "seed", "lead", "mass_effect", "oedema", lesion="lesion_number")
        which = given(data, "lesion_labels", "donor_slice", "host_slice", "at", "offset", "donor_valid", "level")
        inserted = replace(self.insert, **own)(host, donor, data["donor_label"], data.get("host_label"), **which)
        had = inserted.host_label
        others = np.zeros((1, *host.shape[1:]), bool) if had is None else as_array(had) > 0
        out = {
            **data,
            "label": inserted.label,
            "lesion": inserted.mask,
            "others": wrap_like(others.astype(np.uint8), host),
            "donor_lesion": inserted.donor_lesion,
            "head": wrap_like(inserted.head[None].astype(np.uint8), host),
            "before": inserted.host,
            "lead": inserted.lead,
            "placement": {
                **inserted.placement.as_dict(),
                "axis": inserted.axis,
                "lesion": inserted.lesion_number,
                "lesions": inserted.lesion_count,
                "dims": inserted.dims,
                "match": inserted.match,
            },
        }
        hosts = [data[key] for key in self.host_key]
        for keys, image in zip(self.images, (inserted.image, inserted.naive, host), strict=True):
            out |= unstack_keys(image, keys, hosts)
        return out


InsertLesionD = InsertLesionDict = InsertLesiond
