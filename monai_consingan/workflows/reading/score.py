"""What readers answered, against the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.reading import agreement, reader_scores
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.reading.make import KEY_FORMAT

ANSWERS_FORMAT = "monai-consingan answers 1"
"""What a file of answers calls itself."""

PUBLISHED = {"FreeTumor, 13 radiologists": {"sensitivity": 0.511, "accuracy": 0.608}}
"""What others reported of synthetic tumours in CT (Wu et al., FreeTumor)."""


def score_reading(answers: Sequence[str | Path], key: str | Path) -> dict[str, Any]:
    """Score what readers answered on the page of :py:func:`make_reading`.

    Args:
        answers: their files, ``answers.json``, one of each reader.
        key: the ``key.json`` of the same reading.

    Returns:
        ``readers``: for each in the order given :py:func:`~monai_consingan.metrics.reader_scores` and the
        median ``seconds`` of a case; ``together``: the mean of their values; ``kappa``, where there are several;
        ``published``: what others reported.

    Raises:
        ConSinGANError: a file is damaged, of another reading, or lacks answers.
    """
    if not answers:
        raise ConSinGANError("There are no answers to score: give at least one answers.json.")
    found = read_json_dictionary(Path(key), "key", remedy="give the key.json of this reading")
    cases = found.get("cases")
    if found.get("format") != KEY_FORMAT or not isinstance(cases, dict) or not cases:
        raise ConSinGANError(f"key {key} is none of this program: give the key.json of this reading.")
    truth = {name: told["answer"] == "synthetic" for name, told in cases.items()}
    given = [_ratings(path, str(found.get("reading")), truth) for path in answers]
    readers = []
    for ratings in given:
        scores = reader_scores(list(truth.values()), [ratings[name][0] for name in truth])
        readers.append({**scores, "seconds": median(seconds for _, seconds in ratings.values())})
    names = ("sensitivity", "specificity", "accuracy", "auc")
    together = {name: float(np.mean([reader[name]["value"] for reader in readers])) for name in names}
    kappa = None
    if len(given) > 1:
        kappa = agreement(np.array([[ratings[name][0] > 0 for name in truth] for ratings in given]))
    return {"cases": len(truth), "readers": readers, "together": together, "kappa": kappa, "published": PUBLISHED}


def _ratings(path: str | Path, reading: str, truth: Mapping[str, bool]) -> dict[str, tuple[float, float]]:
    """For each case how sure a reader is that it is synthetic, and the seconds that it took."""
    remedy = "give the answers.json that was saved on the page"
    found = read_json_dictionary(Path(path), "answers", remedy=remedy)
    given = found.get("answers")
    if found.get("format") != ANSWERS_FORMAT or not isinstance(given, dict):
        raise ConSinGANError(f"answers {path} are none of this program: {remedy}.")
    if found.get("reading") != reading:
        raise ConSinGANError(f"answers {path} are of another reading than the key: give those that belong together.")
    missing = sorted(truth.keys() - given.keys())
    if missing:
        raise ConSinGANError(
            f"answers {path} lack {len(missing)} of {len(truth)} cases, such as {missing[0]}: read all of them."
        )
    ratings = {}
    for name in truth:
        try:
            sign = {"real": -1, "synthetic": 1}[given[name]["answer"]]
            confidence, seconds = float(given[name]["confidence"]), float(given[name]["seconds"])
            if not (1 <= confidence <= 3 and seconds >= 0):
                raise ValueError("out of range")
        except (KeyError, TypeError, ValueError) as error:
            raise ConSinGANError(f"answers {path} have {given[name]!r} for case {name}: {remedy}.") from error
        ratings[name] = (sign * confidence, seconds)
    return ratings
