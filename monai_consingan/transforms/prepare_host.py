"""What is known of a host as a part of a cached data set's item."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from monai_consingan.data import stack_keys
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.redrawing import HostQuestions


class AsksOfHost(Protocol):
    """A transform that works on a crop with what it has asked about the whole host."""

    def questions(self) -> HostQuestions:
        """What it asks, apart from all else that it is."""


class PrepareHostd(MapTransform):
    """Work out once what lesions need to know of their host (:class:`HostKnowledge`).

    It belongs into the part of a pipeline that a cached data set keeps, after all that changes intensities or the grid.
    Crops, flips and swaps of axes may follow: :class:`RandLesiond` and :class:`RandLesionRemovald` then take from the
    whole host what they need to know of the part. What depends on how they work they are asked for, if they are named
    here: the host's model, and its plane of symmetry.

    Args:
        keys: key of the host's image, or of several sequences of it, each an image.
        region_key: key of a mask that lesions have to lie in, such as a brain mask; None finds the head.
        known_key: key that the knowledge is put under.
        spacing: mm per spatial axis; None takes it from a MetaTensor's affine, and 1 mm for other arrays.
        lead: number of the channel that the head is found in.
        allow_missing_keys: leave data without the host as it is.
        uses: transforms that follow, such as :class:`RandLesiond` with models, :class:`RandLesionRemovald` and
            :class:`RemoveLesiond`.
        label_key: key of the host's lesions, for ``uses``; may be missing from the data.

    Raises:
        ConSinGANError: two of ``uses`` have different models for one task.

    Example::

        lesion = RandLesiond(["image", "label"], donors=cases, models=models)
        transform = Compose([load, PrepareHostd("image", uses=[lesion]),
                             RandSpatialCropd(["image", "label"], (128, 128, 128)), lesion])
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
        uses: Sequence[AsksOfHost] = (),
        label_key: Hashable = "label",
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.region_key = region_key
        self.known_key = known_key
        self.spacing = spacing
        self.lead = lead
        self.uses = tuple(one.questions() for one in uses)
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with what is known of the host."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if keys:
            region = None if self.region_key is None else data[self.region_key]
            host = stack_keys(data, keys)
            known = HostKnowledge.of(host, region, self.spacing, self.lead)
            out[self.known_key] = replace(known, facts=self._facts(host, data.get(self.label_key)))
        return out

    def _facts(self, host: Any, label: Any) -> dict[Hashable, Any]:
        """What the transforms that follow have asked."""
        facts: dict[Hashable, Any] = {}
        for questions in self.uses:
            for fact, value in questions.of_host(host, label).items():
                if facts.setdefault(fact, value) != value:
                    raise ConSinGANError(
                        f"Two of the transforms in uses have different answers to {fact}: prepare the host for each "
                        "of them by itself, with a known_key of its own."
                    )
        return facts


PrepareHostD = PrepareHostDict = PrepareHostd
