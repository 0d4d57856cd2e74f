"""Lesions taken out: filled with the other hemisphere's tissue, or from their border."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from monai.config.type_definitions import KeysCollection, NdarrayOrTensor
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform, Transform
from monai.utils.enums import TransformBackends
from monai.utils.misc import ensure_tuple

from monai_consingan.arrays import (
    as_array,
    cast_values,
    check_axis,
    check_host,
    check_number,
    check_spacing,
    image_identity,
    in_all,
    spacing_of,
    wrap_like,
)
from monai_consingan.data import as_keys, check_keys, stack_keys, unstack_keys
from monai_consingan.distance import bounding_box, outside_distance, reach_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import FILLINGS
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.redrawing import HostQuestions
from monai_consingan.transforms.removal.known import (
    check_in_head,
    found_plane,
    head_with,
    known_head,
    known_plane,
    plane_fact,
    told_head,
)
from monai_consingan.transforms.removal.site import Site
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, check_symmetry


class RemovedLesion(NamedTuple):
    """What :class:`RemoveLesion` returns."""

    image: Any
    """The image without the lesion, of the input's kind, dtype and metadata; its very bits where nothing is filled."""
    label: Any
    """The label without the lesion, 0 in all filled voxels; other labels are kept elsewhere."""
    mask: Any
    """The filled voxels, 1 there and 0 elsewhere, uint8 of shape (1, \\*spatial)."""
    method: str
    """The method that was used; where lesions were filled by several, their names with commas between."""
    tried: tuple[tuple[str, str], ...]
    """The methods that would not do for all, each with the reason why."""
    plane: SymmetryPlane | None = None
    """The plane of symmetry, if a method mirrored at one."""


@dataclass(eq=False)
class RemoveLesion(Transform):
    """Fill a lesion with what could be there without it.

    The methods are tried in their order until one will do; of several lesions, those that it will not do for go on to
    the next. Those that mirror will not where the mirrored place holds a lesion or lies outside the head or the image:

    - ``"matched_mirror"``: the tissue of the other hemisphere, moved by up to 6 mm to where its surroundings are most
      like the lesion's, and in space warped a little so that structures meet, as much of its structure as fits here,
      and made as rough as the tissue around (:class:`MatchedFill`);
    - ``"matched_nearby"``: likewise with tissue from up to 30 mm away, but nothing from within 5 mm of the plane of
      symmetry, as the falx is, unless it goes there or nothing else will do;
    - ``"moved_mirror"``: the tissue of the other hemisphere, moved likewise, with all of its finer structure and the
      texture that it has there;
    - ``"mirror"``: the tissue at the same place of the other hemisphere, copied as it is (anatomical mirror, see
      :func:`anatomical_mirror`), the nearest tissue where that hemisphere ends sooner;
    - ``"poisson_mirror"``: the same with its intensities fitted to the border (seamless cloning, see
      :func:`poisson_blend`);
    - ``"flipud"``: the flip of one axis as stored, which is the mirror of the published method;
    - ``"biharmonic"``: smooth, from the border alone (:func:`biharmonic`).

    The sequences of a case are the channels of one image: they are filled by one method from one place, that which fits
    all of them best, so that structures stay where they are in all of them; level, structure and texture are fitted in
    every channel by itself. Tissue is what is tissue in all of them; the plane of symmetry is that of the first.

    Args:
        methods: one or several of these names.
        symmetry: where the anatomical mirror is: ``"centre"`` of the image, if it mirrors to itself there, or else
            estimated; ``"estimate"`` from the image, its left-right world coordinate (RAS+) in mm, or a plane. Where
            none is found, as in a crop of one hemisphere, no method that mirrors will do (``head_symmetry``).
        margin_mm: how far beyond the lesion's border is filled, as labels seldom hold all of a lesion.
        axis: the spatial axis perpendicular to the slices when each slice counts by itself; None works in space.
        flip_axis: the spatial axis that ``"flipud"`` flips; None takes the first that is not ``axis``. For a PNG read
            by MONAI the first axis in numpy's sense is 1.
        spacing: mm per spatial axis; None takes it from a MetaTensor's affine, and 1 mm for other arrays.

    Raises:
        ConSinGANError: on an unknown method or symmetry, or an axis, a spacing or a margin that can be none.

    Example:
        >>> import numpy as np
        >>> image, label = np.ones((1, 32, 32)), np.zeros((1, 32, 32), int)
        >>> image[:, :4] = image[:, -4:] = 0
        >>> image[0, 8:11, 14:18], label[0, 8:11, 14:18] = 9, 1
        >>> removed = RemoveLesion()(image, label)
        >>> removed.method, float(removed.image.max()), int(removed.label.max())
        ('mirror', 1.0, 0)
    """

    methods: str | Sequence[str] = ("mirror",)
    symmetry: str | float | SymmetryPlane = "centre"
    margin_mm: float = 1.5
    axis: int | None = None
    flip_axis: int | None = None
    spacing: Sequence[float] | float | None = None

    backend = [TransformBackends.NUMPY]

    def __post_init__(self) -> None:
        self.methods = tuple(dict.fromkeys(ensure_tuple(self.methods)))
        unknown = [method for method in self.methods if method not in FILLINGS]
        if unknown or not self.methods:
            named = ", ".join(f'"{method}"' for method in unknown) or "nothing"
            raise ConSinGANError(f"methods names {named}; choose from {', '.join(FILLINGS)}.")
        for name in ("axis", "flip_axis"):
            check_axis(getattr(self, name), 3, name=name)
        if self.axis is not None and self.axis == self.flip_axis:
            raise ConSinGANError(f"flip_axis {self.axis} runs across the slices; choose another axis than axis.")
        check_spacing(self.spacing)
        check_symmetry(self.symmetry)
        self.margin_mm = check_number(self.margin_mm, "margin_mm")

    def __call__(  # type: ignore[override]
        self,
        image: NdarrayOrTensor,
        label: NdarrayOrTensor,
        lesion_labels: Sequence[int] | None = None,
        known: HostKnowledge | None = None,
        head: np.ndarray | None = None,
    ) -> RemovedLesion:
        """Remove the lesion that a label marks.

        Args:
            image: image of shape (C, \\*spatial), 2D or 3D. A MetaTensor's affine tells left and right; for other
                arrays the first spatial axis is left-right.
            label: whole numbers of shape (1, \\*spatial), 0 for background.
            lesion_labels: the label values to remove; None removes all. Other values count as lesions that stay.
            known: what is known of the image, or of a larger one of which it is a crop. None works out what is needed;
                in any case head and plane of symmetry of the last four images are kept.
            head: the image's head, if it is known, boolean (\\*spatial); it goes before what is known.

        Returns:
            Image, label, filled voxels and the method.

        Raises:
            ConSinGANError: when shapes differ, values are not finite, there is nothing to remove, or most of what a
                value marks lies in the air around the head.
            NoPlaceError: when no method will do; the reason of every method is named.
        """
        check_host(image, label)
        values, marks = as_array(image), as_array(label)
        axis, spacing = check_axis(self.axis, marks.ndim - 1), spacing_of(image, self.spacing)
        lesion = _lesion(marks[0], lesion_labels)
        fill, ill = (_dilated(where, self.margin_mm, spacing, axis) for where in (lesion, marks[0] != 0))
        told = None if known is None else known.of_image(image)
        mark = image_identity(values) if head is None or isinstance(self.symmetry, str) else ()
        if head is None:
            head = known_head(mark, values, spacing) if told is None else told_head(told, values)
        check_in_head(marks[0], lesion, head)
        head = head_with(head, lesion, values)
        affine = _affine(image, spacing)
        plane = partial(known_plane, mark, image, affine, self.symmetry, axis, ill, told)
        site = Site(values, fill, ill, head, axis, spacing, affine, plane, self.flip_axis)
        done, tried, left = site.filled_by(self.methods)
        if left.any():
            reasons = ", ".join(f"{method} ({reason})" for method, reason in tried)
            others = [method for method in FILLINGS if method not in self.methods]
            hint = f"add one of {', '.join(others)} to the methods" if others else "mark a smaller lesion"
            raise NoPlaceError(f"the lesion cannot be removed by {reasons}; {hint}.")
        result, kept = values.copy(), marks.copy()
        for box, where, new in (part for parts in done.values() for part in parts):
            result[in_all(box)][:, where] = cast_values(new[:, where], values.dtype)
        kept[0][fill] = 0
        return RemovedLesion(
            wrap_like(result, image),
            wrap_like(kept, label),
            wrap_like(fill[None].view(np.uint8), image),
            ", ".join(done),
            tuple(tried),
            plane() if any(FILLINGS[method].source == "mirror" for method in done) else None,
        )

    def of_host(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None) -> dict[Hashable, Any]:
        """What to know of the whole host for a crop of it, see :class:`PrepareHostd`: its plane of symmetry."""
        if not (isinstance(self.symmetry, str) and any(FILLINGS[method].plane for method in self.methods)):
            return {}
        ill = np.zeros(host.shape[1:], bool) if label is None else as_array(label)[0] != 0
        axis, spacing = check_axis(self.axis, ill.ndim), spacing_of(host, self.spacing)
        ill = _dilated(ill, self.margin_mm, spacing, axis) if ill.any() else ill
        how = image_identity(host), host, _affine(host, spacing), self.symmetry, axis, ill
        return {plane_fact(self.symmetry, axis): found_plane(*how)}


def _affine(image: NdarrayOrTensor, spacing: Sequence[float]) -> Any:
    return image.affine if isinstance(image, MetaTensor) else np.diag([*spacing, 1.0])


def _dilated(mask: np.ndarray, margin_mm: float, spacing: tuple[float, ...], axis: int | None) -> np.ndarray:
    """A mask that is not empty and all within a margin of it."""
    result, near = np.zeros(mask.shape, bool), reach_box(mask, spacing, margin_mm)
    result[near] = outside_distance(mask[near], spacing, axis, reach_mm=margin_mm) <= margin_mm
    return result


def _lesion(marks: np.ndarray, lesion_labels: Sequence[int] | None) -> np.ndarray:
    """Booleans where the label has one of the values to remove."""
    found = marks != 0
    present = [int(value) for value in np.unique(marks[found])]
    if not present:
        raise ConSinGANError("label marks no lesion, so there is nothing to remove; give a label with values above 0.")
    if lesion_labels is None:
        return found
    missing = [value for value in lesion_labels if value not in present]
    if missing or not lesion_labels:
        raise ConSinGANError(f"lesion_labels is {list(lesion_labels)}, but the label holds the values {present}.")
    box = bounding_box(found)
    found[box] = np.isin(marks[box], lesion_labels)
    return found


class RemoveLesiond(MapTransform):
    """Dictionary version of :class:`RemoveLesion`: removes the lesion from an image, or from all sequences of a case.

    Args:
        keys: key of an image, or of several on one grid, a sequence each, which are filled together.
        label_key: key of the label.
        output_keys: keys of the images without the lesion; None replaces the images.
        output_label_key: key of the label without the lesion; None replaces the label.
        mask_key: key of the filled voxels; None leaves them out.
        method_key: key of the name of the method; None leaves it out.
        lesion_labels: the label values to remove; None removes all.
        allow_missing_keys: skip images that are not in the dictionary.
        known_key: key of what is known of the host (:class:`monai_consingan.transforms.HostKnowledge`), which stays in
            the data (``DeleteItemsd`` takes it out in front of batches) and may be missing from them.
        kwargs: the arguments of :class:`RemoveLesion`.
    """

    backend = RemoveLesion.backend

    def __init__(
        self,
        keys: KeysCollection,
        label_key: Hashable = "label",
        output_keys: KeysCollection | None = None,
        output_label_key: Hashable | None = None,
        mask_key: Hashable | None = "mask",
        method_key: Hashable | None = None,
        lesion_labels: Sequence[int] | None = None,
        allow_missing_keys: bool = False,
        known_key: Hashable | None = "host_known",
        **kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_key = label_key
        self.known_key = known_key
        self.output_keys = self.keys if output_keys is None else as_keys(output_keys)
        if len(self.output_keys) != len(self.keys):
            raise ConSinGANError(
                f"output_keys has {len(self.output_keys)} keys for {len(self.keys)} keys; give as many."
            )
        self.output_label_key = label_key if output_label_key is None else output_label_key
        written = {"output_keys": self.output_keys, "output_label_key": self.output_label_key}
        check_keys(**written, mask_key=mask_key, method_key=method_key, known_key=known_key)
        self.mask_key = mask_key
        self.method_key = method_key
        self.lesion_labels = lesion_labels
        self.remove = RemoveLesion(**kwargs)

    def questions(self) -> HostQuestions:
        """What to know of the whole host for a crop of it, see :class:`PrepareHostd`."""
        return HostQuestions(None, self.remove)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the lesion removed."""
        out = dict(data)
        present = list(self.key_iterator(out, self.output_keys))
        if not present:
            return out
        keys, output_keys = zip(*present, strict=True)
        known = None if self.known_key is None else data.get(self.known_key)
        removed = self.remove(stack_keys(data, keys), data[self.label_key], self.lesion_labels, known)
        out |= unstack_keys(removed.image, output_keys, [data[key] for key in keys])
        out[self.output_label_key] = removed.label
        for key, value in ((self.mask_key, removed.mask), (self.method_key, removed.method)):
            if key is not None:
                out[key] = value
        return out


RemoveLesionD = RemoveLesionDict = RemoveLesiond
