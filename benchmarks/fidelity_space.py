"""Do lesions stay what they were in space? Whole lesions of one patient, shrunk and put into another, by sequence.

As ``fidelity.py``, but of volumes. ``python benchmarks/fidelity_space.py [--data FOLDER] [--methods NAME ...]``

Results, and networks of methods that need them, are kept in a folder (``--cache``).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _intervals import interval
from _lesion_pastes_space import space_lesions
from _measure import table
from _methods_space import METHODS, SpaceModels, result_of
from _null_pastes_space import SpacePaste
from _sequences import SEQUENCES, read_volumes
from fidelity import KEPT, WITHIN

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import measure_lesion
from monai_consingan.metrics.surroundings import Surroundings


def shares(case: SpacePaste, image: np.ndarray) -> np.ndarray:
    """What is left of every sequence's contrast, rim-to-core difference and size, (sequences, 3)."""
    lesion = case.mask[None]
    new, old = (Surroundings(part, lesion, spacing=1.0, lead=0) for part in (image, case.tissue))
    found = []
    for channel in range(len(image)):
        share = measure_lesion(new.of_sequence(channel)).kept_from(measure_lesion(old.of_sequence(channel)))
        found.append((share.contrast, share.rim_core_difference, share.half_maximum_size))
    return np.array(found)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the patients (default: see _patients.py)")
    parser.add_argument("--patients", nargs="*", default=[], help="parts of their names (default: all)")
    parser.add_argument("--methods", nargs="*", default=["gain matched", "tissue"], choices=list(METHODS))
    parser.add_argument("--per-pair", type=int, default=1, help="lesions for an ordered pair of patients (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/fidelity_space"), help="folder that keeps the pastes")
    arguments = parser.parse_args()
    try:
        volumes = read_volumes(arguments.data, SEQUENCES, arguments.patients)
        cases = list(space_lesions(volumes, per_pair=arguments.per_pair, seed=arguments.seed))
        rows = [row for name in arguments.methods for row in rows_of(name, cases, arguments.cache, arguments.seed)]
    except ConSinGANError as error:
        raise SystemExit(f"fidelity_space: {error}") from None
    print(table(rows))


def rows_of(name: str, cases: list[SpacePaste], cache: Path, seed: int) -> list[dict[str, Any]]:
    """For each sequence the shares of lesions that are within 15%, with intervals over pairs, and the median size."""
    models = SpaceModels(cache / "models", seed, cases)
    found = [shares(case, result_of(name, case, cache, models)) for case in cases]
    pairs = ["/".join(sorted(case.pair)) for case in cases]
    rows = []
    for channel, sequence in enumerate(SEQUENCES):
        values = np.array(found)[:, channel]
        right = np.where(np.isnan(values), np.nan, np.abs(values - 1) <= WITHIN)
        row: dict[str, Any] = {"method": name, "sequence": sequence, "n": len(cases)}
        for title, column in {**dict(zip(KEPT, right.T, strict=True)), "all": np.fmin.reduce(right, axis=1)}.items():
            part = interval(column, pairs, lambda part: float(part.mean()), seed=seed)
            row[title] = "{:.0f}% ({:.0f} to {:.0f})".format(*(100 * part[key] for key in ("value", "low", "high")))
        row["median size"] = float(np.nanmedian(values[:, 2]))
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
