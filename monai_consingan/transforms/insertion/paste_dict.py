"""Pasting a donor's lesion into a host, from and into a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_consingan.data import as_keys, stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.paste import PasteLesion


class PasteLesiond(MapTransform):
    """Dictionary version of :class:`PasteLesion`.

    Args:
        keys: key of the host, or of several sequences of it, each an image; the result takes its place, unless
            ``output_key`` is given.
        donor_key: key of the donor's image, or of its sequences in the same order.
        donor_label_key: key of the donor's labels.
        offset: voxels per spatial axis; None leaves the lesion in place.
        offset_key: key of an offset in the data, instead of ``offset``.
        host_label_key: key of labels that the host has already; may be missing from the data.
        output_key: key of the image with the lesion, or one for each of several ``keys``.
        label_key: key of the resulting labels.
        mask_key: key of the new lesion's mask.
        allow_missing_keys: leave data without the host as it is.
        kwargs: the arguments of :class:`PasteLesion`.
    """

    backend = PasteLesion.backend

    def __init__(
        self,
        keys: KeysCollection = "image",
        donor_key: KeysCollection = "donor",
        donor_label_key: Hashable = "donor_label",
        offset: Sequence[int] | None = None,
        offset_key: Hashable | None = None,
        host_label_key: Hashable | None = "label",
        output_key: KeysCollection | None = None,
        label_key: Hashable = "label",
        mask_key: Hashable = "lesion_mask",
        allow_missing_keys: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.donor_key = as_keys(donor_key)
        self.donor_label_key = donor_label_key
        self.offset = offset
        self.offset_key = offset_key
        self.host_label_key = host_label_key
        self.output_key = self.keys if output_key is None else as_keys(output_key)
        self.label_key = label_key
        self.mask_key = mask_key
        self.paste = PasteLesion(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and mask."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if not keys:
            return out
        if len(keys) < len(self.keys):
            raise ConSinGANError(f"The data lack some of the sequences {self.keys}: give all of them, or none.")
        pasted = self.paste(
            stack_keys(data, keys),
            stack_keys(data, self.donor_key),
            data[self.donor_label_key],
            offset=self.offset if self.offset_key is None else data[self.offset_key],
            host_label=None if self.host_label_key is None else data.get(self.host_label_key),
        )
        out |= unstack_keys(pasted.image, self.output_key, [data[key] for key in keys])
        out[self.label_key], out[self.mask_key] = pasted.label, pasted.mask
        return out


PasteLesionD = PasteLesionDict = PasteLesiond
