"""Does one model of a cohort do in scans that it has not seen what a model of each does?

``python benchmarks/cohort.py [--data FOLDER]``. Written before the first run:

- Patients are divided into two groups. The cohort's model of each (``monai-consingan cohort``) redraws in hosts of the
  other only, whose lesions and tissue come from that other group too: nothing that is measured was learnt from.
- Arms: *no model* (``tissue``), and ``tissue-consingan`` with a model of each host's slice, with the cohort's as it is,
  and with models of hosts' slices that start from the cohort's and make a quarter of the iterations.
- *Fidelity* and *seam* as ``fidelity.py`` measures them (real lesions), and *told apart* as ``seam_null.py`` does
  (healthy tissue in the shape of lesions, a forest on features of the border): 0.5 is perfect.
- The cohort's model *does as well* as a model of each host where the paired difference of its AUC to that of those has
  its upper end below +0.05.

Models and results are kept in a folder (``--cache``). Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fidelity
import numpy as np
import seam_null
import torch
from _lesion_pastes import LesionPaste, lesion_pastes
from _measure import machine
from _methods import METHODS, TISSUE, ConSinGAN, Insertion, Method, Models
from _null_pastes import NullPaste, null_pastes
from _patients import Patient, find_patients
from _telling_apart import require_forest

from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import INSERTION_METHODS
from monai_consingan.settings import preset_settings
from monai_consingan.workflows import cohort_run

_GROUPS = 2
NO_MODEL, OWN, COHORT, STARTED = "no model", "a model of each host", "the cohort's", "started from the cohort's"


@dataclass(frozen=True)
class ByGroup:
    """A method that takes the models which have not seen the host's group.

    Args:
        name: what to call it.
        methods: of every group.
        group_of: the group of every host, by its bytes.
    """

    name: str
    methods: Sequence[ConSinGAN]
    group_of: Mapping[bytes, int]

    def __call__(self, case: Insertion) -> np.ndarray:
        """The image with the tissue, (H, W)."""
        return self.methods[self.group_of[case.host.tobytes()]](case)

    def __repr__(self) -> str:
        return f"ByGroup({self.name!r}, {self.methods!r})"


def cohorts(groups: Sequence[Sequence[Patient]], folder: Path, training: Mapping[str, int]) -> list[Path]:
    """For every group the model of all others."""
    made = []
    for number in range(len(groups)):
        others = [patient for other in range(len(groups)) if other != number for patient in groups[other]]
        entries = [{"image": str(patient.image_file), "label": str(patient.label_file)} for patient in others]
        folder.mkdir(parents=True, exist_ok=True)
        scans = folder / f"without-{number}.json"
        scans.write_text(json.dumps({"training": entries}), encoding="utf-8")
        settings = preset_settings("quick", "harmonization", **training)
        output = folder / f"without-{number}"
        begin = time.perf_counter()
        if not (output / "model.pt").exists():
            cohort_run(scans, output, settings=settings, axis=2, resume=True)
        print(f"  cohort without group {number}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
        made.append(output)
    return made


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the patients (default: see _patients.py)")
    parser.add_argument("--per-pair", type=int, default=2, help="pastes of each kind for an ordered pair (default 2)")
    parser.add_argument("--iterations", type=int, default=60, help="of a stage (default 60)")
    parser.add_argument("--channels", type=int, default=16, help="filters (default 16)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/cohort"), help="folder that keeps what is done")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to a file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    try:
        require_forest()
        patients = find_patients(given.data)
        groups = [patients[number::_GROUPS] for number in range(_GROUPS)]
        how: dict[str, Any] = {"per_pair": given.per_pair, "windows": 1, "seed": given.seed}
        nulls: list[NullPaste] = [case for group in groups for case in null_pastes(group, **how)]
        lesions: list[LesionPaste] = [case for group in groups for case in lesion_pastes(group, **how)]
        print(f"  {len(nulls)} pastes of healthy tissue, {len(lesions)} lesions", file=sys.stderr, flush=True)
        names = {patient.name: number for number, group in enumerate(groups) for patient in group}
        group_of = {case.host.tobytes(): names[case.pair[0]] for case in nulls}
        group_of |= {case.host.tobytes(): names[case.pair[0]] for case in lesions}
        training = {"iterations": given.iterations, "channels": given.channels}
        fewer = {**training, "iterations": max(1, given.iterations // 4)}
        starts = cohorts(groups, given.cache / "cohorts", training)
        redrawn = INSERTION_METHODS["tissue-consingan"].redrawn
        assert redrawn is not None
        folder = given.cache / "models"

        def consingan(models: Models, training: Mapping[str, int] = training) -> ConSinGAN:
            return ConSinGAN(models, TISSUE, redrawn, training)

        shared, begun = (
            [consingan(Models(folder, given.seed, start, as_it_is), own) for start in starts]
            for as_it_is, own in ((True, training), (False, fewer))
        )
        chosen: dict[str, Method] = {
            NO_MODEL: METHODS["tissue"](Models(folder)),
            OWN: consingan(Models(folder, given.seed)),
            COHORT: ByGroup(COHORT, shared, group_of),
            STARTED: ByGroup(STARTED, begun, group_of),
        }
        kept = []
        for name, method in chosen.items():
            kept.append(fidelity.row_of(name, method, lesions, given.seed))
            print(f"  {name}: {kept[-1]['all three']['value']:.2f}", file=sys.stderr, flush=True)
        told = seam_null.measure(nulls, chosen, given.cache, given.seed, against=OWN)
    except ConSinGANError as error:
        raise SystemExit(f"cohort: {error}") from None
    print(f"{fidelity.printed(kept)}\n\n{seam_null.printed(told, OWN)}")
    if given.json:
        report = {"machine": machine(), **how, **training, "fidelity": kept, "told apart": told}
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
