"""``python -m monai_consingan.cli.ahead``: a helper that compiles for a training while its command reads scans."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from monai_consingan.cli.lean import import_parts, in_own_process, no_garbage
from monai_consingan.fields import Settings
from monai_consingan.settings import TrainingSettings, preset_settings


def compile_ahead(options: Mapping[str, Any], settings: TrainingSettings | None, *others: Settings | None) -> None:
    """Start a helper, if a model will be trained on a CPU of two cores or more, and its functions were never compiled.

    Nothing is done where the process goes on after the command, as in a notebook.

    Args:
        options: the options of the command.
        settings: settings of the training, if they are given.
        others: what else is given only where there is a training.
    """
    trains = any(given is not None for given in (settings, *others, options.get("start"), options.get("bank")))
    on_cpu = options.get("device") in (None, "cpu") and (os.cpu_count() or 1) > 1
    if trains and on_cpu and options.get("model") is None and in_own_process():
        from monai_consingan.networks.fast import ahead
        from monai_consingan.networks.fast.choice import SMALLEST

        usual = "quick-3d" if options.get("dims") == 3 else "quick"
        training = settings or preset_settings(usual, "harmonization")
        command = [sys.executable, "-m", "monai_consingan.cli.ahead", str(training.channels)]
        if training.channels >= SMALLEST[training.spatial_dims][0]:  # with fewer they do not pay
            ahead.begin(training.channels, command)


if __name__ == "__main__":
    with no_garbage():
        import_parts()
        from monai_consingan.networks.fast import ahead

        ahead.help_with(int(sys.argv[1]))
