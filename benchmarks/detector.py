"""Does augmentation help a detector? A 2D U-Net learns from real and synthetic lesions and is tested on real ones.

Every arm makes as many steps, with as many lesions a batch; patients are divided into folds, and neither the hosts nor
the donors of synthetic lesions are ever tested in the fold that learns from them.
``python benchmarks/detector.py [--data FOLDER|DATALIST] [--methods NAME ...] [--quick]``

Results are kept in a folder (``--cache``) by what they were made of: a killed run goes on where it was. Pastes are kept
by the method's settings: delete the folder's ``pastes`` when a method's code has changed.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from _detector_data import SIZE_LIMITS_MM, Arm, BatchSettings
from _detector_figures import save_arms, save_patches
from _detector_net import NetSettings
from _detector_pastes import BlankLesion
from _detector_runs import Experiment, PasteSettings
from _detector_scores import MEASURES, Found, difference, mean, measured
from _measure import machine, table
from _methods import METHODS, NETWORK_FREE, methods
from _patients import CORE_LABELS, DATA_VARIABLE, read_patients

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import detection_summary

STANDARD, BLANK = "standard augmentation", "+ blank lesions"
REAL = (
    Arm("real only", augment=False),
    Arm("real oversampled", augment=False, balanced=True),
    Arm(STANDARD),
    Arm("oversampled + standard", balanced=True),
)
DEFAULT = ("naive", "poisson", "tissue", "tissue-consingan")
DATA = """what --data takes:
  A folder with files such as NAME_t1ce.nii.gz or NAME-t1c.nii.gz, each with NAME_seg.nii.gz beside it, as BraTS gives
  them; or a datalist in JSON, or a folder of nnU-Net's or BIDS's, as `monai-consingan augment` reads them. Scans
  without skull (0 outside the brain), all about the same pixel size, 3 patients or more, with 4 or more slices apart
  that show healthy brain. Label values that are no lesion but not healthy either (oedema) keep synthetic lesions away.
  An entry of a datalist may name its "patient"; else every scan counts as a patient. One scan of a patient is taken.
"""


def arms_of(names: Sequence[str], folder: Path) -> list[Arm]:
    """The arms: real lesions, then synthetic ones by every method, then the control."""
    synthetic = [Arm(f"+ {name}", method=method) for name, method in methods(list(names), folder).items()]
    return [*REAL, *synthetic, Arm(BLANK, method=BlankLesion())]


def summarised(found: Mapping[str, Mapping[str, Sequence[Found]]]) -> list[dict[str, Any]]:
    """A row for every arm: measures of every patient, what they are less those of each other arm, lesions by size."""
    values = {arm: {measure: measured(patients, measure) for measure in MEASURES} for arm, patients in found.items()}
    rows = []
    for arm, patients in found.items():
        together = [slice_ for seeds in patients.values() for one in seeds for slice_ in one.slices]
        rows.append(
            {
                "arm": arm,
                "patients": values[arm],
                "sizes": detection_summary(together, SIZE_LIMITS_MM),
                "less": {
                    other: {measure: difference(values[arm][measure], values[other][measure]) for measure in MEASURES}
                    for other in found
                    if other != arm
                },
            }
        )
    return rows


def printed(rows: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """The tables for people."""
    decides = next(iter(MEASURES))
    means, gaps, sizes = [], [], []
    for row in rows:
        means.append({"arm": row["arm"]} | {name: f"{mean(row['patients'][name]):.3g}" for name in MEASURES})
        gap = {"score less that of": row["arm"]}
        for other in (STANDARD, BLANK, "+ poisson"):
            if any(each["arm"] == other for each in rows):
                shown = "{value:+.3f} ({low:+.3f} to {high:+.3f}), {above} of {patients}"
                gap[other] = shown.format(**row["less"][other][decides]) if other in row["less"] else ""
        gaps.append({"arm": gap.pop("score less that of")} | {f"less {other}": text for other, text in gap.items()})
        line = {"arm": row["arm"]}
        for name in ("", *_size_names()):
            count = row["sizes"][f"lesions{name}"] // seeds
            text = "{:.2f}, {:.2f}".format(*(row["sizes"][f"{part}{name}"] for part in ("sensitivity", "dice")))
            line[f"{(name or '_all').strip('_').replace('_', ' ')} (n = {count})"] = text
        sizes.append(line)
    captions = (
        "Means of the patients; of lesions in slices, but 3D and the false positives of a scan",
        f"Difference of the {decides}, 95% interval, and in how many patients it is above 0",
        "Lesions of the slices of all patients, by diameter: sensitivity, Dice",
    )
    parts = (f"{caption}:\n\n{table(lines)}" for caption, lines in zip(captions, (means, gaps, sizes), strict=True))
    return "\n\n".join(parts)


def _size_names() -> list[str]:
    limits = [0.0, *SIZE_LIMITS_MM]
    return [f"_{low:g}_to_{high:g}_mm" for low, high in pairwise(limits)] + [f"_from_{limits[-1]:g}_mm"]


def _arguments(command: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=DATA, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    net, batch, paste = NetSettings(), BatchSettings(), PasteSettings()
    parser.add_argument("--data", type=Path, help="see below (default: see _patients.py)")
    parser.add_argument("--channel", type=int, help="number of the image, where a scan of a data set has several")
    parser.add_argument(
        "--lesion-labels", type=int, nargs="+", default=list(CORE_LABELS), help="label values that are lesion (1 3 4)"
    )
    parser.add_argument("--methods", nargs="*", default=list(DEFAULT), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--folds", type=int, default=3, help="parts that the patients are divided into (default 3)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of an arm in a fold (default 3)")
    parser.add_argument("--steps", type=int, default=net.steps, help=f"of a training (default {net.steps})")
    parser.add_argument("--side", type=int, default=batch.side, help=f"pixels of a patch (default {batch.side})")
    parser.add_argument(
        "--per-pair", type=int, default=paste.per_pair, help=f"pastes for two patients (default {paste.per_pair})"
    )
    parser.add_argument(
        "--windows", type=int, default=paste.windows, help=f"of a host, a model each (default {paste.windows})"
    )
    parser.add_argument("--quick", action="store_true", help="see that it runs: a few steps, numbers without meaning")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("runs/detector"), help="folder that keeps what is done")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to a file")
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="also draw differences and training patches")
    given = parser.parse_args(command)
    if given.quick:
        given.methods = [name for name in given.methods if name in NETWORK_FREE]
        given.folds, given.seeds, given.steps, given.per_pair, given.windows = 2, 1, 2, 1, 1
    return given


def main(command: Sequence[str] | None = None) -> None:
    """Run the command."""
    given = _arguments(command)
    torch.set_num_threads(given.threads)
    labels = tuple(given.lesion_labels)
    try:
        patients = read_patients(given.data, core_labels=labels, channel=given.channel)
    except ConSinGANError as error:
        if given.data or DATA_VARIABLE in os.environ:
            raise SystemExit(f"detector: {error}") from None
        print(f"Nothing measured. {error}")
        return
    try:
        paste = PasteSettings(given.per_pair, given.windows)
        experiment = Experiment(
            patients,
            arms_of(given.methods, given.cache / "models"),
            given.folds,
            given.seeds,
            paste,
            BatchSettings(given.side, jitter=given.side // 4),
            NetSettings(steps=given.steps),
            given.cache,
        )
        if given.figures:
            save_patches(given.figures / "patches.png", experiment)
        rows = summarised(experiment.run())
    except ConSinGANError as error:
        raise SystemExit(f"detector: {error}") from None
    print(printed(rows, given.seeds))
    if given.figures:
        save_arms(given.figures / "arms.png", rows, STANDARD)
    if given.json:
        settings = {"batch": asdict(experiment.batch), "net": asdict(experiment.net), "paste": asdict(paste)}
        report = {"machine": machine(), "folds": given.folds, "seeds": given.seeds, **settings, "arms": rows}
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
