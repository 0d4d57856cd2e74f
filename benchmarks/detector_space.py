"""Does augmentation help a detector in space? A 3D U-Net on four sequences, and what one more patient would bring.

``python benchmarks/detector_space.py [--data FOLDER] [--quick] [--cache FOLDER]``. Written before the first run:

- Eight patients (BraTS 2018: T1c, T1, T2, FLAIR; lesion is the tumour core, labels 1 and 4), voxels of 2 mm, four folds
  of two tested patients. Only real lesions of patients left out are tested. Of the six others 1, 2, 4 or 6 are learnt
  from, drawn by the seed, the fewer always among the more; these are also the only hosts and donors. Three seeds.
- Every arm makes 80 steps of four patches of 32 voxels (64 mm), two with a lesion and two without, from the same first
  weights, with the same real lesions and places. Where an arm has synthetic lesions, one of the two is synthetic;
  where it has twins, one of the two patches without a lesion is a place where one was removed.
- *Arms*: with 1, 2 and 4 patients real lesions only; the standard augmentation alone; and with copies or new lesions
  by each generator (warped, procedural, patches, painted). With 6 patients the standard augmentation and copies. With
  two patients also copies made on the fly, blank lesions, twins, warped lesions of donors whose label has no oedema
  (all other copies and new lesions bring theirs along), and copies and warped lesions that push aside half of their
  volume (mass effect).
- New lesions are of a bank of six for a donor, made of this donor alone, of the sizes of its copies. Painted ones are
  by one network for a donor (preset ``quick``). So no lesion knows a patient that is not learnt from.
- *Yardstick*: the standard augmentation alone, by the number of patients. A gain with two patients is divided by what
  each of the next two brings, (four less two) / 2: "worth 0.4 patients". Added after a run had
  been seen: arms with two patients are also held against the standard augmentation with four, that is, against two
  real patients instead of what the arm adds, and copies on the fly against those made beforehand.
- Two measures, each by itself: the *sensitivity* of lesions of 0.1 ml and more at the lowest probability at which the
  two tested scans have 2 false positives on average (components below 80 mm3 are taken away; a lesion is found that a
  component touches within 2 mm), and the *Dice* of all voxels at a probability of 0.5. There are nine such lesions in
  the eight patients, so that the sensitivity moves by steps of a ninth: Dice decides, sensitivity must not fall.
- *Helps*: the difference of Dice to the standard augmentation with as many patients, by patient (means of the seeds),
  is at least +0.02, its 95% interval (bootstrap over the patients) lies above 0, and that of the sensitivity does not
  lie below 0. The same with the signs turned is harm; all else is not shown. That *lesions* help and not spots with
  labels, only if the interval of the difference to blank lesions lies above 0 as well. Nothing is corrected for the
  number of arms. The comparison that counts is *+ copies* with two patients, made beforehand.
- *A generator is of more use than copies*, *oedema* or *mass effect helps*, likewise by the difference to copies with
  as many patients, or to the same lesions without: +0.02 of Dice or more, interval above 0. Else the defaults stay.
- *Power*: from the spread of the paired differences, the patients that +0.02 of Dice would need (80%, two-sided 5%).

If the time is over before three seeds are through, the seeds that are through count, and it is said.

Results are kept by what they were made of (``--cache``): a killed run goes on. Synthetic lesions are kept there too:
delete ``made`` and ``results`` when the methods' code has changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _detector_net import NetSettings
from _detector_scans import CoarseScan, Lesions
from _detector_scores import difference, mean
from _detector_space import SpaceArm, SpaceBatch
from _detector_space_runs import DICE, MEASURES, SENSITIVITY, SpaceExperiment, means
from _measure import machine, table
from _sequences import read_volumes

from monai_consingan.errors import ConSinGANError
from monai_consingan.lesion_settings import GENERATION_METHODS

SEQUENCES = ("t1ce", "t1", "t2", "flair")
PATIENTS = (1, 2, 4, 6)
MAIN, MORE = 2, 4
"""Patients of the arms that are compared, and of the yardstick's other end."""
NO_OEDEMA, MASS_EFFECT = ", no oedema", ", mass effect"
STANDARD, BLANK, COPIES, WITHOUT, REAL = "standard", "blank", "copies", "the same without", "real patients instead"
"""What arms are held against."""
_MASS_EFFECT = 0.5
_HELPS = 0.02
_POWER = 1.959964 + 0.841621

Found = Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]


def standard(patients: int) -> str:
    """The name of the arm with the standard augmentation alone."""
    return f"{patients}: standard augmentation"


def synthetic(patients: int, kind: str) -> str:
    """The name of the arm with synthetic lesions of a kind."""
    return f"{patients}: + {kind}"


def all_arms() -> list[SpaceArm]:
    """What is compared."""
    copies, pushing = Lesions("copies"), {"mass_effect": _MASS_EFFECT}
    yardstick = [SpaceArm(standard(count), count) for count in PATIENTS]
    with_copies = [SpaceArm(synthetic(count, "copies"), count, lesions=copies) for count in PATIENTS]
    few = [count for count in PATIENTS if count <= MORE]
    real = [SpaceArm(f"{count}: real only", count, augment=False) for count in few]
    new = [
        SpaceArm(synthetic(count, kind), count, lesions=Lesions(kind)) for kind in GENERATION_METHODS for count in few
    ]
    return [
        *yardstick,
        *real,
        *with_copies,
        SpaceArm(synthetic(MAIN, "copies on the fly"), MAIN, lesions=copies, on_the_fly=True),
        *new,
        SpaceArm(synthetic(MAIN, f"warped{NO_OEDEMA}"), MAIN, lesions=Lesions("warped", oedema=False)),
        *(
            SpaceArm(synthetic(MAIN, f"{kind}{MASS_EFFECT}"), MAIN, lesions=Lesions(kind, **pushing))
            for kind in ("copies", "warped")
        ),
        SpaceArm(synthetic(MAIN, "blank lesions"), MAIN, lesions=Lesions("blank")),
        SpaceArm(synthetic(MAIN, "twins"), MAIN, twins=True),
    ]


def held_against(arm: SpaceArm) -> dict[str, str]:
    """The arms that an arm is held against, by the name of the column."""
    others = {STANDARD: standard(arm.patients)}
    if arm.lesions and arm.patients == MAIN:
        others[BLANK] = synthetic(MAIN, "blank lesions")
    if arm.patients == MAIN and arm.augment:
        others[REAL] = standard(MORE)
    if arm.lesions and (arm.on_the_fly or arm.lesions.kind in GENERATION_METHODS):
        others[COPIES] = synthetic(arm.patients, "copies")
    for ending in (NO_OEDEMA, MASS_EFFECT):
        if arm.name.endswith(ending):
            others[WITHOUT] = arm.name.removesuffix(ending)
    return {column: name for column, name in others.items() if name != arm.name}


def compared(found: Found, arms: Sequence[SpaceArm]) -> list[dict[str, Any]]:
    """A row for every arm: measures of every patient, and what they are less those of the arms it is held against."""
    values = {arm: {measure: means(found[arm][measure]) for measure in MEASURES} for arm in found}
    rows = []
    for arm in arms:
        less = {
            column: {measure: difference(values[arm.name][measure], values[other][measure]) for measure in MEASURES}
            for column, other in held_against(arm).items()
            if other in values
        }
        rows.append({"arm": arm.name, "patients": values[arm.name], "less": less})
    return rows


def verdict(less: Mapping[str, Mapping[str, float]]) -> str:
    """What the rule says of an arm's differences to the standard augmentation."""
    dice, sensitivity = less[DICE], less[SENSITIVITY]
    if dice["value"] >= _HELPS and dice["low"] > 0 and not sensitivity["high"] < 0:
        return "helps"
    if dice["value"] <= -_HELPS and dice["high"] < 0 and not sensitivity["low"] > 0:
        return "harms"
    return "not shown"


def worth(found: Found, arm: str, measure: str, draws: int = 10_000) -> dict[str, float]:
    """What an arm with two patients gains, in patients more: value and 95% interval over the patients.

    The interval is endless where that of the yardstick's slope holds 0.
    """
    names = list(found[arm][measure])
    ours, two, four = (
        np.array([means(found[name][measure])[patient] for patient in names])
        for name in (arm, standard(MAIN), standard(MORE))
    )
    drawn = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    slopes = (four - two)[drawn].mean(axis=1) / (MORE - MAIN)
    gains = (ours - two)[drawn].mean(axis=1)
    slope = float((four - two).mean()) / (MORE - MAIN)
    low, high = np.percentile(slopes, [2.5, 97.5])
    result = {"value": float((ours - two).mean()) / slope if slope else float("nan")}
    bounds = np.percentile(gains / slopes, [2.5, 97.5]) if low * high > 0 else (-np.inf, np.inf)
    return result | {"low": float(bounds[0]), "high": float(bounds[1]), "slope": slope}


def power(found: Found, arm: str, other: str, measure: str) -> dict[str, float]:
    """How large an effect can be seen, and what it would take to see one of +0.02.

    Returns:
        ``spread`` of the patients' differences; ``from_seeds``, the share of its variance that more seeds would take
        away; ``seen``, the least effect that is seen with 80% chance; ``patients`` that +0.02 needs, ``patients_many``
        those with any number of seeds.
    """
    gaps = np.array([np.subtract(found[arm][measure][p], found[other][measure][p]) for p in found[arm][measure]])
    variance = float(gaps.mean(axis=1).var(ddof=1))
    noise = float(gaps.var(axis=1, ddof=1).mean()) / gaps.shape[1] if gaps.shape[1] > 1 else float("nan")
    return {
        "spread": variance**0.5,
        "from_seeds": min(noise / variance, 1.0) if variance else float("nan"),
        "seen": _POWER * (variance / len(gaps)) ** 0.5,
        "patients": float(np.ceil(variance * (_POWER / _HELPS) ** 2)),
        "patients_many": float(np.ceil(max(variance - noise, 0.0) * (_POWER / _HELPS) ** 2)),
    }


def printed(found: Found, rows: Sequence[Mapping[str, Any]]) -> str:
    """The tables for people."""
    shown = "{value:+.3f} ({low:+.3f} to {high:+.3f}), {above} of {patients}"
    first, second = [], []
    for row in rows:
        line = {"arm": row["arm"]} | {name: f"{mean(row['patients'][name]):.3f}" for name in MEASURES}
        base = row["less"].get(STANDARD)
        line[f"{SENSITIVITY}, less {STANDARD}"] = shown.format(**base[SENSITIVITY]) if base else ""
        line |= {
            f"{DICE}, less {name}": shown.format(**row["less"][name][DICE]) if name in row["less"] else ""
            for name in (STANDARD, BLANK, COPIES, WITHOUT)
        }
        first.append(line | {"so": verdict(base) if base else ""})
        count = int(row["arm"].split(":")[0])
        if base and count == MAIN:
            gain, needed = worth(found, row["arm"], DICE), power(found, row["arm"], standard(count), DICE)
            told = {"arm": row["arm"], "worth, patients": "{value:+.2f} ({low:+.2f} to {high:+.2f})".format(**gain)}
            real = row["less"].get(REAL)
            told[f"{DICE}, less {MORE - MAIN} {REAL}"] = shown.format(**real[DICE]) if real else ""
            second.append(told | {k: f"{v:.3g}" for k, v in needed.items()})
    caption = "What a gain of Dice is worth in patients, and the power to see one"
    return f"{table(first)}\n\n{caption}:\n\n{table(second)}"


def main(command: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of patients as BraTS gives them (default: see _patients.py)")
    parser.add_argument("--sequences", nargs="+", default=list(SEQUENCES), help="the first leads")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--side", type=int, default=SpaceBatch().side, help="voxels of a patch (default 32)")
    parser.add_argument("--made", type=int, default=4, help="synthetic lesions for a host and a donor (default 4)")
    parser.add_argument("--least-ml", type=float, default=0.1, help="smaller lesions do not count (default 0.1)")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="WORD", help="leave out arms with a word in the name"
    )
    parser.add_argument("--quick", action="store_true", help="see that it runs: a few steps, numbers without meaning")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/detector_space"), help="folder that keeps what is done"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to a file")
    given = parser.parse_args(command)
    if given.quick:
        given.seeds, given.steps, given.made = 1, 2, 1
    torch.set_num_threads(1)
    try:
        scans = [CoarseScan(volume) for volume in read_volumes(given.data, given.sequences)]
        net = NetSettings(steps=given.steps, dims=3, sequences=len(given.sequences))
        batch = SpaceBatch(given.side, jitter=given.side // 4)
        experiment = SpaceExperiment(
            scans, given.folds, given.seeds, given.made, batch, net, given.least_ml, given.cache
        )
        arms = [arm for arm in all_arms() if not any(word in arm.name for word in given.without)]
        found = experiment.run(arms)
    except ConSinGANError as error:
        raise SystemExit(f"detector_space: {error}") from None
    rows = compared(found, arms)
    print(printed(found, rows))
    if given.json:
        report = {"machine": machine(), "net": asdict(net), "batch": asdict(batch), "arms": rows, "found": found}
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
