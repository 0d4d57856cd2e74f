"""Removal on known tissue: lesion-shaped regions of healthy brain are voided, filled, and compared with what was there.

``python benchmarks/removal.py [--data FOLDER] [--methods NAME ...]``. With ``--tell-apart`` also: can a random forest
tell the border of a filled void from the untouched place (needs scikit-learn)? With ``--detector`` also: does a
detector of lesions still fire where a real one was removed? Goal: PSNR at least that of the Poisson-corrected mirror,
texture within 0.8 to 1.2, and a seam of at most 1.28.

Results are kept in a folder (``--cache``): a killed run goes on where it was; delete it when a method has changed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _border_features import border_features
from _command import command_line, in_a_sentence, patients_of, write_json
from _intervals import interval, shown
from _kept import kept
from _measure import table
from _null_voids import NullVoid, null_voids
from _patients import Patient
from _removal_detector import detection_rows, real_removals
from _removal_methods import NETWORK_FREE, REFERENCE, REMOVALS, Removal, RemovalMethod, removal_methods
from _telling_apart import told_apart

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import Panel, SliceView, difference_panel, save_panel
from monai_consingan.metrics import seam, texture, tissue_agreement

Make = Callable[[Removal], dict[str, np.ndarray]]
TRUTH = "(the truth)"
TEXTURE, SEAM = (0.8, 1.2), 1.28
LESIONS = 8
"""Figures of slices of a patient's lesions."""


def given(void: NullVoid) -> Removal:
    """What a method is given of a void."""
    window = void.window
    return Removal(void.image, void.mask, window.patient.slice_affine(window.slice), window.patient.symmetry)


def result_of(method: RemovalMethod, case: Removal, folder: Path) -> np.ndarray | None:
    """The image that a method makes, from the cache if it is there; None if it refuses to."""
    ill = case.mask if case.ill is None else case.ill
    try:
        return kept(folder, method, (case.image, case.mask, case.affine, ill), lambda: method(case))
    except ConSinGANError:
        return None


def made_of(case: Removal, chosen: Mapping[str, RemovalMethod], folder: Path) -> dict[str, np.ndarray]:
    """What the methods make of a case, without those that refuse."""
    images = {name: result_of(method, case, folder) for name, method in chosen.items()}
    return {name: image for name, image in images.items() if image is not None}


def measures_of(image: np.ndarray, void: NullVoid) -> dict[str, float]:
    """Agreement with the truth, texture and seam of a filled void."""
    result, mask, truth = image[None], void.mask[None], void.truth[None]
    brain = void.window.patient.brain[None, ..., void.window.slice]
    where: dict[str, Any] = {"spacing": void.window.patient.spacing, "tissue": brain}
    found = tissue_agreement(result, truth, mask)
    return {
        "psnr": found.psnr,
        "mse": found.mse,
        "ssim": found.ssim,
        "texture": texture(result, mask, **where),
        "seam": seam(result, mask, **where),
    }


def fillings_told(images: Sequence[np.ndarray | None], voids: Sequence[NullVoid], seed: int) -> dict[str, Any]:
    """AUC of a forest that has to tell borders of filled voids from the untouched ones, in a patient left out.

    Args:
        images: the filled slices, None where a method refuses.
        voids: what they were filled in.
        seed: of the forest and of the interval.
    """
    pairs = [(image, void) for image, void in zip(images, voids, strict=True) if image is not None]
    made = [list(border_features(image, void.mask).values()) for image, void in pairs]
    real = [list(border_features(void.truth, void.mask).values()) for _, void in pairs]
    return told_apart(made, real, [void.group for _, void in pairs], seed)


def measure(
    voids: list[NullVoid],
    chosen: Mapping[str, RemovalMethod],
    cache: Path,
    seed: int = 0,
    tell: bool = False,
) -> list[dict[str, Any]]:
    """A row for every method, and one for the truth."""
    groups = [void.group for void in voids]
    chosen = {REFERENCE: removal_methods([REFERENCE], cache / "models")[REFERENCE], **chosen}
    found = {TRUTH: [measures_of(void.truth, void) for void in voids]}
    seconds, told = {TRUTH: 0.0}, {}
    for name, method in chosen.items():
        begin = time.perf_counter()
        images = [result_of(method, given(void), cache) for void in voids]
        seconds[name] = time.perf_counter() - begin
        if tell:
            told[name] = fillings_told(images, voids, seed)
        found[name] = [
            dict.fromkeys(found[TRUTH][0], float("nan")) if image is None else measures_of(image, void)
            for image, void in zip(images, voids, strict=True)
        ]
        print(f"  {name}: {seconds[name]:.0f} s", file=sys.stderr, flush=True)
    columns = {name: {key: np.array([row[key] for row in rows]) for key in rows[0]} for name, rows in found.items()}
    reference = columns[REFERENCE]["psnr"]
    rows = []
    for name, values in columns.items():
        row: dict[str, Any] = {"method": name, "seconds": seconds[name]}
        row |= {key: interval(numbers, groups) for key, numbers in values.items()}
        finite = np.isfinite(values["psnr"]) & np.isfinite(reference)
        more = np.subtract(values["psnr"], reference, out=np.full(len(voids), np.nan), where=finite)
        row["more psnr"] = interval(more, groups)
        natural = (TEXTURE[0] <= values["texture"]) & (values["texture"] <= TEXTURE[1]) & (values["seam"] <= SEAM)
        met = np.where(np.isnan(values["psnr"]), np.nan, natural & (values["psnr"] >= reference))
        row["met"] = interval(met, groups, lambda shares: float(np.mean(shares)))
        row["goal"] = (
            row["more psnr"]["value"] >= 0
            and TEXTURE[0] <= row["texture"]["value"] <= TEXTURE[1]
            and row["seam"]["value"] <= SEAM
        )
        row["told"] = told.get(name)
        row["cases"] = {key: numbers.tolist() for key, numbers in values.items()}
        rows.append(row)
    return rows


def printed(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for people."""
    told = any(row["told"] for row in rows)
    return table(
        [
            {
                "method": row["method"],
                "PSNR, dB": shown(row["psnr"], 1),
                "less the reference's": shown(row["more psnr"], 2, "+"),
                "MSE": shown(row["mse"], 4),
                "SSIM": shown(row["ssim"], 2),
                "texture": shown(row["texture"], 2),
                "seam": shown(row["seam"], 2),
                "n": row["psnr"]["n"],
                "medians meet the goal": "" if row["method"] == TRUTH else ("yes" if row["goal"] else "no"),
                "cases that do": shown(row["met"], 2),
            }
            | ({"told, AUC": shown(row["told"], 2) if row["told"] else ""} if told else {})
            for row in rows
        ]
    )


def save_figures(patients: Sequence[Patient], voids: Sequence[NullVoid], make: Make, folder: Path) -> None:
    """A panel of every void and of some slices of real lesions: what was there, what the methods made, the difference.

    Args:
        patients: whose real lesions.
        voids: the voids.
        make: the methods' images of a case by their names.
        folder: where the figures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases = [(f"void_{void.group}_{void.number:02d}", void.truth, given(void)) for void in voids]
    for patient in patients:
        removals = list(real_removals(patient).items())
        some = np.unique(np.linspace(0, len(removals) - 1, LESIONS).astype(int)) if removals else []
        cases += [(f"lesion_{patient.name}_{k:03d}", case.image, case) for k, case in (removals[n] for n in some)]
    for name, before, case in cases:
        mask = SliceView(case.mask.astype(np.float32), case.spacing)
        view = SliceView(before, case.spacing)
        panels = [Panel("before", view, {"filled": mask}, mask)]
        for method, image in make(case).items():
            result = SliceView(image, case.spacing)
            panels += [Panel(method, result, {}, mask), difference_panel(result, view, focus=mask)]
        save_panel(folder / f"{name}.png", panels, dpi=70)


def main(command: Sequence[str] | None = None) -> None:
    """Run the command."""
    shared = ("data", "windows", "seed", "cache", "json")
    parser = command_line(__doc__, *shared, windows=3, cache=Path("runs/removal"))
    parser.add_argument("--methods", nargs="*", default=list(NETWORK_FREE), choices=list(REMOVALS), metavar="NAME")
    parser.add_argument("--per-patient", type=int, default=24, help="voids of a patient (default 24)")
    parser.add_argument("--tell-apart", action="store_true", help="also let a forest tell fillings from tissue")
    parser.add_argument("--detectors", type=int, default=2, metavar="NUMBER", help="for each patient (default 2)")
    parser.add_argument("--detector", action="store_true", help="also remove real lesions, and let a detector look")
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="also write a figure of every void")
    arguments = parser.parse_args(command)
    cache = arguments.cache
    patients, detected = patients_of("removal", arguments.data, forest=arguments.tell_apart), []
    with in_a_sentence("removal"):
        cache.mkdir(parents=True, exist_ok=True)
        how = {"per_patient": arguments.per_patient, "windows": arguments.windows, "seed": arguments.seed}
        voids = list(null_voids(patients, **how))
        print(f"  {len(patients)} patients, {len(voids)} voids", file=sys.stderr, flush=True)
        chosen = removal_methods(arguments.methods, cache / "models", arguments.seed)
        rows = measure(voids, chosen, cache, arguments.seed, arguments.tell_apart)
        print(printed(rows), flush=True)
        if arguments.detector:
            detected = detection_rows(patients, chosen, partial(result_of, folder=cache), arguments.detectors)
        if arguments.figures:
            save_figures(patients, voids, lambda case: made_of(case, chosen, cache), arguments.figures)
    if detected:
        print(f"\n{table(detected)}")
    names = [patient.name for patient in patients]
    write_json(arguments.json, **how, patients=names, methods=rows, detector=detected)


if __name__ == "__main__":
    main()
