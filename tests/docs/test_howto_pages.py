"""The how-to pages run as written: their commands and Python blocks, in order, in one folder."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from monai.utils import set_determinism

from monai_consingan.cli import main
from monai_consingan.metrics.inception import INCEPTION_VARIABLE

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ["augment", "twins", "clusters", "evaluating", "cohort"]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # others, such as bash, are not run


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def run(language: str, block: str) -> None:
    if language == "python":
        Path("block.py").write_text(block, encoding="utf-8")
        try:
            runpy.run_path("block.py", run_name="__main__")
        finally:
            set_determinism(None)
        return
    for line in block.replace("\\\n", " ").splitlines():
        program, *args = shlex.split(line, comments=True)
        assert program == "monai-consingan"
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, f"{line}\n{done.output}"


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inception_file: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(INCEPTION_VARIABLE, str(inception_file))
    blocks = BLOCK.findall(page(name))
    assert len(blocks) > 2
    if name != "augment":
        run(*BLOCK.findall(page("augment"))[0])  # the data
    for language, block in blocks:
        run(language, block)


@pytest.mark.parametrize("name", PAGES)
def test_contents_are_the_sections(name: str) -> None:
    sections = re.findall(r"^## (.+)$", page(name), re.MULTILINE)
    anchors = [re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in sections]
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", page(name), re.MULTILINE)
    assert listed == list(zip(sections, anchors, strict=True))


def test_pages_are_linked() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    contents = (DOCS / "conf.py").read_text(encoding="utf-8")
    for name in PAGES:
        assert f"(docs/{name}.md)" in readme
        assert f"docs/{name}\n" in contents
