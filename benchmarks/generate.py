"""Generated lesions against real ones: told apart, alike, new, cheap.

``python benchmarks/generate.py [--data FOLDER] [--check]``. What counts was written down before the first run:

- *Told apart* (first): a forest on shape, intensity and texture of all sequences and on the border's profile, and a
  small network on the three planes, tell generated lesions from copies of real ones (turned and scaled, nothing else)
  at the same places, pasted alike; hosts and donors are left out of the training. 0.5 is perfect. The reference is
  *warped*: a candidate is as good if the upper end of its paired difference to it stays below +0.03.
- *Coverage* of the real lesion of a patient left out by lesions made of other patients, in seven features
  (standardised): the share that has a made lesion nearer than the second nearest real lesion. Of 1 donor (each), of 2
  (pairs drawn by the seed) and of all others, always as many lesions in all (``--count``), so that donors count and not
  lesions; means of the sets of donors without the patient. Outlines are the set's, too. The distance to the nearest
  made lesion over that to the nearest copy (median) is below 1 where it is better than copies. Real lesions are larger
  than made ones, which some features tell; *at one size* is the same of real lesions of the sizes of made ones.
- *Density*: how many of the made lesions lie in the balls of coverage, over what is expected (1 is as dense as real).
- *Frechet*: logarithm of the squared distance of the forest's features of lesions between made ones and copies, as the
  radiomic distance has it; beside it that of copies of one half of the donors to copies of the other half.
- *Novelty*: likeness to the nearest donor (1 is a copy); that of different real lesions is the floor, and the share of
  made ones that are above its greatest value is told.
- *Painted* lesions are by one network of all patients, also of those left out, which is in its favour. It is trained
  first, and kept in ``--bank``.
- *Cost*: seconds of a core for a lesion of 20 mm with four sequences, and the memory of the whole run.

Of the methods that are as good as warped by both classifiers, that with the best coverage becomes the default; if there
is none, warped. Needs scikit-learn. ``--no-paste`` leaves out what needs pastes, which takes nearly all of the time.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _command import command_line, patients_of, write_json
from _coverage import GROUPS, coverage
from _generated import (
    MAKERS,
    Case,
    Subject,
    case_features,
    case_patches,
    cases_of,
    donors_without,
    picture,
)
from _measure import table
from _telling_apart import auc_interval, cnn_scores, forest_scores

from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.workflows.new_lesion import KnownDonors

CHECK = ("Brats18_CBICA_AQN", "Brats18_TCIA02_606")
"""Patients that are looked at once."""

_FOLDS = "patients left out"


def told_apart(cases: list[Case], makers: list[str], seed: int, epochs: int) -> dict[str, dict[str, Any]]:
    """AUC of both classifiers for every maker but copies, and the paired difference to that of warped."""
    pairs = [(case.host, case.donor) for case in cases] * 2
    truth = np.repeat([1, 0], len(cases))
    shown = {name: [case_features(*case.made[name]) for case in cases] for name in makers}
    patches = {name: np.stack([case_patches(*case.made[name]) for case in cases]) for name in makers}
    names = list(shown["copies"][0])
    scores: dict[str, dict[str, np.ndarray]] = {"forest": {}, "network": {}}
    rows: dict[str, dict[str, Any]] = {}
    for name in [name for name in makers if name != "copies"]:
        features = np.array([list(values.values()) for values in shown[name] + shown["copies"]])
        scores["forest"][name], weights = forest_scores(features, truth, pairs, _FOLDS, seed)
        both = np.concatenate([patches[name], patches["copies"]])[:, :, None]
        scores["network"][name] = cnn_scores(both, truth, pairs, _FOLDS, seed, epochs)
        row: dict[str, Any] = {"seen": [names[k] for k in np.argsort(-weights)[:5]]}
        for kind, found in scores.items():
            row[kind] = auc_interval([found[name]], truth, pairs, seed=seed)
            if name != "warped":
                gap = auc_interval([found[name], found["warped"]], truth, pairs, lambda auc: auc[0] - auc[1], seed=seed)
                row[f"{kind} less warped"] = gap
        rows[name] = row
        print(f"  {name}: {json.dumps(row)}", file=sys.stderr, flush=True)
    return rows


def cost(subjects: list[Subject], makers: list[str], known: list[KnownDonors]) -> dict[str, tuple[float, float]]:
    """Mean and longest seconds of a core for a lesion of 20 mm with all sequences, of a method that is trained."""
    found = {}
    for name in makers:
        seconds = []
        for subject, donors in zip(subjects, known, strict=True):
            begin = time.process_time()
            MAKERS[name](subject.example, donors, 20.0, np.random.RandomState(0))
            seconds.append(time.process_time() - begin)
        found[name] = (float(np.mean(seconds)), max(seconds))
    return found


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "data", "seed", "json")
    parser.add_argument("--check", action="store_true", help="all patients, also those that are looked at once")
    parser.add_argument("--no-paste", action="store_true", help="leave out what needs pastes: who is told apart")
    parser.add_argument("--draws", type=int, default=1, help="lesions for an ordered pair of patients (default 1)")
    parser.add_argument(
        "--count", type=int, default=20, help="lesions of a set of donors for the coverage (default 20)"
    )
    parser.add_argument("--diameter", type=float, nargs=2, default=(10.0, 20.0), metavar="MM")
    parser.add_argument("--epochs", type=int, default=12, help="of the network (default 12)")
    parser.add_argument("--methods", nargs="+", choices=[name for name in MAKERS if name != "copies"], metavar="METHOD")
    parser.add_argument("--bank", type=Path, default=Path("build/painters"), help="folder that keeps the network")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also show some cases")
    arguments = parser.parse_args()
    found = patients_of("generate", arguments.data, forest=True)
    subjects = [Subject(patient) for patient in found if arguments.check or not patient.name.startswith(CHECK)]
    makers = ["copies", *(arguments.methods or [name for name in MAKERS if name != "copies"])]
    settings = LesionSettings(diameter=tuple(arguments.diameter), seed=arguments.seed)
    known = donors_without(subjects, settings, arguments.bank)
    if "painted" in makers:
        begin = time.process_time()
        known[0].painter.model  # noqa: B018 - trained now, if it is not in the bank
        print(f"  network: {time.process_time() - begin:.0f} s of a core", file=sys.stderr, flush=True)
    print(
        f"  {[(s.name, round(s.example.diameter, 1), s.example.kind) for s in subjects]}", file=sys.stderr, flush=True
    )
    seconds = cost(subjects, makers, known)
    print(f"  seconds {seconds}", file=sys.stderr, flush=True)
    cases = []
    for case in [] if arguments.no_paste else cases_of(subjects, makers, arguments.draws, known, arguments.seed):
        cases.append(case)
        print(f"  case {len(cases)}", file=sys.stderr, flush=True)
    if arguments.picture and cases:
        picture(cases[:: max(1, len(cases) // 12)], arguments.picture)
    apart = told_apart(cases, makers, arguments.seed, arguments.epochs) if cases else {}
    near = coverage(subjects, makers, arguments.count, known[0], arguments.seed)
    lines = []
    for name in makers:
        line: dict[str, Any] = {"method": name}
        for kind in ("forest", "network"):
            for key in (kind, f"{kind} less warped"):
                value = apart.get(name, {}).get(key)
                line[key] = "" if value is None else "{value:+.3f} ({low:+.3f} to {high:+.3f})".format(**value)
        shown = (
            *(f"{what}, {group}" for what in ("covered", "density") for group in GROUPS),
            "covered at one size",
            "nearest over copies'",
            "likeness",
            "most alike",
            "above the floor",
        )
        line |= {key: near[name][key] for key in shown}
        frechet = near[name].get("frechet", {})
        line["frechet"] = "{value:.2f} ({lower:.2f} to {upper:.2f})".format(**frechet["frd"]) if frechet else ""
        line["of half as many, copies to copies"] = (
            "{:.2f}, {:.2f}".format(*(frechet[key]["value"] for key in ("frd_at_n_floor", "frd_floor")))
            if frechet.get("n_floor")
            else ""
        )
        line |= {"seconds": f"{seconds[name][0]:.2f} (to {seconds[name][1]:.2f})"}
        line |= {"seen by": ", ".join(apart.get(name, {}).get("seen", [])[:3])}
        lines.append(line)
    print(table(lines))
    print(f"Memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB at most")
    print(f"Different real lesions: likeness {near['real']['likeness']:.2f}, at most {near['real']['most alike']:.2f}")
    write_json(arguments.json, **{"told apart": apart, "coverage": near, "seconds": seconds})


if __name__ == "__main__":
    main()
