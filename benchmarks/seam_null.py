"""Seam null test: healthy tissue of one patient is pasted into another; can a classifier tell where?

Whatever tells such a border from an untouched one is artefact, so an AUC of 0.5 is perfect. The control of a paste is
the same place of the same host, untouched. ``python benchmarks/seam_null.py [--data FOLDER] [--methods NAME ...]``

Results are kept in a folder (``--cache``): a killed run goes on where it was; delete it when a method has changed.
Needs scikit-learn.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _border_features import border_features, border_patches
from _command import command_line, in_a_sentence, patients_of, write_json
from _intervals import shown
from _kept import kept
from _measure import table
from _methods import METHODS, NETWORK_FREE, Insertion, Method, methods
from _null_pastes import NullPaste, null_pastes
from _telling_apart import FOLDS, auc_interval, cnn_scores, forest_scores
from scipy.ndimage import gaussian_filter

from monai_consingan.distance import outside_distance

PATCHES = 8
"""Patches of a border that the network sees."""


def result_of(method: Method, case: NullPaste, folder: Path) -> np.ndarray:
    """The image that a method makes, from the cache if it is there."""
    given = Insertion(case.host, case.tissue, case.mask, case.window.patient.spacing)
    return kept(folder, method, (case.host, case.tissue, case.mask), lambda: method(given))


def detail_kept(image: np.ndarray, case: NullPaste) -> float:
    """How much of what was pasted is left: correlation of result and tissue where it was, without slow changes."""
    share = gaussian_filter(case.mask.astype(float), 3.0)
    parts = [np.where(case.mask, part, 0.0) for part in (image, case.tissue)]
    detail = [(part - gaussian_filter(part, 3.0) / np.maximum(share, 1e-9))[case.mask] for part in parts]
    return float(np.corrcoef(detail)[0, 1])


def reach_mm(image: np.ndarray, case: NullPaste) -> float:
    """How far from the mask the host was changed."""
    away = outside_distance(case.mask, case.window.patient.spacing)
    return float(away[image != case.host].max(initial=0.0))


def measure(
    cases: list[NullPaste],
    chosen: dict[str, Method],
    cache: Path,
    seed: int,
    cnn: bool = False,
    against: str = "poisson",
) -> list[dict[str, Any]]:
    """A row for every method, with its difference to one of them, ``against``, if that is there."""
    pairs = [case.pair for case in cases] * 2
    truth = np.repeat([1, 0], len(cases))
    untouched = [border_features(case.host, case.mask) for case in cases]
    plain = [border_patches(case.host, case.mask, PATCHES) for case in cases] if cnn else []
    names = list(untouched[0])
    rows: list[dict[str, Any]] = []
    scores: dict[tuple[str, str], np.ndarray] = {}
    for name, method in chosen.items():
        begin = time.perf_counter()
        images = [result_of(method, case, cache) for case in cases]
        row: dict[str, Any] = {"method": name, "seconds": time.perf_counter() - begin}
        row["detail"] = float(np.median([detail_kept(*both) for both in zip(images, cases, strict=True)]))
        row["reach"] = max(reach_mm(*both) for both in zip(images, cases, strict=True))
        found = [border_features(image, case.mask) for image, case in zip(images, cases, strict=True)]
        features = np.array([list(values.values()) for values in found + untouched])
        for folds in FOLDS:
            scores[name, folds], weights = forest_scores(features, truth, pairs, folds, seed)
            row[folds] = auc_interval([scores[name, folds]], truth, pairs, seed=seed)
            row[folds]["seen"] = [names[k] for k in np.argsort(-weights)[:10]]
            if cnn:
                patches = [border_patches(image, case.mask, PATCHES) for image, case in zip(images, cases, strict=True)]
                seen = cnn_scores(np.stack(patches + plain)[:, :, None], truth, pairs, folds, seed)
                row[folds]["CNN"] = auc_interval([seen], truth, pairs, seed=seed)
            print(f"  {name}, {folds}: {shown(row[folds], 3)}", file=sys.stderr, flush=True)
        rows.append(row)
    for row in rows if against in chosen else []:
        for folds in FOLDS:
            both = [scores[row["method"], folds], scores[against, folds]]
            gap = auc_interval(both, truth, pairs, lambda both: both[0] - both[1], seed=seed)
            row[folds][f"less {against}"] = gap
    return rows


def printed(rows: list[dict[str, Any]], against: str) -> str:
    """The table for people."""
    lines = []
    for row in rows:
        line = {"method": row["method"]}
        for folds in FOLDS:
            line[f"AUC, {folds}"] = shown(row[folds], 3)
            if "CNN" in row[folds]:
                line[f"CNN's, {folds}"] = shown(row[folds]["CNN"], 3)
            if f"less {against}" in row[folds]:
                gap = row[folds][f"less {against}"]
                line[f"less {against}'s, {folds}"] = shown(gap, 3, "+")
        line |= {"n": row[folds]["n"], "detail kept": f"{row['detail']:.2f}", "reach, mm": f"{row['reach']:.1f}"}
        line["seen by"] = ", ".join(row["pair left out"]["seen"][:3])
        lines.append(line)
    return table(lines)


def main() -> None:
    """Run the command."""
    shared = ("data", "windows", "limit", "seed", "cache", "json")
    parser = command_line(__doc__, *shared, windows=2, cache=Path("runs/seam_null"))
    parser.add_argument("--methods", nargs="*", default=list(NETWORK_FREE), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--per-pair", type=int, default=8, help="pastes for an ordered pair of patients (default 8)")
    parser.add_argument("--against", default="poisson", metavar="NAME", help="method to compare the others with")
    parser.add_argument("--cnn", action="store_true", help="also a small network on patches of the border")
    arguments = parser.parse_args()
    patients = patients_of("seam_null", arguments.data, forest=True)
    with in_a_sentence("seam_null"):
        given = {"per_pair": arguments.per_pair, "windows": arguments.windows, "seed": arguments.seed}
        cases = list(null_pastes(patients, **given, limit=arguments.limit))
        print(f"  {len(patients)} patients, {len(cases)} pastes", file=sys.stderr, flush=True)
        chosen = methods(arguments.methods, arguments.cache / "models", arguments.seed)
        rows = measure(cases, chosen, arguments.cache, arguments.seed, arguments.cnn, arguments.against)
    print(printed(rows, arguments.against))
    write_json(arguments.json, **given, patients=[patient.name for patient in patients], methods=rows)


if __name__ == "__main__":
    main()
