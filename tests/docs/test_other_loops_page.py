"""Every block of ``docs/other-loops.md`` runs as written."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "other-loops.md"
BLOCKS = re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [pytest.param(block, id=title) for title, block in BLOCKS])
def test_block(block: str, tmp_path: Path) -> None:
    if "torchio" in block:
        pytest.importorskip("torchio", reason="TorchIO is not installed")
    assert "assert " in block  # a block says itself what it must come to
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")


def test_both_loops_are_there() -> None:
    assert [title for title, _ in BLOCKS] == ["TorchIO", "Plain PyTorch"]
