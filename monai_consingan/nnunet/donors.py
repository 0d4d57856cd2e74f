"""The lesions of a fold's training cases, as nnU-Net preprocessed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.transforms.insertion.donor_crop import crop_lesions


def fold_donors(
    dataset: Any,
    spacing: Sequence[float],
    *,
    axis: int | None = None,
    lesion_labels: Iterable[int] | None = None,
    ignore_label: int | None = None,
    min_volume: float = 10.0,
    min_cnr: float = 2.0,
) -> list[Donor]:
    """Cut the lesions of all cases of a data set, and nothing but these: no other case can give a lesion.

    Cases of which a channel is constant, as of a sequence that is missing, give none.

    Args:
        dataset: cases that nnU-Net preprocessed, with ``identifiers`` and ``load_case``, such as the first of
            ``nnUNetTrainer.get_tr_and_val_datasets()``.
        spacing: mm per spatial axis, as in nnU-Net's plans.
        axis: the spatial axis perpendicular to the slices, to work slice by slice; None for work in space.
        lesion_labels: label values that make a part of the label a lesion; None for all above 0.
        ignore_label: value of the label where nobody annotated anything.
        min_volume: volume in mm3 that a lesion has at least.
        min_cnr: how far it stands out at least, see :class:`monai_consingan.transforms.RandLesion`.

    Returns:
        Crops around the lesions, which need little memory.

    Raises:
        ConSinGANError: no case has a lesion that is large and visible enough.
    """
    found = []
    for name in dataset.identifiers:
        data, segmentation = dataset.load_case(name)[:2]
        values = np.asarray(segmentation[:1])
        label = np.where((values > 0) & (values != ignore_label), values, 0).astype(np.int16)
        wanted = label > 0 if lesion_labels is None else np.isin(label, list(lesion_labels))
        if not wanted.any():
            continue
        image = np.asarray(data[:], dtype=np.float32)
        if any((channel == channel.flat[0]).all() for channel in image):
            continue
        valid = ((values >= 0) & (values != ignore_label)).astype(np.uint8)
        for crop in crop_lesions(Donor(image, label, valid), image, axis, tuple(spacing), lesion_labels):
            if crop.volume_mm3 >= min_volume and not abs(crop.cnr) < min_cnr:
                valid = crop.valid[None].astype(np.uint8)
                found.append(Donor(crop.image, crop.label[None], valid, crop.level, crop.lesion_labels or None))
    if not found:
        raise ConSinGANError(
            f"None of the fold's {len(dataset.identifiers)} training cases has a lesion of {min_volume:g} mm3 or more "
            "that can be seen: choose the lesions' label values, or train without nnUNetTrainerLesions."
        )
    return found
