"""Removal on known tissue in space: 3D voids of healthy brain are filled, and compared with what was there.

``python benchmarks/removal_space.py [--data FOLDER] [--patients NAME ...]``: agreement with the truth, texture, seam
within the slices and through them, and whether a forest tells borders of filled voids in axial sections, in coronal and
sagittal ones, and by profiles in space across the border, in plane and through plane (needs scikit-learn), with
``--cnn`` also a small network in space. With ``--sequences`` instead: how much t1 and t1ce have in common inside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from _border_features import border_features
from _border_space import DIRECTIONS, Border, border_cubes, space_features
from _command import command_line, patients_of
from _intervals import interval, shown
from _measure import table
from _sequences import SEQUENCES
from _space_voids import REFERENCE, SPACE_METHODS, SpaceMethod, SpaceVoid, space_voids
from _telling_apart import auc_interval, cnn_scores, told_apart
from scipy import ndimage

from monai_consingan.errors import NoPlaceError
from monai_consingan.metrics import seam, texture, tissue_agreement

TRUTH = "(the truth)"
IN_PLANE, THROUGH = (2,), (0, 1)
"""Axes that the sections in which a forest looks at a border are perpendicular to."""
CUBES = 8
"""Cubes of a border that the network sees."""


def measures(image: np.ndarray, void: SpaceVoid) -> dict[str, float]:
    """Agreement with the truth, texture, and seam within the slices and through them."""
    box = void.box
    result, mask, brain = image[box][None], void.mask[box][None], void.volume.brain[box][None]
    found = tissue_agreement(image[None], void.volume.truth[None], void.mask[None])
    where: dict[str, Any] = {"spacing": (*void.volume.patient.spacing, void.volume.patient.slice_mm), "tissue": brain}
    return {
        "psnr": found.psnr,
        "mse": found.mse,
        "ssim": found.ssim,
        "texture": texture(result, mask, **where),
        "seam": seam(result, mask, along=(0, 1), **where),
        "seam through": seam(result, mask, along=2, **where),
    }


def sections(image: np.ndarray, void: SpaceVoid, axes: Sequence[int]) -> list[list[float]]:
    """Features of the void's border in the section through its middle, for every axis."""
    found = []
    for axis in axes:
        middle = int(np.argmax(void.mask.sum(axis=tuple(other for other in range(3) if other != axis))))
        index = tuple(middle if other == axis else side for other, side in enumerate(void.box))
        parts, _ = ndimage.label(void.mask[index])
        mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        found.append(list(border_features(image[index], mask).values()))
    return found


def told(images: Sequence[np.ndarray | None], voids: Sequence[SpaceVoid], axes: Sequence[int], seed: int) -> Any:
    """AUC of a forest that tells borders of filled voids from untouched ones, in patients left out."""
    pairs = [(image, void) for image, void in zip(images, voids, strict=True) if image is not None]
    made = [row for image, void in pairs for row in sections(image, void, axes)]
    real = [row for _, void in pairs for row in sections(void.volume.truth, void, axes)]
    return told_apart(made, real, [void.group for _, void in pairs for _ in axes], seed)


def told_in_space(
    images: Sequence[np.ndarray | None], voids: Sequence[SpaceVoid], seed: int, cnn: bool = False
) -> dict[str, Any]:
    """The same by profiles across the border in space, by direction, and by a network on cubes of the border."""
    pairs = [(image, void) for image, void in zip(images, voids, strict=True) if image is not None]
    borders = [Border(void.mask[void.box]) for _, void in pairs]
    kinds = [
        [image[void.box].astype(np.float32) for image, void in pairs],
        [void.volume.truth[void.box] for _, void in pairs],
    ]
    groups = [void.group for _, void in pairs]
    made, real = ([space_features(part, border) for part, border in zip(kind, borders, strict=True)] for kind in kinds)
    found: dict[str, Any] = {}
    for way in DIRECTIONS:
        features = [[list(case[way].values()) for case in cases] for cases in (made, real)]
        found[f"told {way}"] = told_apart(*features, groups, seed)
    if cnn:
        cubes = [
            border_cubes(part[None], border, CUBES)
            for kind in kinds
            for part, border in zip(kind, borders, strict=True)
        ]
        truth, doubled = np.repeat([1, 0], len(pairs)), [(group, group) for group in groups] * 2
        scores = cnn_scores(np.stack(cubes), truth, doubled, "pair left out", seed)
        found["CNN"] = auc_interval([scores], truth, doubled, seed=seed)
    return found


def space_rows(
    voids: Sequence[SpaceVoid],
    methods: Mapping[str, SpaceMethod] = SPACE_METHODS,
    *,
    tell: bool = False,
    cnn: bool = False,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """A row for every method, and one for the truth: medians with intervals, patients being drawn anew."""
    groups = [void.group for void in voids]
    cases = {TRUTH: [measures(void.volume.truth, void) for void in voids]}
    forests: dict[str, Any] = {}
    for name, method in methods.items():
        begin, images = time.process_time(), []
        for void in voids:
            try:
                images.append(method(void).astype(np.float32))
            except NoPlaceError:
                images.append(None)
        print(f"  {name}: {time.process_time() - begin:.0f} s", file=sys.stderr, flush=True)
        nothing = dict.fromkeys(cases[TRUTH][0], float("nan"))
        cases[name] = [
            nothing if image is None else measures(image, void) for image, void in zip(images, voids, strict=True)
        ]
        if tell:
            forests[name] = {
                "told sections": told(images, voids, IN_PLANE, seed),
                "told sections through": told(images, voids, THROUGH, seed),
                **told_in_space(images, voids, seed, cnn),
            }
    columns = {name: {key: np.array([row[key] for row in rows]) for key in rows[0]} for name, rows in cases.items()}
    reference = columns[next(iter(methods))]["psnr"]
    rows = []
    for name, values in columns.items():
        row: dict[str, Any] = {"method": name} | {key: interval(numbers, groups) for key, numbers in values.items()}
        finite = np.isfinite(values["psnr"]) & np.isfinite(reference)
        more = np.subtract(values["psnr"], reference, out=np.full(len(voids), np.nan), where=finite)
        row["more psnr"] = interval(more, groups)
        rows.append(row | forests.get(name, {}))
    return rows


def gradients_together(images: Sequence[np.ndarray], where: np.ndarray) -> float:
    """Correlation of the gradients of two images, all directions together, where no other voxel has a say."""
    inner = ndimage.binary_erosion(where)
    one, other = (np.concatenate([part[inner] for part in np.gradient(image.astype(float))]) for image in images)
    return float(np.corrcoef(one, other)[0, 1])


def together(voids: Sequence[SpaceVoid], method: str) -> dict[str, dict[str, Any]]:
    """How much t1 and t1ce have in common: in the truth, filled together, and each by itself."""
    found: dict[str, list[float]] = {TRUTH: [], "filled together": [], "one by one": []}
    groups = []
    for void in voids:
        truth = np.stack([void.volume.sequence(name) for name in SEQUENCES])
        try:
            joint = void.filled(method, truth)
            alone = np.stack([void.filled(method, truth[k : k + 1])[0] for k in range(2)])
        except NoPlaceError:
            continue
        groups.append(void.group)
        for name, images in (("filled together", joint), ("one by one", alone), (TRUTH, truth)):
            found[name].append(gradients_together([image[void.box] for image in images[:2]], void.mask[void.box]))
    return {name: interval(np.array(values), groups) for name, values in found.items()}


def main() -> None:
    """Measure, and print a table."""
    parser = command_line(__doc__, "data", "seed")
    parser.add_argument("--patients", nargs="*", metavar="NAME", help="only those whose names hold one of these")
    parser.add_argument("--per-patient", type=int, default=6)
    parser.add_argument(
        "--methods", nargs="*", default=list(SPACE_METHODS), choices=list(SPACE_METHODS), metavar="NAME"
    )
    parser.add_argument("--cnn", action="store_true", help="also a small network in space on cubes of the border")
    parser.add_argument("--sequences", action="store_true", help="measure what t1 and t1ce have in common instead")
    given = parser.parse_args()
    patients = patients_of("removal_space", given.data, forest=not given.sequences)
    if given.patients:
        patients = [patient for patient in patients if any(name in patient.name for name in given.patients)]
    voids = list(space_voids(patients, given.per_patient, given.seed))
    print(f"{len(patients)} patients, {len(voids)} voids")
    if given.sequences:
        found = together(voids, "matched_mirror")
        print(table([{"filled": name, "correlation": shown(value), "n": value["n"]} for name, value in found.items()]))
        return
    methods = {name: SPACE_METHODS[name] for name in dict.fromkeys([REFERENCE, *given.methods])}
    tell = len({void.group for void in voids}) > 2
    rows = space_rows(voids, methods, tell=tell, cnn=given.cnn, seed=given.seed)
    columns = {key: None for row in rows for key in row if key != "method"}
    printed = [
        {"method": row["method"]}
        | {name: shown(row[name], 3 if name == "mse" else 2) if name in row else "" for name in columns}
        for row in rows
    ]
    print(table(printed))


if __name__ == "__main__":
    main()
