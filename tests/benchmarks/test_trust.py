"""What ``benchmarks/trust.py`` tries, a little of it, and that it notices what it looks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TRUST = Path(__file__).resolve().parents[2] / "benchmarks" / "trust.py"


def ran(code: str) -> str:
    """What some code prints in a process of its own, which can be forked: nothing was computed in it yet."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=TRUST.parent, capture_output=True, encoding="utf-8", check=True).stdout


def test_it_ends_well_where_nothing_fails() -> None:
    done = ran("import trust; print('total', trust.trust({'voxels': 12, 'hostile': 6}))")
    assert "voxels   n =   12, failures = 0" in done
    assert "hostile  n =    6, failures = 0" in done
    assert done.endswith("total 0\n")


def test_it_notices_changes_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import trust

    class Spills(trust.RemoveLesion):
        def __call__(self, image, label, lesion_labels=None):  # type: ignore[no-untyped-def]
            done = super().__call__(image, label, lesion_labels)
            return done._replace(image=np.where(np.asarray(done.mask) > 0, done.image, np.asarray(done.image) + 1))

    monkeypatch.setattr(trust, "RemoveLesion", Spills)
    monkeypatch.setattr(trust, "_by_files", trust._by_arrays)
    failures = trust.voxels(10, np.random.default_rng(0), tmp_path)
    assert failures and all("remove" in failure for failure in failures)


def test_it_notices_what_is_let_in() -> None:
    code = "import trust; trust.HOSTILE = {'a good file': ('image', lambda folder, source, random: source)}; "
    done = ran(code + "print('total', trust.trust({'hostile': 1}))")
    assert "a good file: " in done
    assert " ends with 0 " in done
    assert done.endswith("total 1\n")
