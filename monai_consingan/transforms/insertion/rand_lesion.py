"""Random lesions at random places: pasted, and redrawn where there are models; for training other networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.utils import TransformBackends

from monai_consingan.arrays import (
    as_array,
    as_mask,
    check_host,
    check_labels,
    check_number,
    check_range,
    check_spacing,
    in_order,
    int_range,
    is_in_order,
    wrap_like,
)
from monai_consingan.data import sequence_names
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import DEFAULT_INSERTION, DEFAULT_REDRAWN_INSERTION, BlendSettings, insertion_method
from monai_consingan.transforms.host_knowledge import HostKnowledge, known_host
from monai_consingan.transforms.insertion.donor import DonorCrop, check_entry, read_one
from monai_consingan.transforms.insertion.donors import Donors, LesionDraw, NoLesionError
from monai_consingan.transforms.insertion.effects import check_mass_effect
from monai_consingan.transforms.insertion.host_canvas import HostCanvas
from monai_consingan.transforms.insertion.pasting import PastedLesion, Pasting
from monai_consingan.transforms.redrawing import (
    HostQuestions,
    RandRedrawnLesion,
    RedrawingModels,
    host_model,
)

_LOG = "pasted_lesions"


class RandLesion(RandRedrawnLesion):
    """Put lesions of random donors, randomly flipped, rotated and scaled, at random places of a host.

    Every lesion goes to a place found by :func:`find_placement`: inside the head or a given region, clear of the
    lesions that are there already and of those put in before. A lesion for which there is no place is left out, with
    its reason in ``log``. Donors may have another size and spacing than the host, and as 3D MetaTensors another
    orientation; they are brought to the host's spacing together with their rotation and scale. Anything else that goes
    wrong is an error.

    Without ``models`` lesions are pasted. With them, the host's model then redraws every lesion. It is found by the
    host's voxels: this transform has to get what the models were prepared with, so it is the first of a pipeline's
    random transforms, or comes after crops and flips of what :class:`PrepareHostd` got. A lesion whose host has no
    model, or that the model cannot redraw, is pasted by ``fallback`` instead, of which one warning tells. What is not
    within the reach of a lesion's blended or redrawn border keeps its bits.

    Args:
        donors: pairs of image and label, or dictionaries with these keys; arrays, tensors or paths. Paths are read when
            first needed and kept as a crop around the lesion.
        models: models for harmonization, such as ``HostModels("bank", "harmonization")`` of
            :mod:`monai_consingan.models`, or others with the methods of
            :class:`monai_consingan.transforms.RedrawingModels`; None pastes only.
        prob: probability that anything is put in.
        number: number of lesions, or a pair to draw it from (both ends included). Every part of a donor's label whose
            voxels touch is a lesion (:func:`monai_consingan.data.number_lesions`): a donor is drawn, and one of its.
        method: how lesions are pasted and redrawn, a key of
            :data:`monai_consingan.workflows.INSERTION_METHODS`; None is ``"tissue-consingan"`` with models and
            ``"tissue"`` without.
        fallback: a method without a model. None leaves a lesion out that the model cannot redraw, and refuses hosts
            without a model.
        redrawn: where the redrawn image is used, if not as is usual for the method.
        flip_prob: probability of a flip, for each spatial axis by itself (not across slices, when ``axis`` is given).
        rotate_range: largest angle in degrees, to both sides, in the plane perpendicular to ``axis`` (in space: to the
            last axis).
        scale_range: smallest and largest factor of the lesion's size.
        blend, match: see :class:`PasteLesion`; None is as usual for the method. ``match`` holds for ``fallback`` too.
        feather_mm, ring_mm: see :class:`PasteLesion`.
        axis: the spatial axis perpendicular to the slices, to work slice by slice; None works in space.
        edge_mm, clearance_mm: see :func:`find_placement`.
        spacing: mm per spatial axis of hosts, and of donors without an affine; None takes it from a MetaTensor's
            affine, and 1 mm for other arrays.
        loader: reads a path into an image of shape (C, \\*spatial); None stands for MONAI's LoadImage.
        bank: refused; ``models`` is its name now.
        lesion_labels: label values of donors that make a part of the label a lesion, which comes with its other values;
            None for all. They are what is measured of it.
        min_volume: volume in mm3 (in 2D, area in mm2) that a lesion has at least, in its donor and as it is put in.
        min_cnr: how many times the noise around it a lesion stands out in its donor at least, brighter or darker
            or both in parts (``monai_consingan.data.contrast.visibility``).
        lead: name or number of the sequence in which lesions are measured and places are alike; None takes for each
            lesion the one in which it stands out most in its donor.
        mass_effect: share of its volume by which a lesion first pushes the host's tissue, and the lesions there,
            aside: see :class:`PasteLesion`.

    Attributes:
        log: one dictionary per lesion of the last call: the donor's number, that of its ``lesion``, and the
            ``placement`` and ``checks`` (``monai_consingan.transforms.insertion.host_canvas.HostCanvas.checks``), or
            the ``reason`` why it was left out. With models, ``how`` is the method or the fallback, and ``not_redrawn``
            the reason, where there is a model that could not redraw it. MetaTensor images carry it as
            JSON in ``meta["pasted_lesions"]``.

    Raises:
        ConSinGANError: when there are no donors, a range is no range, or the method does not go with the models.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        donors: Sequence[Any],
        models: RedrawingModels | None = None,
        prob: float = 1.0,
        number: int | Sequence[int] = 1,
        method: str | None = None,
        fallback: str | None = "tissue",
        redrawn: BlendSettings | None = None,
        flip_prob: float = 0.5,
        rotate_range: float = 30.0,
        scale_range: Sequence[float] = (0.8, 1.2),
        blend: str | None = None,
        match: str | None = None,
        feather_mm: float = 2.0,
        ring_mm: tuple[float, float] = (2.0, 8.0),
        axis: int | None = None,
        edge_mm: float | None = None,
        clearance_mm: float = 5.0,
        spacing: Sequence[float] | float | None = None,
        loader: Callable[[Any], Any] | None = None,
        bank: Any = None,
        lesion_labels: Sequence[int] | None = None,
        min_volume: float = 10.0,
        min_cnr: float = 2.0,
        lead: int | str | None = None,
        mass_effect: float = 0.0,
    ) -> None:
        super().__init__(prob, "harmonization", models, redrawn, bank)
        if isinstance(donors, (str, Path, Mapping)) or len(donors) == 0:
            raise ConSinGANError(f"donors is {donors!r}; give a list of at least one image with its label.")
        for entry in donors if isinstance(donors, (list, tuple)) else ():
            check_entry(entry)
        self.method = method or (DEFAULT_INSERTION if models is None else DEFAULT_REDRAWN_INSERTION)
        self.fallback = fallback
        how, instead = insertion_method(self.method), insertion_method(fallback or DEFAULT_INSERTION)
        if (how.redrawn is None) is not (models is None):
            given = "models are given: leave them out" if how.redrawn is None else "models is None: give some"
            raise ConSinGANError(
                f"method {self.method!r} uses {'no' if how.redrawn is None else 'a'} model, but {given}, or choose "
                "another method."
            )
        if instead.redrawn is not None:
            raise ConSinGANError(f"fallback {fallback!r} uses a model: choose a method that needs none.")
        self.redrawn = redrawn or how.redrawn
        self.number = int_range(number, "number", 1)
        self.turns: dict[str, Any] = {
            "flip_prob": check_number(flip_prob, "flip_prob", 0, 1),
            "rotate_range": check_number(rotate_range, "rotate_range"),
            "scale_range": check_range(scale_range, "scale_range", 0.01),
        }
        self.axis = axis
        self.placing: dict[str, Any] = {
            "edge_mm": None if edge_mm is None else check_number(edge_mm, "edge_mm"),
            "clearance_mm": check_number(clearance_mm, "clearance_mm"),
        }
        self.count = len(donors)
        self.donors = Donors(
            partial(read_one, donors, loader),
            spacing,
            lesion_labels=check_labels(lesion_labels),
            min_volume=check_number(min_volume, "min_volume"),
            min_cnr=check_number(min_cnr, "min_cnr"),
            lead=lead,
        )
        check_spacing(spacing)
        self.spacing = spacing
        self.paste, self.paste_instead = (
            Pasting(own or by.paste_blend, feather_mm, match or by.match, ring_mm, axis)
            for own, by in ((blend, how), (None, instead))
        )
        self.mass_effect = check_mass_effect(mass_effect)
        self.log: list[dict[str, Any]] = []
        self._draws: list[LesionDraw] = []

    def randomize(self, data: Any | None = None) -> None:
        """Draw everything that chance decides."""
        super().randomize(None)
        count = self.R.randint(self.number[0], self.number[1] + 1) if self._do_transform else 0
        self._draws = [LesionDraw.random(range(self.count), self.R, **self.turns) for _ in range(count)]

    def __call__(
        self,
        img: NdarrayOrTensor,
        label: NdarrayOrTensor | None = None,
        region: NdarrayOrTensor | None = None,
        randomize: bool = True,
        known: HostKnowledge | None = None,
        mask: NdarrayOrTensor | None = None,
        own: bool = False,
    ) -> PastedLesion:
        """Put lesions in.

        Args:
            img: host of shape (C, \\*spatial), 2D or 3D; with models it has one channel.
            label: labels of lesions it has already, (1, \\*spatial).
            region: mask that lesions have to lie in, such as a brain mask, (1, \\*spatial); None finds the head.
            randomize: draw anew; False repeats the last draw.
            known: what is known of the host, or of a larger one of which this is a crop (:class:`HostKnowledge`);
                ``region`` is then not looked at. None works it out, and keeps it for the last four hosts.
            mask: where other transforms have put lesions in before, (1, \\*spatial).
            own: whether the host may be written to, as nobody else needs it as it is, which saves a copy.

        Returns:
            Image, label (int16 when no label was given) and the mask of all new lesions, also of those put in before;
            where nothing is to be put in, image and label share their values with those given.

        Raises:
            ConSinGANError: image, label or region do not go together or hold NaN, a donor has other axes or channels,
                the host's intensities do not allow ``match``, or the host has no model and there is no fallback.
        """
        if randomize:
            self.randomize()
        self.log = []
        own, img = own or not is_in_order(img), in_order(img)
        check_host(img, label, region, mask)
        before = np.zeros((1, *img.shape[1:]), np.uint8) if mask is None else as_mask(mask).astype(np.uint8)
        if not self._draws:
            labels = wrap_like(np.zeros((1, *img.shape[1:]), np.int16), img) if label is None else label
            image = wrap_like(as_array(img), img)
            record_lesions([], [image])
            return PastedLesion(image, labels, wrap_like(before, img))
        host = self._known(known, img) or known_host(img, region, self.spacing, self.host_lead(img))
        model = self._model(img, host)
        canvas = HostCanvas(img, label, host, self.axis, ("image",) if own else (), mask=before)
        for draw in self._draws:
            entry: dict[str, Any] = {"donor": draw.donor}
            as_it_was = copy(canvas)
            try:
                crop = self.donors.turned(draw, img, self.axis)
                entry["lesion"] = crop.number
                entry |= self._put(canvas, crop, draw.seed, model)
            except NoPlaceError as error:
                entry["reason"] = str(error)
                canvas = as_it_was
                if isinstance(error, NoLesionError):
                    self._warn(f"Donor {draw.donor} is never taken, and others may not be either: {error}", "donor")
            self.log.append(entry)
        pasted = canvas.result()
        record_lesions(self.log, [pasted.image])
        return pasted

    def host_lead(self, img: NdarrayOrTensor) -> int:
        """The channel of a host that its head is found in."""
        return 0 if self.donors.lead is None else chosen_channel(sequence_names(img), self.donors.lead, "the host")

    def questions(self) -> HostQuestions:
        """What to know of the whole host for a crop of it, see :class:`PrepareHostd`."""
        return HostQuestions(self.models)

    def _model(self, host: NdarrayOrTensor, known: HostKnowledge) -> Any | None:
        """What redraws lesions of the host, if it has a model."""
        model = host_model(self.models, host, None, known)
        if model is None and self.models is not None and self.fallback is None:
            raise ConSinGANError(
                "The models have none of this host with these settings: prepare it, or give a fallback."
            )
        return model

    def _put(self, canvas: HostCanvas, crop: DonorCrop, seed: int, model: Any | None) -> dict[str, Any]:
        """Find a place for one lesion and put it there; what to tell of it in the log."""
        placement = canvas.place(crop, seed, **self.placing)
        if self.mass_effect:
            canvas.make_room(crop, placement, self.mass_effect)
        told: dict[str, Any] = {"placement": placement.as_dict()}
        paste, redrawn = self.paste, None
        if self.models is not None and self.redrawn is not None:
            told["how"] = self.method
            if model is not None:
                pasted = canvas.paste(paste, crop, placement)
                try:
                    redrawn = as_array(model(*canvas.with_lesion(pasted), canvas.host, self.redrawn))
                except NoPlaceError as error:
                    if self.fallback is None:
                        raise
                    told["not_redrawn"] = str(error)
            if redrawn is None:
                why = told.get("not_redrawn", "The models have none of this host.")
                self._warn(f"A lesion is pasted by {self.fallback!r}, as no model redraws it: {why}")
                told["how"], paste = self.fallback, self.paste_instead
        if redrawn is None:
            pasted = canvas.paste(paste, crop, placement)
        told["checks"] = canvas.checks(pasted, crop, redrawn)
        canvas.take(pasted, redrawn)
        return told


def record_lesions(log: list[dict[str, Any]], images: Sequence[Any]) -> None:
    """Add a log to those that other transforms have left in the images' metadata, if they have some."""
    for image in images:
        if isinstance(image, MetaTensor):
            image.meta[_LOG] = json.dumps([*json.loads(image.meta.get(_LOG, "[]")), *log])


RandPasteLesion = RandLesion
"""The name of :class:`RandLesion` where lesions are only pasted."""
