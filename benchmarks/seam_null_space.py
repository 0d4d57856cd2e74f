"""Seam null test in space: healthy tissue of one patient is pasted into another; can a forest tell where?

As ``seam_null.py``, but of whole volumes and every sequence: profiles across the border in all directions, those in
plane and those through plane. ``python benchmarks/seam_null_space.py [--data FOLDER] [--sequences t1ce flair ...]``

Results are kept in a folder (``--cache``). Needs scikit-learn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _border_space import DIRECTIONS, Border, space_features
from _command import command_line, in_a_sentence, patients_of, write_json
from _intervals import shown
from _kept import kept
from _measure import table
from _null_pastes_space import SpacePaste, space_pastes
from _sequences import SEQUENCES, read_volumes
from _telling_apart import auc_interval, forest_scores

from monai_consingan.transforms import PasteLesion

METHODS: dict[str, dict[str, Any]] = {
    "gain matched": {"match": "gain"},
    "poisson": {"blend": "poisson"},
    "gain matched + poisson": {"blend": "poisson", "match": "gain"},
    "tissue by slices": {"blend": "tissue", "match": "gain", "axis": 2},
    "tissue": {"blend": "tissue", "match": "gain"},
}
"""Options of :class:`monai_consingan.transforms.PasteLesion` by name."""
FOLDS = "pair left out"


def features(image: np.ndarray, mask: np.ndarray) -> list[dict[str, dict[str, float]]]:
    """Features of every sequence by direction."""
    border = Border(mask)
    return [space_features(channel, border) for channel in image]


def matrix(found: list[dict[str, dict[str, float]]], directions: tuple[str, ...]) -> np.ndarray:
    """Features of all cases in some directions, one row a case."""
    return np.array([[value for way in directions for value in case[way].values()] for case in found])


def measure(
    cases: list[SpacePaste], names: list[str], sequences: list[str], cache: Path, seed: int, judged: list[str]
) -> list[dict]:
    """A row for every method and sequence: AUC by all profiles, by those in plane, and by those through plane.

    Only pairs with a patient of ``judged`` count, if any are named; forests learn from all other pairs.
    """
    pairs = [case.pair for case in cases] * 2
    truth = np.repeat([1, 0], len(cases))
    counts = np.array([not judged or any(part in name for part in judged for name in pair) for pair in pairs])
    untouched = [features(case.host, case.mask) for case in cases]
    rows = []
    for name in names:
        paste = PasteLesion(**METHODS[name])
        found = []
        for case in cases:
            given = (case.host, case.tissue, case.mask)
            image = kept(
                cache, METHODS[name], given, lambda g=given, p=paste: p(g[0], g[1], np.uint8(g[2])[None]).image
            )
            found.append(features(image, case.mask))
        for channel, sequence in enumerate(sequences):
            row: dict[str, Any] = {"method": name, "sequence": sequence, "n": int(counts.sum())}
            both = [case[channel] for case in found + untouched]
            for title, ways in {"all": DIRECTIONS, **{way: (way,) for way in DIRECTIONS}}.items():
                scores = forest_scores(matrix(both, ways), truth, pairs, FOLDS, seed)[0]
                row[title] = auc_interval([np.where(counts, scores, np.nan)], truth, pairs, seed=seed)
            rows.append(row)
    return rows


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "data", "seed", "cache", "json", cache=Path("runs/seam_null_space"))
    parser.add_argument("--patients", nargs="*", default=[], help="parts of their names (default: all)")
    parser.add_argument("--judged", nargs="*", default=[], help="parts of names: only pairs with these count")
    parser.add_argument("--sequences", nargs="*", default=list(SEQUENCES), metavar="NAME")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--per-pair", type=int, default=6, help="pastes for an ordered pair of patients (default 6)")
    arguments = parser.parse_args()
    patients_of("seam_null_space", arguments.data, forest=True)
    with in_a_sentence("seam_null_space"):
        arguments.cache.mkdir(parents=True, exist_ok=True)
        volumes = read_volumes(arguments.data, arguments.sequences, arguments.patients)
        cases = list(space_pastes(volumes, per_pair=arguments.per_pair, seed=arguments.seed))
        rows = measure(cases, arguments.methods, arguments.sequences, arguments.cache, arguments.seed, arguments.judged)
    printed = [
        {key: shown(value, 3) if isinstance(value, dict) else value for key, value in row.items()} for row in rows
    ]
    print(table(printed))
    write_json(arguments.json, patients=[volume.name for volume in volumes], rows=rows)


if __name__ == "__main__":
    main()
