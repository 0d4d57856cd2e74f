"""Commands that train have what a training needs compiled ahead, in a process of their own and only there."""

from __future__ import annotations

from typing import Any

import click
import pytest

from monai_consingan.cli import ahead, lean
from monai_consingan.methods import BlendSettings
from monai_consingan.settings import preset_settings, training_preset


@pytest.mark.parametrize(
    ("options", "given", "obj", "expected"),
    [
        ({}, (None,), lean.OWN_PROCESS, None),
        ({}, (preset_settings("harmonization-1", "harmonization"),), lean.OWN_PROCESS, 64),
        ({}, (None, BlendSettings()), lean.OWN_PROCESS, 16),
        ({}, (training_preset("quick", "editing", channels=64),), lean.OWN_PROCESS, 64),
        ({"dims": 2}, (None, BlendSettings()), lean.OWN_PROCESS, 32),
        ({"axis": 0}, (None, BlendSettings()), lean.OWN_PROCESS, 32),
        ({"host_slice": 6}, (training_preset("quick", "editing"),), lean.OWN_PROCESS, 32),
        ({}, (preset_settings("quick", "harmonization", channels=16),), lean.OWN_PROCESS, None),
        ({"dims": 3}, (None, BlendSettings()), lean.OWN_PROCESS, preset_settings("quick-3d", "harmonization").channels),
        ({"bank": "bank", "device": "cpu"}, (None,), lean.OWN_PROCESS, 16),
        ({"bank": "bank", "device": "cuda"}, (None,), lean.OWN_PROCESS, None),
        ({"model": "model.pt"}, (None, BlendSettings()), lean.OWN_PROCESS, None),
        ({}, (None, BlendSettings()), None, None),
    ],
)
def test_only_what_will_train(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], given: Any, obj: str | None, expected: int | None
) -> None:
    begun: list[int] = []

    def begin(channels: int, *_: Any) -> None:
        begun.append(channels)

    monkeypatch.setattr("monai_consingan.networks.fast.ahead.begin", begin)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with click.Context(click.Command("harmonize"), obj=obj):
        ahead.compile_ahead(options, *given)
    assert begun == ([] if expected is None else [expected])
