"""``python -m monai_consingan.cli.ahead``: a helper that compiles for a training while its command reads scans."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from monai_consingan.cli.lean import import_parts, in_own_process, no_garbage
from monai_consingan.fields import Settings
from monai_consingan.settings import Training, TrainingByScan, training_preset

_SLICES = ("axis", "donor_slice", "host_slice", "slice_index")
"""Options that mean work slice by slice."""


def compile_ahead(options: Mapping[str, Any], settings: Training | None, *others: Settings | None) -> None:
    """Start a helper, if a model will be trained on a CPU of two cores or more, and its functions were never compiled.

    Nothing is done where the process goes on after the command, as in a notebook. Where the scan will decide, it is for
    work in space, as nobody has read it yet and most are of thin slices.

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

        training = settings or training_preset("quick", "harmonization")
        if isinstance(training, TrainingByScan):
            by_slices = any(options.get(name) is not None for name in _SLICES)
            training = training.for_dims(options.get("dims") or (2 if by_slices else 3))
        command = [sys.executable, "-m", "monai_consingan.cli.ahead", str(training.channels)]
        if training.channels >= SMALLEST[training.spatial_dims][0]:  # with fewer they do not pay
            ahead.begin(training.channels, command)


if __name__ == "__main__":
    with no_garbage():
        import_parts()
        from monai_consingan.networks.fast import ahead

        ahead.help_with(int(sys.argv[1]))
