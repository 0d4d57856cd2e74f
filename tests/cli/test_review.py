from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from monai_consingan.workflows.augmentation import keep as workflow


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
