"""Pasting random lesions at random places: lesions for training other networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import TransformBackends
from nibabel.orientations import aff2axcodes

from monai_consingan.arrays import as_array, as_mask, check_shape, int_range, spacing_of, wrap_like
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donors import DonorCrop, crop_donor, read_donor, turn_donor
from monai_consingan.transforms.insertion.paste import PastedLesion, PasteLesion, move
from monai_consingan.transforms.insertion.placement import find_placement

__all__ = ["RandPasteLesion", "RandPasteLesionD", "RandPasteLesionDict", "RandPasteLesiond"]


@dataclass(frozen=True)
class _Draw:
    """What chance decided for one lesion."""

    donor: int
    flips: tuple[bool, ...]
    degrees: float
    scale: float
    seed: int


class RandPasteLesion(RandomizableTransform):
    """Paste lesions of random donors, randomly flipped, rotated and scaled, at random places of a host.

    Every lesion goes to a place found by :func:`find_placement`: inside the head or a given region, clear of the
    lesions that are there already and of those pasted before. A lesion for which there is no place is left out, with
    its reason in ``log``. Donors may have another size and spacing than the host, and as 3D MetaTensors another
    orientation; they are brought to the host's spacing together with their rotation and scale.

    Args:
        donors: pairs of image and label, or dictionaries with these keys; arrays, tensors or paths. Paths are read when
            first needed and kept as a crop around the lesion.
        prob: probability that anything is pasted.
        number: number of lesions, or a pair to draw it from (both ends included).
        flip_prob: probability of a flip, for each spatial axis by itself (not across slices, when ``axis`` is given).
        rotate_range: largest angle in degrees, to both sides, in the plane perpendicular to ``axis`` (in space: to the
            last axis).
        scale_range: smallest and largest factor of the lesion's size.
        blend, feather_mm, match, ring_mm: see :class:`PasteLesion`.
        axis: the spatial axis perpendicular to the slices, to work slice by slice; None works in space.
        edge_mm, clearance_mm: see :func:`find_placement`.
        spacing: mm per spatial axis of hosts, and of donors without an affine; None takes it from a MetaTensor's
            affine, and 1 mm for other arrays.
        loader: reads a path into an image of shape (C, \\*spatial); None stands for MONAI's LoadImage.

    Attributes:
        log: one dictionary per lesion of the last call: the donor's number, and its ``placement`` or the ``reason``
            why it was left out. MetaTensor images carry it as JSON in ``meta["pasted_lesions"]``.

    Raises:
        ConSinGANError: when there are no donors or a range is no range.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        donors: Sequence[Any],
        prob: float = 1.0,
        number: int | Sequence[int] = 1,
        flip_prob: float = 0.5,
        rotate_range: float = 30.0,
        scale_range: Sequence[float] = (0.8, 1.2),
        blend: str = "tissue",
        feather_mm: float = 2.0,
        match: str = "gain",
        ring_mm: tuple[float, float] = (2.0, 8.0),
        axis: int | None = None,
        edge_mm: float | None = None,
        clearance_mm: float = 5.0,
        spacing: Sequence[float] | float | None = None,
        loader: Callable[[Any], Any] | None = None,
    ) -> None:
        RandomizableTransform.__init__(self, prob)
        if len(donors) == 0:
            raise ConSinGANError("donors is empty; give at least one image with its label.")
        if len(scale_range) != 2 or not 0 < scale_range[0] <= scale_range[1]:
            raise ConSinGANError(f"scale_range is {scale_range}; give two rising factors above 0.")
        if not rotate_range >= 0:
            raise ConSinGANError(f"rotate_range is {rotate_range}; give an angle in degrees that is 0 or more.")
        self.donors = donors
        self.number = int_range(number, "number", 1)
        self.flip_prob = flip_prob
        self.rotate_range = rotate_range
        self.scale_range = tuple(scale_range)
        self.axis = axis
        self.edge_mm = edge_mm
        self.clearance_mm = clearance_mm
        self.spacing = spacing
        self.loader = loader
        self.paste = PasteLesion(blend, feather_mm, match, ring_mm, axis, spacing)
        self.log: list[dict[str, Any]] = []
        self._draws: list[_Draw] = []
        self._crops: dict[tuple[int, str], DonorCrop] = {}

    def randomize(self, data: Any | None = None) -> None:
        """Draw everything that chance decides."""
        super().randomize(None)
        self._draws = []
        if not self._do_transform:
            return
        for _ in range(self.R.randint(self.number[0], self.number[1] + 1)):
            self._draws.append(
                _Draw(
                    donor=int(self.R.randint(len(self.donors))),
                    flips=tuple(bool(f) for f in self.R.uniform(size=3) < self.flip_prob),
                    degrees=float(self.R.uniform(-self.rotate_range, self.rotate_range)),
                    scale=float(self.R.uniform(self.scale_range[0], self.scale_range[1])),
                    seed=int(self.R.randint(2**31 - 1)),
                )
            )

    def __call__(
        self,
        img: NdarrayOrTensor,
        label: NdarrayOrTensor | None = None,
        region: NdarrayOrTensor | None = None,
        randomize: bool = True,
    ) -> PastedLesion:
        """Paste.

        Args:
            img: host of shape (C, \\*spatial), 2D or 3D.
            label: labels of lesions it has already, (1, \\*spatial).
            region: mask that lesions have to lie in, such as a brain mask, (1, \\*spatial); None finds the head.
            randomize: draw anew; False repeats the last draw.

        Returns:
            Image, label (int16 when no label was given) and the mask of all new lesions.
        """
        if randomize:
            self.randomize()
        self.log = []
        shape = (1, *img.shape[1:])
        if region is not None:
            check_shape(as_array(region), shape, name="region", other="the host's grid")
        image = img.clone() if isinstance(img, MetaTensor) else img
        labels = wrap_like(np.zeros(shape, np.int16), img) if label is None else label
        mask = np.zeros(shape, np.uint8)
        for draw in self._draws if self._do_transform else []:
            crop = self._crop(draw, img)
            entry: dict[str, Any] = {"donor": draw.donor}
            try:
                pasted, told = self._paste_one(image, labels, region, crop, draw.seed)
                entry |= told
                image, labels = pasted.image, pasted.label
                mask |= as_array(pasted.mask)
            except ConSinGANError as error:
                entry["reason"] = str(error)
            self.log.append(entry)
        if isinstance(image, MetaTensor) and self.log:
            image.meta["pasted_lesions"] = json.dumps(self.log)
        return PastedLesion(image, labels, wrap_like(mask, img))

    def _crop(self, draw: _Draw, host: NdarrayOrTensor) -> DonorCrop:
        """The donor of a draw, turned and scaled on the host's spacing."""
        axes = "".join(str(c) for c in aff2axcodes(as_array(host.affine))) if isinstance(host, MetaTensor) else ""
        key = (draw.donor, axes)
        if key not in self._crops:
            image, label = read_donor(self.donors[draw.donor], self.loader)
            self._crops[key] = crop_donor(image, label, host, self.axis, self.spacing)
        ndim = host.ndim - 1
        flips = [flip and not (ndim == 3 and i == self.axis) for i, flip in enumerate(draw.flips[:ndim])]
        spacing = spacing_of(host, self.spacing)
        return turn_donor(
            self._crops[key], spacing, flips=flips, degrees=draw.degrees, scale=draw.scale, axis=self.axis
        )

    def _paste_one(
        self, image: Any, labels: Any, region: NdarrayOrTensor | None, crop: DonorCrop, seed: int
    ) -> tuple[PastedLesion, dict[str, Any]]:
        """Find a place for one lesion and paste it there."""
        placement = find_placement(
            as_array(image)[0],
            crop.image[0],
            crop.label,
            spacing=crop.spacing,
            rng=np.random.RandomState(seed),
            brain_mask=None if region is None else as_mask(region, name="region")[0],
            host_label=as_array(labels)[0],
            edge_mm=self.edge_mm,
            clearance_mm=self.clearance_mm,
            axis=self.axis,
            level=crop.level,
        )
        shape = tuple(image.shape[1:])
        donor = move(crop.image, placement.offset, shape=shape)
        label = move(crop.label[None], placement.offset, shape=shape)
        valid = move(crop.valid[None], placement.offset, shape=shape)
        pasted, told = self._put(image, labels, donor, label, valid)
        return pasted, {"placement": placement.as_dict(), **told}

    def _put(
        self, image: Any, labels: Any, donor: np.ndarray, label: np.ndarray, valid: np.ndarray
    ) -> tuple[PastedLesion, dict[str, Any]]:
        """Put a donor that is at its place into the host, and tell how for the log."""
        return self.paste(image, donor, label, host_label=labels, donor_valid=valid), {}


class RandPasteLesiond(RandomizableTransform, MapTransform):
    """Dictionary version of :class:`RandPasteLesion`.

    Args:
        keys: key of the host's image, which is replaced.
        donors: see :class:`RandPasteLesion`.
        label_key: key of the labels, replaced; made when missing from the data.
        mask_key: key for the mask of the new lesions.
        region_key: key of a mask that lesions have to lie in; None finds the head.
        prob: probability that anything is pasted.
        allow_missing_keys: leave data without the host as it is.
        kwargs: the other arguments of :class:`RandPasteLesion`.
    """

    backend = RandPasteLesion.backend
    _array: type[RandPasteLesion] = RandPasteLesion

    def __init__(
        self,
        keys: KeysCollection,
        donors: Sequence[Any],
        label_key: Hashable = "label",
        mask_key: Hashable = "lesion_mask",
        region_key: Hashable | None = None,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        **kwargs: Any,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        if len(self.keys) != 1:
            raise ConSinGANError(f"keys {self.keys} name {len(self.keys)} hosts; give the key of one image.")
        self.label_key = label_key
        self.mask_key = mask_key
        self.region_key = region_key
        self.paste = self._array(donors, prob=prob, **kwargs)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandPasteLesiond:
        """Set the random state, also of the array transform."""
        super().set_random_state(seed, state)
        self.paste.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and mask."""
        out = dict(data)
        for key in self.key_iterator(out):
            region = None if self.region_key is None else data[self.region_key]
            out[key], out[self.label_key], out[self.mask_key] = self.paste(data[key], data.get(self.label_key), region)
        return out


RandPasteLesionD = RandPasteLesionDict = RandPasteLesiond
