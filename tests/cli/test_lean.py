"""Commands without a training import MONAI without what they never use, in a process of their own and only there."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import itk
import numpy as np
import pytest

from monai_consingan.cli import lean
from monai_consingan.data import example
from monai_consingan.models import TrainedModel

_SLOW = ["bs4", "ignite", "itk", "matplotlib.pyplot", "mlflow", "monai.apps", "monai.bundle", "pandas", "pydicom"]
_SLOW += ["scipy.optimize", "scipy.signal", "scipy.stats", "sklearn", "torchvision"]
_CODE = f"""
import atexit, sys
from monai_consingan.cli import lean, main
atexit.register(lambda: print(sorted(set({_SLOW}) & set(sys.modules)), all(sys.modules[name] for name in sys.modules)))
"""


def _harmonized(folder: Path, code: str, *more: str) -> str:
    """What a program prints that puts a lesion of the example into its own scan."""
    files = example()
    scans = ["--host", files.image, "--donor", files.image, "--donor-label", files.label]
    slices = ["--donor-slice", "4", "--host-slice", "6"]
    command = ["harmonize", *scans, *slices, "--quiet", "--output", folder / "out", *more]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, encoding="utf-8", check=True)
    assert (folder / "out" / "figure.png").exists()
    return done.stdout.strip()


def test_a_blend_without_a_model_imports_nothing_of_a_training(tmp_path: Path) -> None:
    assert _harmonized(tmp_path, _CODE + "main()") == "[] True"


def test_a_training_finds_all_that_it_needs(tmp_path: Path) -> None:
    small = ["--method", "tissue-consingan", "--stages", "2", "--iterations", "1", "--channels", "4"]
    _harmonized(tmp_path, "from monai_consingan.cli import main; main()", *small)
    assert TrainedModel.load(tmp_path / "out", task="harmonization").settings.iterations == 1


def test_what_was_left_out_comes_when_it_is_used(tmp_path: Path) -> None:
    itk.imwrite(itk.image_from_array(np.arange(120, dtype=np.float32).reshape(4, 5, 6)), str(tmp_path / "scan.mha"))
    code = f"""
import atexit
from monai_consingan.cli import main
def look():
    import monai
    from monai_consingan.data import load_scan
    print(tuple(load_scan({str(tmp_path / "scan.mha")!r}).shape), hasattr(monai, "none"), monai.auto3dseg.Algo.__name__)
atexit.register(look)
main()
"""
    assert _harmonized(tmp_path, code) == "(1, 6, 5, 4) False Algo"


def test_what_comes_later_is_the_module_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    later = lean._WhenUsed("colorsys")
    monkeypatch.setitem(sys.modules, "colorsys", later)
    assert later.rgb_to_hls(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0) and sys.modules["colorsys"] is not later


def test_monai_is_imported_as_usual_where_it_cannot_be_had_otherwise(tmp_path: Path) -> None:
    code = _CODE + "lean._PARTS = ('data', 'a part that it has no more'); main()"
    assert "monai.apps" in _harmonized(tmp_path, code)


def test_what_is_hidden_is_there_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["ignite", "torchvision"]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("monai", *names)]:
        monkeypatch.delitem(sys.modules, name)
    seen: dict[str, list[str]] = {}

    def import_module(name: str) -> ModuleType:
        assert not gc.isenabled()
        seen[name] = [name for name in names if name in sys.modules]
        return ModuleType(name)

    monkeypatch.setattr(lean, "import_module", import_module)
    monkeypatch.setattr(lean, "_empty", ModuleType)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    with click.Context(click.Command("harmonize"), obj=lean.OWN_PROCESS):
        lean.import_monai()
    assert seen.pop("monai_consingan.workflows") == []
    assert seen and all(each == names for each in seen.values())
    assert gc.isenabled() and not {*names, "monai.apps"} & set(sys.modules)


@pytest.mark.parametrize(("there", "obj"), [(True, lean.OWN_PROCESS), (False, None)])
def test_a_process_that_goes_on_or_has_monai_gets_nothing_less(
    monkeypatch: pytest.MonkeyPatch, there: bool, obj: str | None
) -> None:
    if not there:
        monkeypatch.delitem(sys.modules, "monai", raising=False)
    else:
        __import__("monai")
    monkeypatch.setattr(lean, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    before = set(sys.modules)
    with click.Context(click.Command("harmonize"), obj=obj):
        lean.import_monai()
    assert set(sys.modules) == before
