"""Compiling for the first training of a machine in two processes: the larger part by a helper that began before."""

from __future__ import annotations

import atexit
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import torch

_PATIENCE = 60.0  # seconds that a helper has at most, on a busy machine
_helpers: dict[int, subprocess.Popen[bytes]] = {}


def begin(channels: int, command: Sequence[str]) -> None:
    """Start a helper that compiles what hangs on nothing but the filters, if that is not kept yet.

    Args:
        channels: filters of the training to come.
        command: what starts the helper, which calls :func:`help_with`.
    """
    try:
        from monai_consingan.networks.fast.winograd import has_winograd
    except ImportError:  # of Numba, without which nothing is compiled
        return
    if channels % 4 or channels in _helpers or has_winograd(channels, torch.float32):
        return
    nothing = subprocess.DEVNULL
    own = {**os.environ, "PYTHONSAFEPATH": "1"}  # nothing is imported from the folder that the user is in
    with suppress(OSError):
        _helpers[channels] = subprocess.Popen(command, env=own, stdin=nothing, stdout=nothing, stderr=nothing)
        atexit.register(_helpers[channels].kill)


def help_with(channels: int) -> None:
    """What the helper does."""
    from monai_consingan.networks.fast.norm import norm
    from monai_consingan.networks.fast.resample import resample
    from monai_consingan.networks.fast.winograd import winograd

    for make in (winograd, norm):
        make(channels, torch.float32)
    resample(torch.float32)


def compile_rest(channels: int, in_channels: int, taps: int) -> None:
    """Compile what a training calls besides, and wait for the helper; at once where there is none.

    A helper that failed, or takes too long, is done without: what it did not keep is compiled when it is called.

    Args:
        channels: filters of the training.
        in_channels: channels of its images.
        taps: planes of a filter, 1 in the plane and 3 in space.
    """
    helper = _helpers.pop(channels, None)
    if helper is None:
        return
    from monai_consingan.networks.fast.few_channels import expander, padded, reducer

    expander(channels, torch.float32)
    reducer(padded(9 * taps * in_channels), torch.float32)
    with suppress(subprocess.TimeoutExpired):
        helper.wait(_PATIENCE)
