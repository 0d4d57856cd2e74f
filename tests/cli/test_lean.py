"""Commands without a training import MONAI without what they never use, in a process of their own and only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from monai_consingan.cli import lean
from monai_consingan.data import example

_CODE = """
import atexit, sys
from monai_consingan.cli import main
slow = {"torchvision", "ignite", "mlflow", "scipy.signal", "scipy.stats", "matplotlib.pyplot", "sklearn"}
atexit.register(lambda: print(sorted(slow & set(sys.modules)), all(sys.modules[name] for name in sys.modules)))
main()
"""


def test_a_blend_without_a_model_imports_nothing_of_a_training(tmp_path: Path) -> None:
    files = example()
    scans = ["--host", files.image, "--donor", files.image, "--donor-label", files.label]
    command = ["harmonize", *scans, "--donor-slice", "4", "--host-slice", "6", "--quiet", "--output", tmp_path / "out"]
    done = subprocess.run([sys.executable, "-c", _CODE, *command], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[] True"
    assert (tmp_path / "out" / "figure.png").exists()


@pytest.mark.parametrize(("training", "hidden"), [(False, ["ignite", "torchvision"]), (True, ["torchvision"])])
def test_what_is_hidden_is_there_again_afterwards(
    monkeypatch: pytest.MonkeyPatch, training: bool, hidden: list[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("monai", "ignite", "torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    seen: list[str] = []
    names = ("ignite", "torchvision")
    monkeypatch.setattr(lean, "import_module", lambda _: seen.extend(n for n in names if n in sys.modules))
    with click.Context(click.Command("harmonize"), obj=lean.OWN_PROCESS):
        lean.import_monai(training=training)
    assert seen == hidden
    assert not {"ignite", "torchvision"} & set(sys.modules)


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
        lean.import_monai(training=False)
    assert set(sys.modules) == before
