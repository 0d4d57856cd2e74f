"""Donors for a training of nnU-Net: the lesions of a fold's training cases, or those of a bank."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import sequence_names
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions
from monai_consingan.transforms.insertion.donors import load_bank

_LEAST_MM3, _LEAST_CNR = 10.0, 2.0  # of a lesion, as RandLesion has them by default


def has_constant_channel(image: Any) -> bool:
    """Whether a channel of an array or a tensor (C, \\*spatial) is constant, as of a sequence that is missing."""
    return any(bool((channel == channel.reshape(-1)[0]).all()) for channel in image)


def fold_donors(
    dataset: Any,
    spacing: Sequence[float],
    *,
    axis: int | None = None,
    lesion_labels: Iterable[int] | None = None,
    ignore_label: int | None = None,
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
        if has_constant_channel(image):
            continue
        valid = ((values >= 0) & (values != ignore_label)).astype(np.uint8)
        for crop in crop_lesions(Donor(image, label, valid), image, axis, tuple(spacing), lesion_labels):
            if crop.volume_mm3 >= _LEAST_MM3 and not abs(crop.cnr) < _LEAST_CNR:
                valid = crop.valid[None].astype(np.uint8)
                found.append(
                    Donor(crop.image, crop.label[None], valid, crop.level, crop.lesion_labels or None, crop.lead)
                )
    if not found:
        raise ConSinGANError(
            f"None of the fold's {len(dataset.identifiers)} training cases has a lesion of {_LEAST_MM3:g} mm3 or more "
            "that can be seen: choose the lesions' label values, or train without nnUNetTrainerLesions."
        )
    return found


def bank_donors(
    folder: str | Path, held_out: Collection[str], axes: Sequence[int], channels: Sequence[str]
) -> list[Donor]:
    """The lesions of one bank, their axes and channels in nnU-Net's order.

    Args:
        folder: the bank, as ``monai-consingan lesions`` writes it. Its intensities are those of scans.
        held_out: names of the validation cases; lesions made of scans of these names are left out.
        axes: for every axis of nnU-Net's arrays, which of the files' it is.
        channels: names of the data set's channels. Where the bank has the same ones, they are put into this order.

    Raises:
        ConSinGANError: there is no bank, it is damaged, of another number of channels or, as far as names tell, in
            another order, or no lesion is left.
    """
    found = []
    for donor in load_bank(folder, without=held_out):
        image, names = donor.image, [name.casefold() for name in sequence_names(donor.image)]
        if len(names) != len(channels):
            raise ConSinGANError(
                f"bank {folder} has the sequences {', '.join(names)}, but the data set the channels "
                f"{', '.join(channels)}: give a bank of as many."
            )
        wanted = [name.casefold() for name in channels]
        known = set(names) & set(wanted)
        if sorted(names) != sorted(wanted) and any(names.index(name) != wanted.index(name) for name in known):
            raise ConSinGANError(
                f"bank {folder} has the sequences {', '.join(names)}, but the data set the channels "
                f"{', '.join(channels)}, in another order: make the bank with the data set's names, or in its order."
            )
        order = [names.index(name) for name in wanted] if sorted(names) == sorted(wanted) else list(range(len(names)))
        spacing = [spacing_of(image)[axis] for axis in axes]
        turned = [np.transpose(as_array(part), [0, *(1 + axis for axis in axes)]) for part in donor[:3]]
        values = torch.from_numpy(np.ascontiguousarray(turned[0][order], np.float32))
        affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
        lead = None if donor.lead is None else order.index(chosen_channel(names, donor.lead, f"bank {folder}"))
        image = MetaTensor(values, affine=affine)
        found.append(donor._replace(image=image, label=turned[1], valid=turned[2], lead=lead))
    return found
