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

    Args:
        host_key: key of the host, which stays as it is, or of several sequences of it, each an image.
        donor_key: key of the donor, or of its sequences in the same order.
        donor_label_key: key of the donor's label.
        host_label_key: key of the host's label; may be missing from the data.
        image_key: key of the host with the lesion pasted; of several sequences one for all, (C, \\*spatial), or one for
            each. So are ``training_key`` and ``naive_key``.
        label_key: key of the resulting label.
        lesion_key: key of the new lesion's mask.
        others_key: key of the mask of the lesions that the host has had, which is empty if it had none.
        donor_lesion_key: key of the donor's lesion that was taken.
        training_key: key of the image to train a model on, which is the host.
        placement_key: key of the :class:`Placement`, as a dictionary, with what was chosen; None leaves it out.
        naive_key: key of the host with the lesion's voxels in place of its own, without a blend.
        before_key: key of the host that the lesion was pasted into, whose tissue mass effect has moved.
        head_key: key of the mask of the host's head, in all sequences.
        lead_key: key of the number of the channel in which the place was looked for.
        kwargs: the arguments of :class:`InsertLesion`.
    """

    backend = InsertLesion.backend

    def __init__(
        self,
        host_key: KeysCollection = "host",
        donor_key: KeysCollection = "donor",
        donor_label_key: Hashable = "donor_label",
        host_label_key: Hashable = "host_label",
        image_key: KeysCollection = "image",
        label_key: Hashable = "label",
        lesion_key: Hashable = "lesion",
        others_key: Hashable = "others",
        donor_lesion_key: Hashable = "donor_lesion",
        training_key: KeysCollection = "training",
        placement_key: Hashable | None = "placement",
        naive_key: KeysCollection = "naive",
        before_key: KeysCollection = "before",
        head_key: Hashable = "head",
        lead_key: Hashable = "lead",
        **kwargs: Any,
    ) -> None:
        self.host_key, self.donor_key = as_keys(host_key), as_keys(donor_key)
        self.labels = (donor_label_key, host_label_key)
        self.images = (image_key, naive_key, training_key, before_key)
        self.outputs = (label_key, lesion_key, others_key, donor_lesion_key, head_key)
        self.lead_key = lead_key
        self.placement_key = placement_key
        self.insert = InsertLesion(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the naive image, its label and masks."""
        out = dict(data)
        donor_label, host_label = (data.get(key) for key in self.labels)
        needed = (*self.host_key, *self.donor_key, self.labels[0])
        if donor_label is None or any(data.get(key) is None for key in needed):
            raise ConSinGANError(f"The data lack one of {', '.join(map(str, needed))}: load them before.")
        host, donor = (stack_keys(data, keys) for keys in (self.host_key, self.donor_key))
        own = given(data, "match", "paste_blend", "seed", "lead", "mass_effect", "oedema", lesion="lesion_number")
        which = given(data, "lesion_labels", "donor_slice", "host_slice", "at", "offset")
        inserted = replace(self.insert, **own)(host, donor, donor_label, host_label, **which)
        hosts = [data[key] for key in self.host_key]
        for keys, image in zip(self.images, (inserted.image, inserted.naive, host, inserted.host), strict=True):
            out |= unstack_keys(image, keys, hosts)
        had = inserted.host_label
        others = np.zeros((1, *host.shape[1:]), np.uint8) if had is None else (as_array(had) > 0).astype(np.uint8)
        head = wrap_like(inserted.head[None].astype(np.uint8), host)
        results = (inserted.label, inserted.mask, wrap_like(others, host), inserted.donor_lesion, head)
        out |= dict(zip(self.outputs, results, strict=True))
        out[self.lead_key] = inserted.lead
        if self.placement_key is not None:
            out[self.placement_key] = {
                **inserted.placement.as_dict(),
                "axis": inserted.axis,
                "lesion": inserted.lesion_number,
                "lesions": inserted.lesion_count,
                "dims": inserted.dims,
                "match": inserted.match,
            }
        return out


InsertLesionD = InsertLesionDict = InsertLesiond
