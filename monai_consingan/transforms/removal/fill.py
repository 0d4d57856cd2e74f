"""Taking a lesion out: from a scan to a naive image without it, and the image that a model is trained on."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import as_array, given, wrap_like
from monai_consingan.data import (
    as_keys,
    check_keys,
    check_slice,
    keep_labels,
    keep_slice,
    output_suffix,
    slice_axis,
    stack_keys,
    unstack_keys,
    work_dims,
)
from monai_consingan.data.lesions import lesion_apart
from monai_consingan.distance import marked_box
from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.methods import FILLINGS, TRAINING_TISSUES, USUAL_FILLINGS
from monai_consingan.transforms.removal.flipud import flip_mirror
from monai_consingan.transforms.removal.mirror import anatomical_mirror
from monai_consingan.transforms.removal.remove import RemovedLesion, RemoveLesion
from monai_consingan.transforms.removal.symmetry import SymmetryPlane


class FilledLesion(NamedTuple):
    """What :class:`FillLesion` returns; all lie on the scan's grid."""

    image: Any
    """The naive image, which is the scan with the lesion filled, (C, \\*spatial)."""
    label: Any
    """The lesions that stay."""
    mask: Any
    """1 where the image was filled, uint8."""
    training: Any
    """The image whose slices a model is trained on."""
    lesion: Any
    """1 where the lesion was, uint8."""
    method: str
    """How it was filled."""
    tried: tuple[tuple[str, str], ...]
    """The ways to fill that would not do, with the reasons."""
    axis: int | None
    """The spatial axis perpendicular to the slices; None in 2D."""
    dims: int
    """3 where this was done in space, 2 where slice by slice."""


@dataclass(eq=False)
class FillLesion(Transform):
    """Fill a lesion by :class:`RemoveLesion`, and choose the tissue that a model is to be trained on.

    Args:
        methods: ways to fill, tried in this order (:class:`RemoveLesion`).
        symmetry: where left mirrors to right: ``"centre"``, ``"estimate"``, a position in mm or a plane.
        margin_mm: how far beyond the label is filled.
        train_on: ``"mirror"``, the other hemisphere's tissue at the lesion's place, which has no lesion, or
            ``"image"``, the scan as it is, as published.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 3 to work in space, 2 to work slice by slice, as a model does that redraws; ``None`` works in space unless
            an axis or a slice is given, or slices are thick (:func:`monai_consingan.data.work_dims`).

    Raises:
        ConSinGANError: an unknown method or ``train_on``.
    """

    methods: str | Sequence[str] = USUAL_FILLINGS
    symmetry: str | float | SymmetryPlane = "estimate"
    margin_mm: float = 1.5
    train_on: str = "mirror"
    axis: int | None = None
    dims: int | None = None

    backend = [TransformBackends.NUMPY]

    def __post_init__(self) -> None:
        check_choice(TRAINING_TISSUES, train_on=self.train_on)

    def __call__(  # type: ignore[override]
        self,
        image: MetaTensor,
        label: MetaTensor,
        *,
        lesion_labels: Iterable[int] | None = None,
        slice_index: int | None = None,
        head: np.ndarray | None = None,
    ) -> FilledLesion:
        """Fill.

        Args:
            image: the scan, (C, \\*spatial).
            label: its lesions, (1, \\*spatial); those that are not removed are places from where no tissue may come.
            lesion_labels: values of ``label`` that are removed; ``None`` for all.
            slice_index: slice on which the lesion is removed; ``None`` for all its slices.
            head: the scan's head, if it is known, boolean (\\*spatial).

        Raises:
            ConSinGANError: a slice without lesion, a label without these values, or no method that will do.
        """
        lesion = keep_labels(label, lesion_labels)
        axis = slice_axis(image, self.axis)
        check_slice(image, axis, slice_index, "slice")
        if slice_index is not None:
            lesion = keep_slice(lesion, axis, slice_index, "slice")
            if self.dims == 3:
                raise ConSinGANError(f"dims is 3, but slice is {slice_index}: leave one of them out.")
        dims = work_dims(image, self.axis, self.dims) if slice_index is None else 2
        across = axis if dims == 2 else None
        flip_axis = 1 if output_suffix(image) == ".png" else int(axis == 0)
        values, inside = as_array(label), as_array(lesion) > 0
        ill = values > 0
        near, marks = marked_box(ill), lesion_apart(values, inside, ill)
        removal = RemoveLesion(
            self.methods, symmetry=self.symmetry, margin_mm=self.margin_mm, axis=across, flip_axis=flip_axis
        )
        removed = removal(image, wrap_like(marks, label), np.unique(values[inside]).tolist(), head=head)
        kept = np.zeros_like(values)
        kept[near] = np.where(as_array(removed.label)[near] > 0, values[near], 0)
        return FilledLesion(
            removed.image,
            wrap_like(kept, label),
            removed.mask,
            self._training(image, removed, across, flip_axis),
            wrap_like(inside.view(np.uint8), image),
            removed.method,
            removed.tried,
            axis,
            dims,
        )

    def _training(self, image: MetaTensor, removed: RemovedLesion, axis: int | None, flip_axis: int) -> Any:
        """The image to train on, whose tissue at the lesion's place is that which was filled in."""
        if self.train_on == "image":
            return image
        if any(FILLINGS[method].source == "flip" for method in removed.method.split(", ")):
            return flip_mirror(image, axis=flip_axis)
        if removed.plane is None:
            return removed.image
        mirrored, valid, _ = anatomical_mirror(as_array(image), image.affine, symmetry=removed.plane, axis=axis)
        return wrap_like(np.where(valid[None], mirrored, as_array(image)).astype(np.float32), image)


class FillLesiond(Transform):
    """Dictionary version of :class:`FillLesion`.

    Every case can have choices of its own, which go before those given here: ``lesion_labels``, ``slice_index``,
    ``methods``, ``symmetry``, ``margin_mm`` and ``train_on`` in the data.

    The data have ``label``, which that of the lesions that stay replaces. Added are the masks ``lesion`` of what was
    filled and ``removed`` of the lesion that was removed; ``method``, the name of the filling; and ``placement``, a
    dictionary of how it was filled.

    Args:
        image_key: key of the scan, or of several sequences of it, which the naive image replaces.
        host_key: key for the scan as it was; of several sequences one for all, (C, \\*spatial), or one for each. So is
            ``training_key``.
        training_key: key of the image to train a model on.
        kwargs: the arguments of :class:`FillLesion`.
    """

    backend = FillLesion.backend

    def __init__(
        self,
        image_key: KeysCollection = "image",
        host_key: KeysCollection = "host",
        training_key: KeysCollection = "training",
        **kwargs: Any,
    ) -> None:
        self.image_key = as_keys(image_key)
        self.images = (host_key, image_key, training_key)
        added = ("label", "lesion", "removed", "method", "placement")
        check_keys(image_key=image_key, host_key=host_key, training_key=training_key, added=added)
        self.fill = FillLesion(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the naive image, its label and masks."""
        own = given(data, "methods", "symmetry", "margin_mm", "train_on")
        which = given(data, "lesion_labels", "slice_index")
        image = stack_keys(data, self.image_key)
        filled = replace(self.fill, **own)(image, data["label"], **which)
        out = {
            **data,
            "label": filled.label,
            "lesion": filled.mask,
            "removed": filled.lesion,
            "method": filled.method,
            "placement": {
                "how": filled.method,
                "refused": [f"{name}: {why}" for name, why in filled.tried],
                "axis": filled.axis,
                "dims": filled.dims,
            },
        }
        hosts = [data[key] for key in self.image_key]
        for keys, result in zip(self.images, (image, filled.image, filled.training), strict=True):
            out |= unstack_keys(result, keys, hosts)
        return out


FillLesionD = FillLesionDict = FillLesiond
