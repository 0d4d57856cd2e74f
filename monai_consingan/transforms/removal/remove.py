"""Lesions taken out: filled with the other hemisphere's tissue, or from their border."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, partial
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
    spacing_of,
    wrap_like,
)
from monai_consingan.data import as_keys, stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.methods import FILLINGS
from monai_consingan.transforms.alteration import alteration_weight
from monai_consingan.transforms.head import head_mask
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.biharmonic import biharmonic
from monai_consingan.transforms.removal.flipud import flip_mirror
from monai_consingan.transforms.removal.matched_fill import OUTSIDE, MatchedFill
from monai_consingan.transforms.removal.mirror import anatomical_mirror
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, check_symmetry, head_symmetry

__all__ = [
    "RemoveLesion",
    "RemoveLesionD",
    "RemoveLesionDict",
    "RemoveLesiond",
    "RemovedLesion",
]


_NEARBY = MatchedFill(reach_mm=30.0)
_MIRRORED = {"matched_mirror": MatchedFill(), "moved_mirror": MatchedFill(structure=1.0, texture=0.0)}


class RemovedLesion(NamedTuple):
    """What :class:`RemoveLesion` returns."""

    image: Any
    """The image without the lesion, of the input's kind, dtype and metadata; its very bits where nothing is filled."""
    label: Any
    """The label without the lesion, 0 in all filled voxels; other labels are kept elsewhere."""
    mask: Any
    """The filled voxels, 1 there and 0 elsewhere, uint8 of shape (1, \\*spatial)."""
    method: str
    """The method that was used."""
    tried: tuple[tuple[str, str], ...]
    """The methods tried before it, each with the reason why it would not do."""
    plane: SymmetryPlane | None = None
    """The plane of symmetry, if the method mirrored at one."""


class RemoveLesion(Transform):
    """Fill a lesion with what could be there without it.

    The methods are tried in their order until one will do. Those that mirror will not where the mirrored place holds a
    lesion or lies outside the head or the image:

    - ``"matched_mirror"``: the tissue of the other hemisphere, moved by up to 6 mm to where its surroundings are most
      like the lesion's, as much of its structure as fits here, and made as rough as the tissue around
      (:class:`MatchedFill`);
    - ``"matched_nearby"``: likewise with tissue from up to 30 mm away;
    - ``"moved_mirror"``: the tissue of the other hemisphere, moved likewise, with all of its finer structure and the
      texture that it has there;
    - ``"mirror"``: the tissue at the same place of the other hemisphere, copied as it is (anatomical mirror, see
      :func:`anatomical_mirror`);
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

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        methods: str | Sequence[str] = ("mirror",),
        symmetry: str | float | SymmetryPlane = "centre",
        margin_mm: float = 1.5,
        axis: int | None = None,
        flip_axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
    ) -> None:
        self.methods: tuple[str, ...] = ensure_tuple(methods)
        unknown = [method for method in self.methods if method not in FILLINGS]
        if unknown or not self.methods:
            named = ", ".join(f'"{method}"' for method in unknown) or "nothing"
            raise ConSinGANError(f"methods names {named}; choose from {', '.join(FILLINGS)}.")
        for name, along in (("axis", axis), ("flip_axis", flip_axis)):
            check_axis(along, 3, name=name)
        if axis is not None and axis == flip_axis:
            raise ConSinGANError(f"flip_axis {flip_axis} runs across the slices; choose another axis than axis.")
        check_spacing(spacing)
        check_symmetry(symmetry)
        self.margin_mm = check_number(margin_mm, "margin_mm")
        self.symmetry = symmetry
        self.axis = axis
        self.flip_axis = flip_axis
        self.spacing = spacing

    def __call__(  # type: ignore[override]
        self, image: NdarrayOrTensor, label: NdarrayOrTensor, lesion_labels: Sequence[int] | None = None
    ) -> RemovedLesion:
        """Remove the lesion that a label marks.

        Args:
            image: image of shape (C, \\*spatial), 2D or 3D. A MetaTensor's affine tells left and right; for other
                arrays the first spatial axis is left-right.
            label: whole numbers of shape (1, \\*spatial), 0 for background.
            lesion_labels: the label values to remove; None removes all. Other values count as lesions that stay.

        Returns:
            Image, label, filled voxels and the method.

        Raises:
            ConSinGANError: when shapes differ, values are not finite, or there is nothing to remove.
            NoPlaceError: when no method will do; the reason of every method is named.
        """
        check_host(image, label)
        values, marks = as_array(image), as_array(label)
        axis = check_axis(self.axis, marks.ndim - 1)
        lesion = _lesion(marks[0], lesion_labels)
        spacing = spacing_of(image, self.spacing)
        fill = alteration_weight(lesion, spacing=spacing, dilation_mm=self.margin_mm, softness_mm=0.0, axis=axis) > 0
        ill = alteration_weight(marks[0] != 0, spacing=spacing, dilation_mm=self.margin_mm, softness_mm=0.0, axis=axis)
        head = np.all([head_mask(channel, spacing=spacing) for channel in values], axis=0)
        affine = image.affine if isinstance(image, MetaTensor) else np.diag([*spacing, 1.0])
        plane = cache(partial(head_symmetry, image, affine, self.symmetry, axis, ill > 0))
        tried: list[tuple[str, str]] = []
        for method in self.methods:
            try:
                filled = self._fill(method, image, fill, ill > 0, head, axis, spacing, affine, plane)
            except NoPlaceError as reason:
                tried.append((method, str(reason).rstrip(".")))
                continue
            result = np.where(fill, cast_values(np.where(fill, filled, 0), values.dtype), values)
            return RemovedLesion(
                wrap_like(result, image),
                wrap_like(np.where(fill, 0, marks).astype(marks.dtype), label),
                wrap_like(fill[None].astype(np.uint8), image),
                method,
                tuple(tried),
                plane() if FILLINGS[method].source == "mirror" else None,
            )
        reasons = ", ".join(f"{method} ({reason})" for method, reason in tried)
        others = [method for method in FILLINGS if method not in self.methods]
        hint = f"add one of {', '.join(others)} to the methods" if others else "mark a smaller lesion"
        raise NoPlaceError(f"the lesion cannot be removed by {reasons}; {hint}.")

    def _fill(
        self,
        method: str,
        image: NdarrayOrTensor,
        fill: np.ndarray,
        ill: np.ndarray,
        head: np.ndarray,
        axis: int | None,
        spacing: tuple[float, ...],
        affine: Any,
        plane: Callable[[], SymmetryPlane],
    ) -> np.ndarray:
        """Values of shape (C, \\*spatial) for the voxels to fill, by one method."""
        values = as_array(image)
        if method == "biharmonic":
            return np.stack([biharmonic(channel, fill, axis=axis, valid=head) for channel in values])
        if method == "matched_nearby":
            return _matched(_NEARBY, values, values, fill, ill, ill, head, head, np.ones_like(fill), axis, spacing)
        maps = np.stack([ill, head]).astype(np.uint8)
        if method == "flipud":
            flipped = int(axis == 0) if self.flip_axis is None else self.flip_axis
            if axis is not None and check_axis(flipped, fill.ndim) == axis:
                raise ConSinGANError(f"flip_axis {flipped} runs across the slices; choose another axis")
            mirrored, valid = as_array(flip_mirror(values, axis=flipped)), np.ones_like(fill)
            maps = as_array(flip_mirror(maps, axis=flipped))
        else:
            mirrored, valid, _ = anatomical_mirror(values, affine, symmetry=plane(), axis=axis)
            maps = anatomical_mirror(maps, affine, symmetry=plane(), axis=axis, mode="nearest").image
        if method in _MIRRORED:
            how = _MIRRORED[method]
            return _matched(how, values, mirrored, fill, ill, maps[0] > 0, head, maps[1] > 0, valid, axis, spacing)
        _check_place(fill, valid, maps[0] > 0, head & (maps[1] == 0))
        if method != "poisson_mirror":
            return mirrored
        pairs = zip(values, mirrored, strict=True)
        return np.stack(
            [
                np.clip(poisson_blend(host, source, fill, axis=axis, spacing=spacing, valid=valid), *_limits(host))
                for host, source in pairs
            ]
        )


def _matched(
    how: MatchedFill,
    values: np.ndarray,
    source: np.ndarray,
    fill: np.ndarray,
    ill: np.ndarray,
    source_ill: np.ndarray,
    head: np.ndarray,
    source_head: np.ndarray,
    valid: np.ndarray,
    axis: int | None,
    spacing: tuple[float, ...],
) -> np.ndarray:
    """All channels filled, from the place that fits all of them best."""
    where: dict[str, Any] = {"head": head, "ill": ill, "usable": valid & ~source_ill, "source_head": source_head}
    filled = how(values, source, fill, axis=axis, spacing=spacing, **where)
    return np.stack([np.clip(new, *_limits(host)) for new, host in zip(filled, values, strict=True)])


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The range of an image's values."""
    return float(values.min()), float(values.max())


def _lesion(marks: np.ndarray, lesion_labels: Sequence[int] | None) -> np.ndarray:
    """Booleans where the label has one of the values to remove."""
    present = [int(value) for value in np.unique(marks) if value != 0]
    if not present:
        raise ConSinGANError("label marks no lesion, so there is nothing to remove; give a label with values above 0.")
    if lesion_labels is None:
        return np.asarray(marks != 0)
    missing = [value for value in lesion_labels if value not in present]
    if missing or not lesion_labels:
        raise ConSinGANError(f"lesion_labels is {list(lesion_labels)}, but the label holds the values {present}.")
    return np.isin(marks, lesion_labels)


def _check_place(fill: np.ndarray, valid: np.ndarray, ill: np.ndarray, outside: np.ndarray) -> None:
    """Refuse a mirrored place that has no sound tissue to offer for the voxels to fill."""
    count = int(fill.sum())
    beyond, sick, air = (int((fill & where).sum()) for where in (~valid, ill, outside))
    if beyond:
        raise NoPlaceError(f"{beyond} of its {count} voxels mirror to places outside the image.")
    if sick:
        raise NoPlaceError(f"the mirrored place holds a lesion in {sick} of {count} voxels.")
    if air > OUTSIDE * count:
        raise NoPlaceError(f"the mirrored place lies outside the head in {air} of {count} voxels.")


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
        methods, symmetry, margin_mm, axis, flip_axis, spacing: see :class:`RemoveLesion`.
        allow_missing_keys: skip images that are not in the dictionary.
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
        methods: str | Sequence[str] = ("mirror",),
        symmetry: str | float | SymmetryPlane = "centre",
        margin_mm: float = 1.5,
        axis: int | None = None,
        flip_axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_key = label_key
        self.output_keys = self.keys if output_keys is None else as_keys(output_keys)
        if len(self.output_keys) != len(self.keys):
            raise ConSinGANError(
                f"output_keys has {len(self.output_keys)} keys for {len(self.keys)} keys; give as many."
            )
        self.output_label_key = label_key if output_label_key is None else output_label_key
        self.mask_key = mask_key
        self.method_key = method_key
        self.lesion_labels = lesion_labels
        self.remove = RemoveLesion(methods, symmetry, margin_mm, axis, flip_axis, spacing)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the lesion removed."""
        out = dict(data)
        present = list(self.key_iterator(out, self.output_keys))
        if not present:
            return out
        keys, output_keys = zip(*present, strict=True)
        removed = self.remove(stack_keys(data, keys), data[self.label_key], self.lesion_labels)
        out |= unstack_keys(removed.image, output_keys, [data[key] for key in keys])
        out[self.output_label_key] = removed.label
        for key, value in ((self.mask_key, removed.mask), (self.method_key, removed.method)):
            if key is not None:
                out[key] = value
        return out


RemoveLesionD = RemoveLesionDict = RemoveLesiond
