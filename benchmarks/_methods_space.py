"""Ways to put tissue of a donor into a host in space, without a network or with one of the host's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _kept import kept
from _null_pastes_space import SIDE, SpacePaste, crop_of
from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.data import IntensityScale
from monai_consingan.inferers import ConSinGANRegionInferer
from monai_consingan.methods import INSERTION_METHODS, BlendSettings
from monai_consingan.models import ModelBank, TrainedModel
from monai_consingan.models.model import ModelRequest
from monai_consingan.models.redraw import Redrawing, Redrawn
from monai_consingan.settings import preset_settings
from monai_consingan.transforms import BlendBack, LesionAlteration, PasteLesion

_BOX = 48
"""Voxels of a side of the box that a network in space is trained on."""
_SLICES = slice(_BOX // 6, SIDE, _BOX // 6)
"""Those of a host's crop that a network of slices is trained on."""
_WIDE = 128
"""Voxels of a side of the crop that holds all that a network of the very place sees and redraws."""
_MIDDLE = (slice(None), *[slice((_WIDE - SIDE) // 2, (_WIDE + SIDE) // 2)] * 3)
"""Where a case's own crop lies in that."""


@dataclass(frozen=True)
class SpaceMethod:
    """A way to put tissue into a host.

    Args:
        paste: options of :class:`monai_consingan.transforms.PasteLesion`.
        redrawn: where what a network redraws is used; None for no network.
        dims: spatial dims of the network.
        there: whether the network is one of the very place, as ``harmonize`` trains it, instead of one of the host.
        network: another method whose network of the very place is used, as far as its box reaches.
        like: another method: the change is made weaker until as much is left of the paste; None to leave it.
    """

    paste: Mapping[str, Any]
    redrawn: BlendSettings | None = None
    dims: int = 3
    there: bool = False
    network: str | None = None
    like: str | None = None


METHODS: dict[str, SpaceMethod] = {
    "gain matched": SpaceMethod({"match": "gain"}),
    "poisson": SpaceMethod({"blend": "poisson"}),
    "poisson, as much as tissue": SpaceMethod({"blend": "poisson"}, like="tissue"),
    "gain matched + poisson": SpaceMethod({"blend": "poisson", "match": "gain"}),
    "tissue by slices": SpaceMethod({"blend": "tissue", "match": "gain", "axis": 2}),
    "tissue": SpaceMethod({"blend": "tissue", "match": "gain"}),
    "tissue-consingan": SpaceMethod(
        {"blend": "tissue", "match": "gain"}, INSERTION_METHODS["tissue-consingan"].redrawn
    ),
    "tissue-consingan at the place": SpaceMethod(
        {"blend": "tissue", "match": "gain"}, INSERTION_METHODS["tissue-consingan"].redrawn, there=True
    ),
    "tissue-consingan by slices": SpaceMethod(
        {"blend": "tissue", "match": "gain"}, INSERTION_METHODS["tissue-consingan"].redrawn, dims=2
    ),
    "consingan at the place": SpaceMethod({"match": "scale"}, INSERTION_METHODS["consingan"].redrawn, there=True),
    "consingan in the box": SpaceMethod(
        {"match": "scale"},
        INSERTION_METHODS["consingan"].redrawn,
        there=True,
        network="tissue-consingan at the place",
    ),
    "consingan by slices": SpaceMethod({"match": "scale"}, INSERTION_METHODS["consingan"].redrawn, dims=2),
}
"""Methods by name; the last three are the published one."""
NETWORK_FREE = tuple(name for name, method in METHODS.items() if method.redrawn is None)
"""Those that train nothing."""


@dataclass(frozen=True)
class SpaceModels:
    """Networks of hosts and of places, trained when first asked for and kept in a bank.

    Args:
        folder: the bank's.
        seed: seed of the trainings.
        cases: all pastes: the first of a host, or of a place, is the one that its network is trained for.
    """

    folder: Path
    seed: int = 0
    cases: Sequence[SpacePaste] = ()

    def first(self, case: SpacePaste, there: bool) -> SpacePaste:
        """The first paste into the same host, or at the very place."""
        same = (one for one in self.cases if one.pair[0] == case.pair[0])
        return next(one for one in same if not there or np.array_equal(one.place, case.place))

    def get(self, case: SpacePaste, dims: int) -> TrainedModel:
        """The network of a host: of the box in the middle of a crop, or of slices all over it (preset ``quick``)."""
        crop = torch.as_tensor(self.first(case, there=False).host, dtype=torch.float32)
        start = (SIDE - _BOX) // 2
        box = slice(start, start + _BOX)
        images = crop[:, box, box, box][None] if dims == 3 else crop[..., _SLICES].permute(3, 0, 1, 2)
        scaled = IntensityScale.fit(images).apply(images)
        settings = preset_settings("quick", "harmonization", spatial_dims=dims)
        return ModelBank(self.folder).model_for(scaled.contiguous(), settings, seed=self.seed)

    def redrawn_there(self, case: SpacePaste, method: SpaceMethod, where: BlendSettings) -> np.ndarray:
        """A paste redrawn by the network of its very place, as ``harmonize --dims 3`` does, where a method uses it."""
        first, parts = self.first(case, there=True), _in_wide(case, method.paste)
        if method.network is not None:
            other = METHODS[method.network]
            made = self._trained(_in_wide(first, other.paste), other.redrawn or where)
            inferer = ConSinGANRegionInferer("harmonization", None, level_mm=where.level_mm, dims=3)
            full = inferer.redraw(parts[0], made.model.generator, made.region, made.scale)
            alter = LesionAlteration(where.mode, where.dilation_mm, where.softness_mm, dims=3)
            image = BlendBack()(parts[0], full, alter(parts[1], parts[0], parts[2]).weight)
        elif first is case:
            image = self._trained(parts, where).image
        else:
            model = self._trained(_in_wide(first, method.paste), where).model
            image = Redrawing(model.settings, where, model)(*parts, axis=2).image
        return np.ascontiguousarray(as_array(image)[_MIDDLE])

    def _trained(self, parts: tuple[MetaTensor, ...], where: BlendSettings) -> Redrawn:
        """What ``harmonize --dims 3`` makes of a paste by a network of its own."""
        redrawing = Redrawing.chosen("harmonization", where, ModelRequest(bank=self.folder), 3, seed=self.seed)
        return redrawing(*parts, axis=2)


def result_of(name: str, case: SpacePaste, folder: Path, models: SpaceModels) -> np.ndarray:
    """What a method makes of a case, from the folder if it is there."""
    method = METHODS[name]

    def made() -> np.ndarray:
        """The image with the paste."""
        if method.redrawn is not None and method.there:
            return models.redrawn_there(case, method, method.redrawn)
        pasted = _pasted(case, method.paste)
        if method.like is not None:
            shares = (share_left(result_of(method.like, case, folder, models), case), share_left(pasted, case))
            return _weaker(as_array(pasted), case.host, *shares)
        if method.redrawn is None:
            return as_array(pasted)
        model = models.get(case, method.dims)
        mask, host = _as_scan(np.uint8(case.mask)[None]), _as_scan(case.host)
        return as_array(Redrawing(model.settings, method.redrawn, model)(pasted, mask, host, axis=2).image)

    what: Any = method.paste
    of = [case.host, case.tissue, case.mask]
    if method.like is not None:
        what = method.paste, METHODS[method.like].paste
    elif method.redrawn is not None:
        what = method, models.seed
        first = models.first(case, method.there)
        of += [crop_of(first.scan, first.place, _WIDE), first.tissue, first.mask]
    return kept(folder, what, of, made)


def _in_wide(case: SpacePaste, paste: Mapping[str, Any]) -> tuple[MetaTensor, ...]:
    """A paste, its mask and the host, farther around than the case's crop."""
    host = crop_of(case.scan, case.place, _WIDE)
    naive, mask = host.copy(), np.zeros((1, *host.shape[1:]), np.uint8)
    naive[_MIDDLE], mask[_MIDDLE] = as_array(_pasted(case, paste)), case.mask
    return _as_scan(naive), _as_scan(mask), _as_scan(host)


def _pasted(case: SpacePaste, paste: Mapping[str, Any]) -> MetaTensor:
    """A case before any network."""
    parts = map(_as_scan, (case.host, case.tissue, np.uint8(case.mask)[None]))
    image: MetaTensor = PasteLesion(**paste)(*parts).image
    return image


def _as_scan(array: np.ndarray) -> MetaTensor:
    """An array in voxels of 1 mm."""
    return MetaTensor(array, affine=torch.eye(4))


def share_left(image: Any, case: SpacePaste) -> np.ndarray:
    """What is left within the mask of what the gain-matched tissue differs from the host by, (C,): 1 is all, 0 none."""
    whole = PasteLesion(match="gain")(case.host, case.tissue, case.mask[None]).image
    change, most = ((as_array(part) - case.host)[:, case.mask].astype(np.float64) for part in (image, whole))
    return np.asarray((change * most).sum(axis=1) / np.maximum((most**2).sum(axis=1), 1e-9))


def _weaker(image: np.ndarray, host: np.ndarray, wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The change to a host made weaker, channel by channel, so that as much is left as is wanted."""
    share = np.clip(wanted / np.where(np.abs(found) > 1e-3, found, 1.0), 0.0, 1.0)
    return np.asarray(host + share.reshape(-1, 1, 1, 1) * (image - host), np.float32)
