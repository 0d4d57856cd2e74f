"""Figures of the experiment: how the arms differ, and what they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _detector_data import Patch
from _detector_runs import Experiment
from matplotlib.figure import Figure

from monai_consingan.whole_file import whole_file

__all__ = ["save_arms", "save_patches"]


def save_arms(path: Path, rows: Sequence[Mapping[str, Any]], reference: str) -> None:
    """Differences of all arms to one of them: mean, interval, and a dot for every patient.

    Args:
        path: PNG.
        rows: of the arms.
        reference: name of the one.
    """
    measures = ("score", "sensitivity", "Dice", "false positives")
    others = [row for row in rows if row["arm"] != reference]
    base = next(row for row in rows if row["arm"] == reference)
    figure = Figure(figsize=(3.2 * len(measures) + 2, 0.45 * len(others) + 1.2), layout="constrained")
    plots = figure.subplots(1, len(measures), sharey=True)
    for plot, measure in zip(plots, measures, strict=True):
        plot.axvline(0, color="0.6", linewidth=1)
        for height, row in enumerate(others):
            gap = row["less"][reference][measure]
            dots = [value - base["patients"][measure][name] for name, value in row["patients"][measure].items()]
            plot.plot(dots, np.full(len(dots), height), ".", color="0.6")
            plot.plot([gap["low"], gap["high"]], [height, height], color="C0", linewidth=2)
            plot.plot(gap["value"], height, "o", color="C0")
        plot.set_title(measure, fontsize="medium")
    plots[0].set_yticks(range(len(others)), [row["arm"] for row in others])
    plots[0].invert_yaxis()
    figure.suptitle(f"less {reference}: mean, 95% interval, patients")
    _save(figure, path)


def save_patches(path: Path, experiment: Experiment, count: int = 10) -> None:
    """Patches with lesions that the first fold learns from, before the standard augmentation, outlined.

    Args:
        path: PNG.
        experiment: whose; a row for each of its arms, with synthetic lesions where it has some.
        count: patches of an arm.
    """
    patches, lesions = experiment.patches(0), experiment.batch.lesions
    side = experiment.batch.side
    figure = Figure(figsize=(1.3 * count, 1.55 * len(experiment.arms)), layout="constrained")
    plots = figure.subplots(len(experiment.arms), 1, squeeze=False)[:, 0]
    for plot, arm in zip(plots, experiment.arms, strict=True):
        images = experiment.images(arm, patches.pastes)
        first = lesions - lesions // 2 if arm.method is not None else 0
        shown: list[Patch] = []
        for batch in patches.batches(arm, images, count, 0):
            shown += batch[first:lesions]
        plot.imshow(np.hstack([patch.image for patch in shown[:count]]), cmap="gray", vmin=-3, vmax=4)
        plot.contour(np.hstack([patch.label for patch in shown[:count]]), [0.5], colors="tab:red", linewidths=0.6)
        for number in range(1, count):
            plot.axvline(number * side - 0.5, color="white", linewidth=1)
        plot.set_xticks([])
        plot.set_yticks([])
        plot.set_title(arm.name, loc="left", fontsize="small")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=110)
