"""Do lesions stay what they were? Real lesions of one patient put into another, and what is left of their measures.

Contrast, rim-to-core difference and size at half maximum of a lesion in its new place are to be within 15% of those in
its donor. ``python benchmarks/fidelity.py [--data FOLDER] [--methods NAME ...]``

Models are kept in a folder (``--cache``), which may be that of ``seam_null.py``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _command import command_line, in_a_sentence, patients_of, write_json
from _intervals import interval
from _lesion_pastes import LesionPaste, lesion_pastes
from _measure import table
from _methods import METHODS, NETWORK_FREE, Method, methods

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import insertion_measures

KEPT = ("contrast_kept", "rim_core_kept", "size_kept")
WITHIN = 0.15


def measures(method: Method, case: LesionPaste) -> dict[str, float]:
    """Measures of a lesion in its new place; infinite where donor and host differ so much that one passes for air."""
    put = case.insertion
    lesion, donor_lesion = (put.tensor(mask.astype(np.uint8)) for mask in (put.mask, case.lesion))
    try:
        return insertion_measures({"": put.tensor(method(put))}, lesion, put.tensor(case.donor), donor_lesion)
    except ConSinGANError:
        return dict.fromkeys((*KEPT, "seam", "seam_donor"), float("inf"))


def row_of(name: str, method: Method, cases: list[LesionPaste], seed: int) -> dict[str, Any]:
    """A method's shares of lesions that are within 15%, and medians."""
    begin = time.perf_counter()
    found = [measures(method, case) for case in cases]
    kept = np.array([[measure[name] for name in KEPT] for measure in found])
    right = np.where(np.isnan(kept), np.nan, np.abs(kept - 1) <= WITHIN)
    pairs = ["/".join(sorted(case.pair)) for case in cases]
    row: dict[str, Any] = {"method": name, "n": len(cases)}
    columns = dict(zip(KEPT, right.T, strict=True)) | {"all three": np.fmin.reduce(right, axis=1)}
    for title, values in columns.items():
        row[title] = interval(values, pairs, lambda part: float(part.mean()), seed=seed)
    row |= {f"median {name}": float(np.nanmedian(values)) for name, values in zip(KEPT, kept.T, strict=True)}
    row |= {name: float(np.nanmedian([measure[name] for measure in found])) for name in ("seam", "seam_donor")}
    row["seconds"] = (time.perf_counter() - begin) / len(cases)
    return row


def printed(rows: list[dict[str, Any]]) -> str:
    """The table for people."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return "{:.0f}% ({:.0f} to {:.0f})".format(*(100 * value[key] for key in ("value", "low", "high")))
        return value

    return table([{key: shown(value) for key, value in row.items()} for row in rows])


def main() -> None:
    """Run the command."""
    shared = ("data", "windows", "limit", "seed", "cache", "json")
    parser = command_line(__doc__, *shared, windows=2, cache=Path("runs/seam_null"))
    parser.add_argument("--methods", nargs="*", default=list(NETWORK_FREE), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--per-pair", type=int, default=4, help="lesions for an ordered pair of patients (default 4)")
    arguments = parser.parse_args()
    patients = patients_of("fidelity", arguments.data)
    given = {"per_pair": arguments.per_pair, "windows": arguments.windows, "seed": arguments.seed}
    rows = []
    with in_a_sentence("fidelity"):
        cases = list(lesion_pastes(patients, **given, limit=arguments.limit))
        print(f"  {len(patients)} patients, {len(cases)} lesions", file=sys.stderr, flush=True)
        for name, method in methods(arguments.methods, arguments.cache / "models", arguments.seed).items():
            rows.append(row_of(name, method, cases, arguments.seed))
            print(f"  {name}: {rows[-1]['all three']['value']:.2f}", file=sys.stderr, flush=True)
    print(printed(rows))
    write_json(arguments.json, **given, patients=[patient.name for patient in patients], methods=rows)


if __name__ == "__main__":
    main()
