"""Lesions removed on the fly: filled, and redrawn by models that were trained in advance."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.utils import TransformBackends
from scipy import ndimage

from monai_consingan.arrays import (
    as_array,
    check_host,
    check_labels,
    images_and_label,
    spacing_of,
    wrap_like,
)
from monai_consingan.background import find_background
from monai_consingan.data import check_keys, lead_channel, stack_keys, unstack_keys
from monai_consingan.data.contrast import RING_MM, cnr, visibility
from monai_consingan.distance import ring
from monai_consingan.errors import NoPlaceError
from monai_consingan.methods import REMOVAL_BLEND, USUAL_FILLINGS, BlendSettings
from monai_consingan.transforms.alteration import altered
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.random_dict import RandomDictTransform
from monai_consingan.transforms.redrawing import (
    HostQuestions,
    RandRedrawnLesion,
    RedrawingModels,
    host_model,
)
from monai_consingan.transforms.removal.remove import RemovedLesion, RemoveLesion
from monai_consingan.transforms.removal.symmetry import NO_SYMMETRY, SymmetryPlane


class RandLesionRemoval(RandRedrawnLesion):
    """Remove a host's lesions with a probability: fill them, and let the host's ConSinGAN redraw what was filled.

    The host's model is found by the voxels of the host and the outline of its lesions: this transform has to get what
    the models were prepared with (:func:`monai_consingan.models.prepare_bank`), or come after crops and flips of what
    :class:`monai_consingan.transforms.PrepareHostd` got. Where there is no model, the filling stays as it is, and where
    the plane of symmetry is not known, as in a crop of a host of which nothing is known, tissue is not mirrored; of
    each one warning tells. Hosts without a lesion, and those whose lesions no method can fill, are
    left alone; anything else that goes wrong is an error.

    Args:
        models: models for editing, such as ``HostModels("bank", "editing")`` of :mod:`monai_consingan.models`, or
            others with the methods of :class:`monai_consingan.transforms.RedrawingModels`; None fills only.
        prob: probability of a removal.
        lesion_labels: the label values to remove; None removes all.
        methods, symmetry, margin_mm, axis, flip_axis, spacing: see :class:`RemoveLesion`.
        redrawn: where the redrawn image is used; None is as usual for removals.
        bank: refused; ``models`` is its name now.

    Attributes:
        log: of the last call, empty without a removal: the ``method``, the methods ``tried`` before it and why they
            would not do, how many of the filled places were ``redrawn`` or only ``filled``, and ``checks``; or the
            ``reason`` why nothing was removed. ``checks`` has, of the channel in which the lesions stood out most,
            ``cnr`` and ``visibility`` of their place now (``monai_consingan.data.contrast``), ``contrast_kept``, the
            first as a share of what it was, and ``black_gained``, the share of the filled voxels that are background
            now and were tissue. None stands for what there is no tissue to measure by.

    Raises:
        ConSinGANError: an argument is out of range.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        models: RedrawingModels | None = None,
        prob: float = 1.0,
        lesion_labels: Sequence[int] | None = None,
        methods: str | Sequence[str] = USUAL_FILLINGS,
        symmetry: str | float | SymmetryPlane = "centre",
        margin_mm: float = 1.5,
        axis: int | None = None,
        flip_axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
        redrawn: BlendSettings | None = None,
        bank: Any = None,
    ) -> None:
        super().__init__(prob, "editing", models, redrawn, bank)
        self.redrawn = redrawn or REMOVAL_BLEND
        self.lesion_labels = check_labels(lesion_labels)
        self.remove = RemoveLesion(methods, symmetry, margin_mm, axis, flip_axis, spacing)
        self.log: dict[str, Any] = {}

    def __call__(  # type: ignore[override]
        self,
        img: NdarrayOrTensor,
        label: NdarrayOrTensor,
        randomize: bool = True,
        known: HostKnowledge | None = None,
    ) -> RemovedLesion:
        """Remove.

        Args:
            img: host of shape (C, \\*spatial), 2D or 3D.
            label: its lesions, (1, \\*spatial).
            randomize: draw anew; False repeats the last draw.
            known: see :class:`RemoveLesion`.

        Returns:
            Image, label, filled voxels and the method; without a removal image and label are the very ones given, and
            the method is ``"none"``.
        """
        if randomize:
            self.randomize(None)
        check_host(img, label)
        self.log = {}
        untouched = RemovedLesion(img, label, wrap_like(np.zeros((1, *img.shape[1:]), np.uint8), img), "none", ())
        if not self._do_transform:
            return untouched
        values = set(np.unique(as_array(label)).tolist()) - {0}
        present = [value for value in self.lesion_labels or values if value in values]
        if not present:
            which = "" if self.lesion_labels is None else f" of lesion_labels {list(self.lesion_labels)}"
            self.log = {"reason": f"label marks no lesion{which}"}
            return untouched
        known = self._known(known, img)
        try:
            removed = self.remove(img, label, None if self.lesion_labels is None else present, known)
        except NoPlaceError as error:
            self.log = {"reason": str(error)}
            return untouched
        self.log = {"method": removed.method, "tried": dict(removed.tried), "redrawn": 0, "filled": 0}
        if unknown := next((why for why in self.log["tried"].values() if why.startswith(NO_SYMMETRY)), None):
            self._warn(f"Tissue of the other hemisphere is not taken where {unknown}; or use PrepareHostd.", "plane")
        model = host_model(self.models, img, label, known)
        places, count = ndimage.label(as_array(removed.mask))
        image, why = removed.image, "The models have none of this host with these lesions."
        for number in range(1, count + 1):
            mask = wrap_like((places == number).astype(np.uint8), img)
            try:
                if model is not None:
                    image = model(image, mask, removed.image, self.redrawn)
                self.log["filled" if model is None else "redrawn"] += 1
            except NoPlaceError as error:
                self.log["filled"] += 1
                why = str(error)
        if self.models is not None and self.log["filled"]:
            self._warn(f"A lesion stays as it was filled, as no model redraws it: {why}", "model")
        self.log["checks"] = self._checks(img, image, label, removed)
        return removed._replace(image=image)

    def questions(self) -> HostQuestions:
        """What to know of the whole host for a crop of it, see :class:`monai_consingan.transforms.PrepareHostd`."""
        return HostQuestions(self.models, self.remove)

    def _checks(self, host: Any, image: Any, label: Any, removed: RemovedLesion) -> dict[str, float | None]:
        """What shows whether the lesions are gone, see ``log``."""
        before, after, filled = as_array(host), as_array(image), as_array(removed.mask)[0] > 0
        gone = (as_array(label) > 0) & (as_array(removed.label) <= 0)
        lead = lead_channel(host, gone)
        background = find_background(before[lead])
        around = ring(gone[0], spacing_of(host, self.remove.spacing), RING_MM, self.remove.axis) & ~filled
        around &= (as_array(label)[0] <= 0) & ~background.mask(before[lead])
        was, now = (cnr(part[lead][gone[0]], part[lead][around]) for part in (before, after))
        black = background.mask(after[lead])[filled] & ~background.mask(before[lead])[filled]
        found = {
            "cnr": now,
            "visibility": visibility(after[lead][gone[0]], after[lead][around]),
            "contrast_kept": now / was if was else math.nan,
            "black_gained": float(black.mean()),
        }
        return {name: round(value, 4) if math.isfinite(value) else None for name, value in found.items()}


class RandLesionRemovald(RandomDictTransform):
    """Dictionary version of :class:`RandLesionRemoval`.

    Args:
        keys: key of the host's image, or of its sequences, and then that of its labels, if that is not ``"label"``; all
            are replaced.
        models: see :class:`RandLesionRemoval`.
        mask_key: key for the filled voxels, to which those of a mask are added that the data have there already; None
            leaves them out.
        prob: probability of a removal.
        allow_missing_keys: leave data without the host as it is.
        label_key: key of the labels, if it is not among ``keys``.
        known_key: see :class:`RemoveLesiond`.
        kwargs: the other arguments of :class:`RandLesionRemoval`.

    Example::

        models = HostModels("bank", "editing")
        prepare_bank(Dataset(cases, load), models, "editing")
        transform = Compose([load, RandLesionRemovald(["image", "label"], models=models, prob=0.5)])
    """

    backend = RandLesionRemoval.backend

    def __init__(
        self,
        keys: KeysCollection,
        models: RedrawingModels | None = None,
        mask_key: Hashable | None = "removed_mask",
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        label_key: Hashable | None = None,
        known_key: Hashable | None = "host_known",
        **kwargs: Any,
    ) -> None:
        images, self.label_key = images_and_label(keys, label_key)
        check_keys(keys=images, label_key=self.label_key, mask_key=mask_key, known_key=known_key)
        self.remove = RandLesionRemoval(models, prob, **kwargs)
        super().__init__(self.remove, self.remove.prob, images, allow_missing_keys)
        self.mask_key = mask_key
        self.known_key = known_key

    def questions(self) -> HostQuestions:
        """What to know of the whole host for a crop of it, see :class:`monai_consingan.transforms.PrepareHostd`."""
        return self.remove.questions()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with image, label and mask."""
        out = dict(data)
        keys = tuple(self.key_iterator(out))
        if keys:
            known = None if self.known_key is None else data.get(self.known_key)
            removed = self.remove(stack_keys(data, keys), data[self.label_key], known=known)
            if removed.method != "none":
                out |= unstack_keys(removed.image, keys, [data[key] for key in keys])
                out[self.label_key] = removed.label
            if self.mask_key is not None:
                check_host(data[keys[0]], mask=data.get(self.mask_key))
                out[self.mask_key] = altered(removed.mask, weight=data.get(self.mask_key))
        return out


RandLesionRemovalD = RandLesionRemovalDict = RandLesionRemovald
