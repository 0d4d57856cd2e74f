"""What is known of a host as a part of a cached data set's item."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from monai_consingan.data import stack_keys
from monai_consingan.transforms.host_knowledge import HostKnowledge


class PrepareHostd(MapTransform):
    """Work out once what lesions need to know of their host (:class:`HostKnowledge`).

    It belongs into the part of a pipeline that a cached data set keeps, after all that changes intensities or the grid.
    Crops, flips and swaps of axes may follow: :class:`RandLesiond` then takes from the whole host what it needs to know
    of the part.

    Args:
        keys: key of the host's image, or of several sequences of it, each an image.
        region_key: key of a mask that lesions have to lie in, such as a brain mask; None finds the head.
        known_key: key that the knowledge is put under.
        spacing: mm per spatial axis; None takes it from a MetaTensor's affine, and 1 mm for other arrays.
        lead: number of the channel that the head is found in.
        allow_missing_keys: leave data without the host as it is.

    Example::

        transform = Compose([load, PrepareHostd("image"), RandSpatialCropd(["image", "label"], (128, 128, 128)),
                             RandLesiond(["image", "label"], donors=cases)])
        data = CacheDataset(cases, transform)
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection,
        region_key: Hashable | None = None,
        known_key: Hashable = "host_known",
        spacing: Sequence[float] | float | None = None,
        lead: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.region_key = region_key
        self.known_key = known_key
        self.spacing = spacing
        self.lead = lead

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with what is known of the host."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if keys:
            region = None if self.region_key is None else data[self.region_key]
            out[self.known_key] = HostKnowledge.of(stack_keys(data, keys), region, self.spacing, self.lead)
        return out


PrepareHostD = PrepareHostDict = PrepareHostd
