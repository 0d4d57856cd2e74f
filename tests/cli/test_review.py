from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from monai_consingan.workflows.augmentation import keep as workflow
from monai_consingan.workflows.challenge import challenge
from monai_consingan.workflows.reading import make_reading


def test_keep_hands_on_what_it_is_given(call: Any, monkeypatch: Any, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def run(*given: Any, **more: Any) -> dict[str, Any]:
        asked.update(inspect.signature(workflow).bind(*given, **more).arguments)
        return {"accepted": 3, "rejected_lesions": ["a#1"], "unsure_lesions": [], "not_decided": [], "left_out": ["a"]}

    monkeypatch.setattr("monai_consingan.workflows.augmentation.keep", run)
    result = call("keep", tmp_path, "--decisions", "d.json", "--rest", "drop")
    assert result.exit_code == 0
    assert asked == {"output": tmp_path, "decisions": Path("d.json"), "unsure": "drop", "rest": "drop"}
    assert "3 accepted, 1 rejected, 0 unsure, 0 not decided" in result.output
    assert "1 left out" in result.output


def test_reading_makes_a_page_or_scores_answers(call: Any, monkeypatch: Any, tmp_path: Path) -> None:
    share = {"value": 0.5, "low": 0.25, "high": 0.75}
    reader = dict.fromkeys(("sensitivity", "specificity", "accuracy", "auc"), share)
    scores = {
        "cases": 4,
        "readers": [{**reader, "seconds": 2.0}] * 2,
        "together": dict.fromkeys(reader, 0.5),
        "kappa": 0.25,
        "published": {"others": {"accuracy": 0.608}},
    }
    monkeypatch.setattr("monai_consingan.workflows.reading.score_reading", lambda answers, key: scores)
    result = call("reading", "--score", "a.json", "--score", "b.json", "--key", "key.json")
    assert result.exit_code == 0
    assert "0.500 (0.250 to 0.750)" in result.output and "agreement 0.250 (Cohen's kappa)" in result.output
    asked: dict[str, Any] = {}

    def make(*given: Any, **more: Any) -> Path:
        asked.update(inspect.signature(make_reading).bind(*given, **more).arguments)
        return tmp_path / "page" / "reading.html"

    monkeypatch.setattr("monai_consingan.workflows.reading.make_reading", make)
    result = call("reading", tmp_path, "--real", "list.json", "--output", tmp_path / "out", "--number", 6)
    assert result.exit_code == 0 and "reading.html" in result.output
    assert (asked["number"], asked["real"], asked["seed"]) == (6, Path("list.json"), 0)
    for wrong in (("reading",), ("reading", tmp_path), ("reading", "--score", "a.json")):
        assert call(*wrong).exit_code == 2


def test_reading_refuses_what_means_nothing(call: Any, tmp_path: Path) -> None:
    score = ("reading", "--score", "a.json", "--key", "key.json")
    for more in (("--real", "list.json"), ("--output", "out"), ("--number", 40), ("--seed", 0), ("--overwrite",)):
        wrong = call(*score, *more)
        assert wrong.exit_code == 2
        assert f"{more[0]} is given, but --score makes no page: leave it out" in wrong.output
    page = ("reading", tmp_path, "--real", "list.json", "--output", tmp_path / "out")
    assert "--key is given, but there is no --score" in call(*page, "--key", "key.json").output


def test_challenge_hands_on_what_it_is_given(call: Any, monkeypatch: Any, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}
    row = {"lesions": 3, "found": 0.5, "dice": 0.25, "found_before": 0.0}

    def run(*given: Any, **more: Any) -> dict[str, Any]:
        asked.update(inspect.signature(challenge).bind(*given, **more).arguments)
        return {"inserted": {"all": {"all": row}}, "removed": {}, "false_positives": {"inserted": 1.5}}

    monkeypatch.setattr("monai_consingan.workflows.challenge.challenge", run)
    result = call(
        "challenge",
        "s {image} {mask}",
        "list.json",
        "--output",
        tmp_path,
        "--lesions",
        "1,1",
        "--no-twins",
        "--sequences",
        "t1,flair",
        "--lesion-labels",
        "1,4",
    )
    assert result.exit_code == 0
    assert (asked["command"], asked["scans"], asked["twins"]) == ("s {image} {mask}", Path("list.json"), False)
    assert (asked["settings"].lesions, asked["settings"].lesion_labels) == ((1, 1), (1, 4))
    assert asked["sequences"] == ("t1", "flair")
    assert "0.500" in result.output and "inserted: 1.50" in result.output


def test_nnunet_says_where_its_trainer_is(call: Any) -> None:
    folder = Path(call("nnunet", "--trainer-folder").output.strip())
    assert (folder / "nnUNetTrainerLesions.py").is_file()
    assert "nnUNetv2_train" in call("nnunet").output
