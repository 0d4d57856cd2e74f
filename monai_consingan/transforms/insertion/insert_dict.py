"""Inserting a lesion, from and into a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import Transform

from monai_consingan.arrays import as_array, chosen, wrap_like
from monai_consingan.data import as_keys, check_lesion, stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.insert import InsertLesion

__all__ = ["InsertLesionD", "InsertLesionDict", "InsertLesiond"]


class InsertLesiond(Transform):
    """Dictionary version of :class:`InsertLesion`.

    Every case can have choices of its own, which go before those given here: ``lesion_labels``, ``donor_slice``,
    ``host_slice``, ``at``, ``offset``, ``match``, ``paste_blend``, ``seed``, ``lead`` and ``mass_effect`` in the data,
    and ``lesion_number``, a number or word instead of ``lesion``.

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
        placement_key: key of the :class:`Placement`, as a dictionary; None leaves it out.
        naive_key: key of the host with the lesion's voxels in place of its own, without a blend.
        match, paste_blend, axis, seed, lesion, dims, lead, mass_effect: see :class:`InsertLesion`.
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
        match: str = "gain",
        paste_blend: str = "hard",
        axis: int | None = None,
        seed: int = 0,
        naive_key: KeysCollection = "naive",
        lesion: int | str = "largest",
        dims: int | None = None,
        lead: int | str | None = None,
        mass_effect: float = 0.0,
    ) -> None:
        check_lesion(lesion)
        self.lesion = lesion
        self.dims = dims
        self.naive_key = naive_key
        self.host_key, self.donor_key = as_keys(host_key), as_keys(donor_key)
        self.labels = (donor_label_key, host_label_key)
        self.image_key = image_key
        self.outputs = (label_key, lesion_key)
        self.others_key = others_key
        self.donor_lesion_key = donor_lesion_key
        self.training_key = training_key
        self.placement_key = placement_key
        self.axis = axis
        self.settings: dict[str, Any] = {
            "match": match,
            "paste_blend": paste_blend,
            "seed": seed,
            "lead": lead,
            "mass_effect": mass_effect,
        }

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the naive image, its label and masks."""
        out = dict(data)
        donor_label, host_label = (data.get(key) for key in self.labels)
        needed = (*self.host_key, *self.donor_key, self.labels[0])
        if donor_label is None or any(data.get(key) is None for key in needed):
            raise ConSinGANError(f"The data lack one of {', '.join(map(str, needed))}: load them before.")
        host, donor = (stack_keys(data, keys) for keys in (self.host_key, self.donor_key))
        which_lesion = chosen(data, {"lesion_number": self.lesion})["lesion_number"]
        insert = InsertLesion(axis=self.axis, lesion=which_lesion, dims=self.dims, **chosen(data, self.settings))
        which = chosen(data, dict.fromkeys(("lesion_labels", "donor_slice", "host_slice", "at", "offset")))
        inserted = insert(host, donor, donor_label, host_label, **which)
        hosts = [data[key] for key in self.host_key]
        for keys, image in (
            (self.image_key, inserted.image),
            (self.naive_key, inserted.naive),
            (self.training_key, host),
        ):
            out |= unstack_keys(image, keys, hosts)
        for key, value in zip(self.outputs, (inserted.label, inserted.mask), strict=True):
            out[key] = value
        had = inserted.host_label
        others = np.zeros((1, *host.shape[1:]), np.uint8) if had is None else (as_array(had) > 0).astype(np.uint8)
        out[self.others_key] = wrap_like(others, host)
        out[self.donor_lesion_key] = inserted.donor_lesion
        if self.placement_key is not None:
            out[self.placement_key] = {
                **inserted.placement.as_dict(),
                "axis": inserted.axis,
                "lesion": inserted.lesion_number,
                "lesions": inserted.lesion_count,
                "dims": inserted.dims,
            }
        return out


InsertLesionD = InsertLesionDict = InsertLesiond
