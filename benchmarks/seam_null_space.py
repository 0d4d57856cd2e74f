"""Seam null test in space: healthy tissue of one patient is pasted into another; can a classifier tell where?

As ``seam_null.py``, but of whole volumes, every sequence and all sequences jointly: profiles across the border in all
directions, those in plane and those through plane; with ``--cnn`` also a small network in space on cubes of the border.
``python benchmarks/seam_null_space.py [--data FOLDER] [--sequences t1ce flair ...] [--cnn]``

Methods with a network train one for every host (``--methods tissue-consingan``) or, as ``harmonize`` does, one for
every place (``--methods "tissue-consingan at the place"``: minutes each; with ``--one-place`` a host has one place).
They and results are kept in a folder (``--cache``), from which a killed run goes on. Needs scikit-learn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _border_space import DIRECTIONS, Border, border_cubes, space_features
from _command import command_line, in_a_sentence, patients_of, write_json
from _intervals import interval, shown
from _measure import table
from _methods_space import METHODS, NETWORK_FREE, SpaceModels, result_of, share_left
from _null_pastes_space import SpacePaste, space_pastes
from _sequences import SEQUENCES, read_volumes
from _telling_apart import auc_interval, cnn_scores, forest_scores

FOLDS = "pair left out"
JOINT = "joint"
"""All sequences together."""
CUBES = 8
"""Cubes of a border that the network sees."""


def features(image: np.ndarray, mask: np.ndarray) -> list[dict[str, dict[str, float]]]:
    """Features of every sequence by direction."""
    border = Border(mask)
    return [space_features(channel, border) for channel in image]


def matrix(
    found: list[list[dict[str, dict[str, float]]]], channels: list[int], directions: tuple[str, ...]
) -> np.ndarray:
    """Features of all cases in some sequences and directions, one row a case."""
    return np.array(
        [[value for k in channels for way in directions for value in case[k][way].values()] for case in found]
    )


def measure(
    cases: list[SpacePaste],
    names: list[str],
    sequences: list[str],
    cache: Path,
    seed: int,
    judged: list[str],
    cnn: bool = False,
) -> list[dict[str, Any]]:
    """A row for every method and sequence, and one for all sequences of several.

    A row has the AUC by all profiles, by those in plane, by those through plane, and with ``cnn`` by the network, and
    the median of what is left of the paste (:func:`share_left`), as to leave the host as it is hides any border. Only
    pairs with a patient of ``judged`` count, if any are named; classifiers learn from all other pairs.
    """
    pairs = [case.pair for case in cases] * 2
    truth = np.repeat([1, 0], len(cases))
    counts = np.array([not judged or any(part in name for part in judged for name in pair) for pair in pairs])
    parts = {sequence: [channel] for channel, sequence in enumerate(sequences)}
    if len(sequences) > 1:
        parts[JOINT] = list(range(len(sequences)))
    untouched = [features(case.host, case.mask) for case in cases]

    def cubes(images: list[np.ndarray]) -> list[np.ndarray]:
        """What the network sees of an image for every case."""
        return [border_cubes(image, Border(case.mask), CUBES) for image, case in zip(images, cases, strict=True)]

    def area(scores: np.ndarray) -> dict[str, Any]:
        """The AUC of the pairs that count."""
        return auc_interval([np.where(counts, scores, np.nan)], truth, pairs, seed=seed)

    plain = cubes([case.host for case in cases]) if cnn else []
    models = SpaceModels(cache / "models", seed, cases)
    rows = []
    for name in names:
        images = [result_of(name, case, cache, models) for case in cases]
        both = [features(image, case.mask) for image, case in zip(images, cases, strict=True)] + untouched
        pasted = cubes(images) if cnn else []
        remains = np.array([share_left(image, case) for image, case in zip(images, cases, strict=True)])
        for part, channels in parts.items():
            row: dict[str, Any] = {"method": name, "sequence": part, "n": int(counts.sum())}
            shares = np.where(counts[: len(cases)], remains[:, channels].mean(axis=1), np.nan)
            row["left"] = interval(shares, [case.pair[0] for case in cases], seed=seed)
            for title, ways in {"all": DIRECTIONS, **{way: (way,) for way in DIRECTIONS}}.items():
                row[title] = area(forest_scores(matrix(both, channels, ways), truth, pairs, FOLDS, seed)[0])
            if cnn:
                row["CNN"] = area(cnn_scores(np.stack(pasted + plain)[:, :, channels], truth, pairs, FOLDS, seed))
            rows.append(row)
    return rows


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "data", "seed", "cache", "json", cache=Path("runs/seam_null_space"))
    parser.add_argument("--patients", nargs="*", default=[], help="parts of their names (default: all)")
    parser.add_argument("--judged", nargs="*", default=[], help="parts of names: only pairs with these count")
    parser.add_argument("--sequences", nargs="*", default=list(SEQUENCES), metavar="NAME")
    parser.add_argument("--methods", nargs="*", default=list(NETWORK_FREE), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--per-pair", type=int, default=6, help="pastes for an ordered pair of patients (default 6)")
    parser.add_argument("--donors", type=int, help="of every host, those that follow it in a circle (default: all)")
    parser.add_argument("--limit", type=int, help="only so many pastes, host after host (default: all)")
    parser.add_argument("--one-place", action="store_true", help="all pastes of a host go where its first one does")
    parser.add_argument("--cnn", action="store_true", help="also a small network in space on cubes of the border")
    arguments = parser.parse_args()
    patients_of("seam_null_space", arguments.data, forest=True)
    with in_a_sentence("seam_null_space"):
        volumes = read_volumes(arguments.data, arguments.sequences, arguments.patients)
        chosen = {name: getattr(arguments, name) for name in ("per_pair", "seed", "donors", "one_place")}
        cases = list(space_pastes(volumes, **chosen))[: arguments.limit]
        shared = (arguments.cache, arguments.seed, arguments.judged, arguments.cnn)
        rows = measure(cases, arguments.methods, arguments.sequences, *shared)
    printed = [
        {key: shown(value, 3) if isinstance(value, dict) else value for key, value in row.items()} for row in rows
    ]
    print(table(printed))
    write_json(arguments.json, patients=[volume.name for volume in volumes], rows=rows)


if __name__ == "__main__":
    main()
