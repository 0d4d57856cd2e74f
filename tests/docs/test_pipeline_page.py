"""Every block of ``docs/pipeline.md`` runs as written."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from monai.utils import set_determinism

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipeline.md"
SECTION = re.compile(r"^## (.+?)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{title} {number}")
    for title, text in SECTION.findall(PAGE.read_text(encoding="utf-8"))
    for number, block in enumerate(BLOCK.findall(text), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "assert " in block  # a block says itself what it must come to
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        set_determinism(None)


def test_every_section_has_a_block_and_a_link() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sections = SECTION.findall(page)
    assert len(sections) == 9
    for title, text in sections:
        anchor = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        assert BLOCK.search(text) and f"- [{title}](#{anchor})" in page
