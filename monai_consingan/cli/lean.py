"""MONAI without what it imports wherever it is installed, and what most commands never use."""

from __future__ import annotations

import sys
from importlib import import_module

import click

OWN_PROCESS = "own process"
"""What the context of the program's commands holds where the process ends with them."""

_UNUSED = (
    *("torchvision", "scipy.signal", "matplotlib.pyplot"),  # which come with what this package needs
    *("cv2", "mlflow", "onnx", "pandas", "sklearn", "torch.utils.tensorboard", "transformers"),
)
_OF_TRAINING = ("ignite",)


def import_monai(*, training: bool) -> None:
    """Import MONAI, in a process that ends with this command, without optional packages that the command does not use.

    MONAI imports every optional package that it finds, whether it is used or not, and does without those that it does
    not find: its parts that need them say so when they are used. Some take as long as PyTorch itself. While it is
    imported they are not to be found (``None`` in :py:data:`sys.modules`); afterwards they are as before for all else.
    Nothing is done where MONAI is there already, or the process goes on after the command, as in a notebook.

    Args:
        training: whether a model may be trained, for which MONAI has to find Ignite.
    """
    if "monai" in sys.modules or click.get_current_context().find_root().obj != OWN_PROCESS:
        return
    hidden = {name: None for name in (*_UNUSED, *(() if training else _OF_TRAINING)) if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        import_module("monai")
    finally:
        for name in hidden:
            del sys.modules[name]
