"""Donors' lesions, cut out of their scans when first needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import numpy as np
from monai.data import MetaTensor
from nibabel.orientations import aff2axcodes

from monai_consingan.arrays import spacing_of, wrap_like
from monai_consingan.transforms.insertion.donors import DonorCrop, crop_donor, turn_donor
from monai_consingan.workflows.augmentation.plan import LesionDraw
from monai_consingan.workflows.augmentation.records import ScanRecord
from monai_consingan.workflows.augmentation.survey import load_pair

__all__ = ["Donors"]

Key = tuple[str, int, tuple[str, ...], "int | None"]


class Donors:
    """The lesions of a data set as donors: a lesion and 12 mm around it, without the tissue of its scan's other ones.

    Args:
        records: the scans by name.
        lesion_labels: label values that are lesions; empty for all.
        keep: how many cut-out lesions are kept in memory.
    """

    def __init__(self, records: Mapping[str, ScanRecord], lesion_labels: Iterable[int] = (), keep: int = 32) -> None:
        self.records = records
        self.lesion_labels = tuple(lesion_labels)
        self.keep = keep
        self._crops: OrderedDict[Key, DonorCrop] = OrderedDict()

    def turned(self, draw: LesionDraw, host: MetaTensor, axis: int | None) -> DonorCrop:
        """The lesion of a draw, flipped, turned and scaled on the host's spacing.

        Args:
            draw: what chance decided.
            host: the scan that it is for, (1, \\*spatial).
            axis: the host's axis perpendicular to the slices, in which nothing is flipped, turned or scaled.

        Raises:
            ConSinGANError: the donor's files cannot be used, or do not fit the host.
        """
        crop = self._crop(draw, host, axis)
        ndim = host.ndim - 1
        flips = [flip and not (ndim == 3 and i == axis) for i, flip in enumerate(draw.flips[:ndim])]
        return turn_donor(crop, spacing_of(host), flips=flips, degrees=draw.degrees, scale=draw.scale, axis=axis)

    def _crop(self, draw: LesionDraw, host: MetaTensor, axis: int | None) -> DonorCrop:
        donor = draw.donor
        key = (donor.scan, donor.number, tuple(aff2axcodes(np.asarray(host.affine))), axis)
        if (crop := self._crops.pop(key, None)) is None:
            image, label, numbers = load_pair(self.records[donor.scan], self.lesion_labels)
            inside = numbers == donor.number
            values = np.where(inside, 0 if label is None else label.numpy()[0], 0)[None]
            free = ((numbers == 0) | inside)[None].astype(np.uint8)
            crop = crop_donor(
                image, wrap_like(values, image), host, axis, valid=wrap_like(free, image), level=donor.level
            )
        self._crops[key] = crop
        if len(self._crops) > self.keep:
            self._crops.popitem(last=False)
        return crop
