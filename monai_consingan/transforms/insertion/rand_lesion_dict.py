"""Random lesions at random places of the images of a dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection, NdarrayOrTensor

from monai_consingan.arrays import images_and_label
from monai_consingan.data import stack_keys, unstack_keys
from monai_consingan.transforms.insertion.rand_lesion import RandLesion, record_lesions
from monai_consingan.transforms.random_dict import RandomDictTransform
from monai_consingan.transforms.redrawing import RedrawingModels


class RandLesiond(RandomDictTransform):
    """Dictionary version of :class:`RandLesion`.

    Args:
        keys: key of the host's image, or of several sequences of it, each an image, and then that of its labels, if
            that is not ``"label"``; all are replaced, and labels are made where the data have none.
        donors, models: see :class:`RandLesion`.
        mask_key: key for the mask of the new lesions.
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
        mask_key: Hashable = "lesion_mask",
        region_key: Hashable | None = None,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        label_key: Hashable | None = None,
        known_key: Hashable = "host_known",
        **kwargs: Any,
    ) -> None:
        images, self.label_key = images_and_label(keys, label_key)
        self.paste = RandLesion(donors, models, prob, **kwargs)
        super().__init__(self.paste, self.paste.prob, images, allow_missing_keys)
        self.mask_key = mask_key
        self.region_key = region_key
        self.known_key = known_key

    def of_host(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None) -> dict[Hashable, Any]:
        """What to know of the whole host for a crop of it, see :class:`PrepareHostd`."""
        return self.paste.of_host(host, label)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and mask."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if keys:
            region = None if self.region_key is None else data[self.region_key]
            host, known = stack_keys(data, keys), out.pop(self.known_key, None)
            pasted = self.paste(host, data.get(self.label_key), region, known=known)
            out |= unstack_keys(pasted.image, keys, [data[key] for key in keys])
            if self.paste.log:
                record_lesions(self.paste.log, [out[key] for key in keys])
            out[self.label_key], out[self.mask_key] = pasted.label, pasted.mask
        return out


RandLesionD = RandLesionDict = RandLesiond

RandPasteLesionD = RandPasteLesionDict = RandPasteLesiond = RandLesiond
