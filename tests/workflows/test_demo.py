from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.demo import demo


def failing(*asked: Any, **more: Any) -> None:
    raise ConSinGANError("stop")


def test_demo_makes_both_and_a_page(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {task: tiny(task) for task in ("harmonization", "editing")}
    page = demo(tmp_path / "demo", settings=settings, progress=False)
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "insert",
        "remove",
        "report.html",
        "report.pdf",
        "review",
        "review.html",
    ]
    assert len(list((tmp_path / "demo" / "review").iterdir())) == 6
    assert (tmp_path / "demo" / "review.html").read_text(encoding="utf-8").count('"kind": ') == 2
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:)', text)
    for part in ("insert", "remove"):
        report = json.loads((tmp_path / "demo" / part / "report.json").read_text(encoding="utf-8"))
        assert f"<td>{report['seam']:.3f}</td>" in text
        assert f"<td>{report['contrast_kept']:.3f}</td>" in text
    assert "TCGA-GBM" in html.unescape(text)
    with pytest.raises(ConSinGANError, match="not empty"):
        demo(tmp_path / "demo", settings=settings, progress=False)
    before = (tmp_path / "demo" / "insert" / "image.nii.gz").read_bytes()
    files = {path: path.read_bytes() for path in sorted((tmp_path / "demo").rglob("*.*")) if path.is_file()}
    with monkeypatch.context() as patch, pytest.raises(ConSinGANError, match="stop"):
        patch.setattr(f"{demo.__module__}.remove", failing)
        demo(tmp_path / "demo", settings=settings, progress=False, overwrite=True, seed=1)
    assert {path: path.read_bytes() for path in sorted((tmp_path / "demo").rglob("*.*")) if path.is_file()} == files
    demo(tmp_path / "demo", settings=settings, progress=False, overwrite=True)
    assert (tmp_path / "demo" / "insert" / "image.nii.gz").read_bytes() == before


def test_demo_in_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(ConSinGANError, match="is a file"):
        demo(tmp_path / "demo")
