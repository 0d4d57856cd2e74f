"""What the dictionary versions of random transforms have in common."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from monai_consingan.arrays import check_number, check_same_grid


class RandomDictTransform(RandomizableTransform, MapTransform):
    """Dictionary version of a random transform: whoever sets its random state sets that of both.

    Args:
        transform: the array version.
        prob: probability that anything is done.
        keys: keys of images.
        allow_missing_keys: whether a missing key is passed over.
    """

    def __init__(
        self, transform: RandomizableTransform, prob: float, keys: KeysCollection, allow_missing_keys: bool
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.transform: Any = transform

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandomDictTransform:
        """Set the random state, also of the array transform."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self


class AlikeTransform(RandomDictTransform):
    """Dictionary version of a random transform that changes the images of all keys alike, by one draw for the first.

    Arguments are those of the base; more are those of the array version.
    """

    array_version: ClassVar[type[RandomizableTransform]]
    """The array version."""

    def __init__(
        self, keys: KeysCollection, prob: float = 1.0, allow_missing_keys: bool = False, **kwargs: Any
    ) -> None:
        transform: Any = self.array_version
        super().__init__(transform(**kwargs), check_number(prob, "prob", 0, 1), keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the images under the keys changed alike.

        Raises:
            ConSinGANError: the images differ in their spatial shape.
        """
        result = dict(data)
        self.randomize(None)
        present = list(self.key_iterator(result))
        if self._do_transform and present:
            check_same_grid(result, present)
            self.transform.randomize(result[present[0]])
            for key in present:
                result[key] = self.transform(result[key], randomize=False)
        return result
