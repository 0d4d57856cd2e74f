from __future__ import annotations

import io
import os
import sys

import pytest

from monai_consingan.progress_bar import ForgivingStderr, progress_bar


@pytest.mark.parametrize("kind", ["reader left", "closed", "none"])
def test_a_reader_that_left_ends_no_run(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True)
    monkeypatch.setattr(sys, "stderr", None if kind == "none" else stream)
    if kind == "closed":
        stream.close()
    with progress_bar(3, 0, "making") as bar:
        for _ in range(3):
            bar.update()
            bar.refresh()
    print("line", file=ForgivingStderr(), flush=True)
    assert bar.n == 3
    stream.close()


def test_what_is_told_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(2, 1, "making") as bar:
        bar.update()
    assert "making 100%" in capsys.readouterr().err
    with progress_bar(2, 0, "making", show=False) as bar:
        bar.update()
    assert capsys.readouterr().err == ""
