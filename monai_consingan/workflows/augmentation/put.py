"""Putting one lesion into one scan: a place, a paste, what a model makes of it, and the checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import DEFAULT_INSERTION, BlendSettings, insertion_method
from monai_consingan.models.hosts import HostModels
from monai_consingan.models.model import TrainedModel
from monai_consingan.transforms import PastedLesion, PasteLesion
from monai_consingan.transforms.insertion.donors import DonorCrop
from monai_consingan.transforms.insertion.paste import move
from monai_consingan.transforms.insertion.placement import Placement, find_placement
from monai_consingan.transforms.insertion.search import Room
from monai_consingan.workflows.augmentation.checks import Limits, Refusal, check_lesion

__all__ = ["HostScan", "PutLesion", "Redrawer", "put_lesion"]


@dataclass(frozen=True)
class Redrawer:
    """The model of a host, and how it is used.

    Args:
        models: what redraws with a model.
        model: the model.
        key: its name in the bank, or the hash of its file.
        blend: where the redrawn image is used.
    """

    models: HostModels
    model: TrainedModel
    key: str
    blend: BlendSettings


@dataclass
class HostScan:
    """A host while lesions are put in.

    Args:
        image: the scan so far, (1, \\*spatial).
        label: its label so far, whole numbers (1, \\*spatial).
        instances: numbers of its lesions so far, whole numbers (\\*spatial).
        room: its head, and where in it there may be lesions.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        prior: chances of places, (\\*spatial); ``None`` for those alike.
        redrawer: its model, if there is one.
        no_model: why there is none, if there should be one.
    """

    image: MetaTensor
    label: Any
    instances: np.ndarray
    room: Room
    axis: int | None
    prior: np.ndarray | None = None
    redrawer: Redrawer | None = None
    no_model: str = ""


@dataclass(frozen=True)
class PutLesion:
    """A lesion that was put in.

    Args:
        pasted: image, label and mask.
        placement: where it is.
        how: the method.
        measures: ``seam`` and ``contrast_kept``.
        refusals: methods that were tried before.
    """

    pasted: PastedLesion
    placement: Placement
    how: str
    measures: dict[str, float]
    refusals: list[Refusal] = field(default_factory=list)


def put_lesion(
    host: HostScan, crop: DonorCrop, seed: int, settings: AugmentSettings, limits: Limits, donor_contrast: float
) -> tuple[PutLesion | None, list[Refusal]]:
    """Put a lesion into a host, by the method that is asked for or by the one to fall back to.

    Args:
        host: the host, which is not changed.
        crop: the lesion on the host's spacing.
        seed: seed of its place.
        settings: what the user asks for.
        limits: what its measures may be.
        donor_contrast: contrast of the lesion in its donor.

    Returns:
        The lesion, or ``None`` if it found no place or failed the checks by every method, and all that was refused.
    """
    try:
        placement = find_placement(
            as_array(host.image)[0],
            crop.image[0],
            crop.label,
            spacing=crop.spacing,
            rng=np.random.RandomState(seed),
            host_label=host.instances,
            edge_mm=settings.edge_mm,
            clearance_mm=settings.clearance_mm,
            axis=host.axis,
            level=crop.level,
            prior=host.prior,
            room=host.room,
        )
    except ConSinGANError as error:
        return None, [Refusal("no place", str(error))]
    methods = dict.fromkeys((settings.method or DEFAULT_INSERTION, settings.on_failure))
    methods.pop("drop", None)
    refusals: list[Refusal] = []
    for how in methods:
        try:
            pasted = _put(host, crop, placement, settings, how)
            measures = check_lesion(
                pasted.image,
                as_array(pasted.mask) > 0,
                head=host.room.mask,
                others=host.instances[None] > 0,
                donor_contrast=donor_contrast,
                limits=limits,
                axis=host.axis,
                how=how,
            )
        except Refusal as refusal:
            refusals.append(refusal)
        else:
            return PutLesion(pasted, placement, how, measures, refusals), refusals
    return None, refusals


def _put(host: HostScan, crop: DonorCrop, placement: Placement, settings: AugmentSettings, how: str) -> PastedLesion:
    method = insertion_method(how)
    if method.redrawn is not None and host.redrawer is None:
        raise Refusal("no model", host.no_model, how)
    shape = tuple(host.image.shape[1:])
    donor, label, valid = (
        move(part, placement.offset, shape=shape) for part in (crop.image, crop.label[None], crop.valid[None])
    )
    paste = PasteLesion(
        method.paste_blend, match=settings.match or method.match, axis=host.axis, spacing=spacing_of(host.image)
    )
    try:
        pasted = paste(host.image, donor, label, host_label=host.label, donor_valid=valid)
        if method.redrawn is None or host.redrawer is None:
            return pasted
        by = host.redrawer
        redrawn = by.models.redraw(pasted.image, pasted.mask, host.image, by.model, by.blend)
    except ConSinGANError as error:
        raise Refusal("does not fit", str(error), how) from error
    return pasted._replace(image=redrawn)
