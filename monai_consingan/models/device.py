"""Where to compute."""

from __future__ import annotations

import torch

from monai_consingan.errors import ConSinGANError


def check_device(device: str | torch.device) -> torch.device:
    """The device of a name, if this machine has it.

    Args:
        device: such as ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises:
        ConSinGANError: an unknown name, or a device that is not there.
    """
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConSinGANError(f"device is {str(device)!r}, which this machine does not have: give 'cpu'.") from error
    if found.type == "meta":
        raise ConSinGANError(f"device is {str(device)!r}, which cannot compute: give 'cpu'.")
    return found
