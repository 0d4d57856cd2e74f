"""Seam null test: healthy tissue of one patient is pasted into another; can a classifier tell where?

Whatever tells such a border from an untouched one is artefact, so an AUC of 0.5 is perfect. The control of a paste is
the same place of the same host, untouched. ``python benchmarks/seam_null.py [--data FOLDER] [--methods NAME ...]``

Results are kept in a folder (``--cache``): a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _border_features import border_features
from _measure import machine, table
from _methods import CLASSICAL, METHODS, Insertion, Method, methods
from _null_pastes import NullPaste, null_pastes
from _patients import find_patients
from _telling_apart import auc_interval, forest_scores

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import whole_file


def result_of(name: str, method: Method, case: NullPaste, folder: Path) -> np.ndarray:
    """The image that a method makes, from the cache if it is there."""
    key = hashlib.sha256(repr(method).encode())
    for array in (case.host, case.tissue, case.mask):
        key.update(np.ascontiguousarray(array).tobytes())
    path = folder / f"{key.hexdigest()[:24]}.npy"
    if path.exists():
        return np.asarray(np.load(path))
    image = method(Insertion(case.host, case.tissue, case.mask, case.window.patient.spacing))
    with whole_file(path) as temporary:
        np.save(temporary, image)
    return image


def likeness(image: np.ndarray, case: NullPaste) -> float:
    """How much of the tissue is left: its correlation with the result where it was pasted."""
    return float(np.corrcoef(image[case.mask], case.tissue[case.mask])[0, 1])


def measure(cases: list[NullPaste], chosen: dict[str, Method], cache: Path, seed: int) -> list[dict[str, Any]]:
    """A row for every method."""
    pairs = [case.pair for case in cases] * 2
    truth = np.repeat([1, 0], len(cases))
    untouched = [border_features(case.host, case.mask) for case in cases]
    rows, scores = [], {}
    for name, method in chosen.items():
        begin = time.perf_counter()
        images = []
        for number, case in enumerate(cases, 1):
            images.append(result_of(name, method, case, cache))
            if number % 20 == 0:
                print(f"  {name}: {number} of {len(cases)}", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - begin
        found = [border_features(image, case.mask) for image, case in zip(images, cases, strict=True)]
        features = np.array([list(values.values()) for values in found + untouched])
        scores[name], weights = forest_scores(features, truth, pairs, seed)
        area = auc_interval([scores[name]], truth, pairs, seed=seed)
        row: dict[str, Any] = {"method": name, "AUC": area["value"], "low": area["low"], "high": area["high"]}
        row |= {
            "n": area["n"],
            "content": float(np.median([likeness(*both) for both in zip(images, cases, strict=True)])),
        }
        row |= {"s": seconds, "seen": [list(found[0])[k] for k in np.argsort(-weights)[:8]]}
        rows.append(row)
        print(f"  {name}: {area['value']:.3f} ({area['low']:.3f} to {area['high']:.3f})", file=sys.stderr, flush=True)
    if "poisson" in scores:
        for row in rows:
            both = [scores[row["method"]], scores["poisson"]]
            row["less poisson"] = auc_interval(both, truth, pairs, lambda values: values[0] - values[1], seed=seed)
    return rows


def shown(rows: list[dict[str, Any]]) -> str:
    """The table for people."""
    lines = []
    for row in rows:
        line = {
            "method": row["method"],
            "AUC": f"{row['AUC']:.3f}",
            "95% interval": f"{row['low']:.3f} to {row['high']:.3f}",
        }
        if "less poisson" in row:
            gap = row["less poisson"]
            line["less Poisson's"] = f"{gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})"
        line |= {"n": row["n"], "content kept": f"{row['content']:.3f}", "seen by": ", ".join(row["seen"][:3])}
        lines.append(line)
    return table(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the patients (default: see _patients.py)")
    parser.add_argument("--methods", nargs="*", default=list(CLASSICAL), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--per-pair", type=int, default=8, help="pastes for an ordered pair of patients (default 8)")
    parser.add_argument("--windows", type=int, default=2, help="places of a host, a model each (default 2)")
    parser.add_argument("--limit", type=int, help="only so many pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/seam_null"), help="folder that keeps what is done")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to a file")
    arguments = parser.parse_args()
    try:
        patients = find_patients(arguments.data)
        arguments.cache.mkdir(parents=True, exist_ok=True)
        given = {"per_pair": arguments.per_pair, "windows": arguments.windows, "seed": arguments.seed}
        cases = list(null_pastes(patients, **given, limit=arguments.limit))
        print(f"  {len(patients)} patients, {len(cases)} pastes", file=sys.stderr, flush=True)
        chosen = methods(arguments.methods, arguments.cache / "models", arguments.seed)
        rows = measure(cases, chosen, arguments.cache, arguments.seed)
    except ConSinGANError as error:
        raise SystemExit(f"seam_null: {error}") from None
    print(shown(rows))
    if arguments.json:
        report = {"machine": machine(), **given, "patients": [patient.name for patient in patients], "methods": rows}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
