"""Inserting lesions from and into dictionaries."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

from monai_consingan.arrays import as_array, given, images_and_label, wrap_like
from monai_consingan.data import as_keys, check_keys, stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.insert import InsertLesion
from monai_consingan.transforms.insertion.paste import PasteLesion
from monai_consingan.transforms.insertion.rand_lesion import RandLesion, record_lesions
from monai_consingan.transforms.random_dict import RandomDictTransform
from monai_consingan.transforms.redrawing import HostQuestions, RedrawingModels

_ADDED = ("label", "lesion", "others", "donor_lesion", "head", "before", "lead", "placement")


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
        check_keys(image_key=image_key, naive_key=naive_key, training_key=training_key, added=_ADDED)
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
        check_keys(output_key=self.output_key, label_key=label_key, mask_key=mask_key)
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


class RandLesiond(RandomDictTransform):
    """Dictionary version of :class:`RandLesion`.

    Args:
        keys: key of the host's image, or of several sequences of it, each an image, and then that of its labels, if
            that is not ``"label"``; all are replaced, and labels are made where the data have none.
        donors, models: see :class:`RandLesion`.
        mask_key: key for the mask of the new lesions, to which those of a mask are added that the data have there
            already; None leaves it out.
        region_key: key of a mask that lesions have to lie in; None finds the head.
        prob: probability that anything is put in.
        allow_missing_keys: leave data without the host as it is.
        label_key: key of the labels, if it is not among ``keys``.
        known_key: key of what is known of the host (:class:`PrepareHostd`), which is taken out, as it cannot be put
            into a batch; may be missing from the data.
        kwargs: the other arguments of :class:`RandLesion`.

    Raises:
        ConSinGANError: as :class:`RandLesion`.

    Example::

        models = HostModels("bank", "harmonization")
        prepare_bank(Dataset(cases, load), models)
        transform = Compose([load, RandLesiond(["image", "label"], donors=cases, models=models, prob=0.5)])
    """

    backend = RandLesion.backend

    def __init__(
        self,
        keys: KeysCollection,
        donors: Sequence[Any],
        models: RedrawingModels | None = None,
        mask_key: Hashable | None = "lesion_mask",
        region_key: Hashable | None = None,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        label_key: Hashable | None = None,
        known_key: Hashable = "host_known",
        **kwargs: Any,
    ) -> None:
        images, self.label_key = images_and_label(keys, label_key)
        check_keys(keys=images, label_key=self.label_key, mask_key=mask_key, region_key=region_key, known_key=known_key)
        self.paste = RandLesion(donors, models, prob, **kwargs)
        super().__init__(self.paste, self.paste.prob, images, allow_missing_keys)
        self.mask_key = mask_key
        self.region_key = region_key
        self.known_key = known_key

    def questions(self) -> HostQuestions:
        """What to know of the whole host for a crop of it, see :class:`PrepareHostd`."""
        return self.paste.questions()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and mask."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if keys:
            region = None if self.region_key is None else data[self.region_key]
            host, known = stack_keys(data, keys), out.pop(self.known_key, None)
            before = None if self.mask_key is None else data.get(self.mask_key)
            own = len(keys) > 1  # which were copied into one
            pasted = self.paste(host, data.get(self.label_key), region, known=known, mask=before, own=own)
            out |= unstack_keys(pasted.image, keys, [data[key] for key in keys])
            if len(keys) > 1:  # which have the metadata of their hosts
                record_lesions(self.paste.log, [out[key] for key in keys])
            out[self.label_key] = pasted.label
            if self.mask_key is not None:
                out[self.mask_key] = pasted.mask
        return out


RandLesionD = RandLesionDict = RandLesiond

RandPasteLesionD = RandPasteLesionDict = RandPasteLesiond = RandLesiond
