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
from _command import command_line, in_a_sentence, patients_of, write_json
from _lesion_pastes import lesion_pastes
from _methods import TISSUE, ConSinGAN, Insertion, Method, Models
from _null_pastes import null_pastes
from _patients import Patient

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


def arms(
    starts: Sequence[Path], group_of: Mapping[bytes, int], folder: Path, seed: int, training: Mapping[str, int]
) -> dict[str, Method]:
    """What is compared.

    Args:
        starts: for every group the model that has not seen it.
        group_of: the group of every host, by its bytes.
        folder: folder of the hosts' models.
        seed: of the trainings.
        training: their settings.
    """
    redrawn = INSERTION_METHODS["tissue-consingan"].redrawn
    assert redrawn is not None
    fewer = {**training, "iterations": max(1, training["iterations"] // 4)}
    shared = [ConSinGAN(Models(folder, seed, start, as_it_is=True), TISSUE, redrawn, training) for start in starts]
    begun = [ConSinGAN(Models(folder, seed, start), TISSUE, redrawn, fewer) for start in starts]
    return {
        NO_MODEL: TISSUE,
        OWN: ConSinGAN(Models(folder, seed), TISSUE, redrawn, training),
        COHORT: ByGroup(COHORT, shared, group_of),
        STARTED: ByGroup(STARTED, begun, group_of),
    }


def cohorts(groups: Sequence[Sequence[Patient]], tested: int, folder: Path, training: Mapping[str, int]) -> list[Path]:
    """For every tested group the model of all others."""
    made = []
    for number in range(tested):
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
    parser = command_line(__doc__, "data", "seed", "cache", "json", cache=Path("runs/cohort"))
    parser.add_argument("--per-pair", type=int, default=2, help="pastes of each kind for an ordered pair (default 2)")
    parser.add_argument("--tested", type=int, default=_GROUPS, help="groups that are tested (default both)")
    parser.add_argument("--iterations", type=int, default=60, help="of a stage (default 60)")
    parser.add_argument("--channels", type=int, default=16, help="filters (default 16)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    patients = patients_of("cohort", given.data, forest=True)
    how: dict[str, Any] = {"per_pair": given.per_pair, "windows": 1, "seed": given.seed}
    training = {"iterations": given.iterations, "channels": given.channels}
    with in_a_sentence("cohort"):
        groups = [patients[number::_GROUPS] for number in range(_GROUPS)]
        tested = groups[: given.tested]
        nulls = [case for group in tested for case in null_pastes(group, **how)]
        lesions = [case for group in tested for case in lesion_pastes(group, **how)]
        print(f"  {len(nulls)} pastes of healthy tissue, {len(lesions)} lesions", file=sys.stderr, flush=True)
        names = {patient.name: number for number, group in enumerate(groups) for patient in group}
        group_of = {case.host.tobytes(): names[case.pair[0]] for case in nulls}
        group_of |= {case.host.tobytes(): names[case.pair[0]] for case in lesions}
        starts = cohorts(groups, given.tested, given.cache / "cohorts", training)
        chosen = arms(starts, group_of, given.cache / "models", given.seed, training)
        kept = []
        for name, method in chosen.items():
            kept.append(fidelity.row_of(name, method, lesions, given.seed))
            print(f"  {name}: {kept[-1]['all three']['value']:.2f}", file=sys.stderr, flush=True)
        told = seam_null.measure(nulls, chosen, given.cache, given.seed, against=OWN)
    print(f"{fidelity.printed(kept)}\n\n{seam_null.printed(told, OWN)}")
    write_json(given.json, **how, **training, fidelity=kept, told_apart=told)


if __name__ == "__main__":
    main()
