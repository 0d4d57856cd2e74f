"""MONAI without what it imports wherever it is installed, and what most commands never use."""

from __future__ import annotations

import gc
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

import click

OWN_PROCESS = "own process"
"""What the context of the program's commands holds where the process ends with them."""

_UNUSED = (
    *("torchvision", "scipy.optimize", "scipy.signal", "scipy.sparse.linalg"),  # which come with what is needed
    *("skimage", "matplotlib", "filelock"),  # so do these
    *("bs4", "cucim", "cupy", "cv2", "gdown", "huggingface_hub", "ignite", "mlflow", "onnx", "openslide"),
    *("pandas", "pydicom", "pynvml", "pywt", "requests", "sklearn", "tensorboard", "tifffile"),
    *("torch.utils.tensorboard", "transformers"),
)
_PARTS = ("data", "transforms", "networks.nets", "inferers", "metrics", "losses")
"""Those that this package uses, in an order in which each finds what it imports of the others. ``engines`` comes with a
training only, which needs Ignite."""


def import_monai() -> None:
    """Import MONAI and what the commands do, in a process that ends with this command, without what they do not use.

    MONAI imports all of its own parts at once, and every optional package that it finds, whether used or not. Some take
    as long as PyTorch itself. Here its parts come when they are used, as do the packages that it reads files with; and
    while it is imported some packages are not to be found (``None`` in :py:data:`sys.modules`), without which it does:
    what needs them says so when it is used. Afterwards all of them are as before for all else.

    Nobody looks for garbage meanwhile, nor later among what was imported, which stays: it takes as long as to import
    half of it, and as long again at the end.

    Nothing is done where MONAI is there already, or the process goes on after the command, as in a notebook; and MONAI
    is imported as usual where it cannot be had like this.
    """
    if "monai" not in sys.modules and in_own_process():
        with no_garbage():
            import_parts()
            import_module("monai_consingan.workflows")


def in_own_process() -> bool:
    """Whether the process ends with the command that runs."""
    return bool(click.get_current_context().find_root().obj == OWN_PROCESS)


def import_parts() -> None:
    """Import MONAI as :func:`import_monai` does, in any process."""
    not_found: dict[str, ModuleType | None] = dict.fromkeys(_UNUSED)
    try:
        with _instead(not_found), _instead({"itk": _WhenUsed("itk")}), _without_parts():
            monai = import_module("monai")
            monai.__getattr__ = _part  # type: ignore[method-assign]  # which a module may have
            with _instead({"monai.apps": _empty("monai.apps")}):  # of which all use one module, and it imports the rest
                for name in _PARTS:
                    import_module(f"monai.{name}")
            import_module("nibabel")
    except Exception:  # a version of MONAI that needs what this does without
        for name in [name for name in sys.modules if name.partition(".")[0] == "monai"]:
            del sys.modules[name]
        import_module("monai")


@contextmanager
def no_garbage() -> Iterator[None]:
    """Nothing that is made here is ever looked at for garbage: that takes time, also at the end of the process."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _instead(modules: dict[str, ModuleType | None]) -> Iterator[None]:
    """Modules take the place of those of their names, but for those that are imported already."""
    new = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(new)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in new.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


class _WhenUsed(ModuleType):
    """A module that is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """What the module has by this name; what Python's imports ask of a module is not there."""
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _without_parts() -> Iterator[None]:
    """``import monai`` finds none of its parts, and so imports none."""
    walk, alone = pkgutil.walk_packages, True

    def walk_packages(*args: Any, **options: Any) -> Iterator[pkgutil.ModuleInfo]:
        """Nothing now, and all afterwards, as MONAI keeps this function."""
        return iter(()) if alone else walk(*args, **options)

    pkgutil.walk_packages = walk_packages
    try:
        yield
    finally:
        pkgutil.walk_packages, alone = walk, False


def _empty(name: str) -> ModuleType:
    """A package whose modules can be imported, without what it has of its own."""
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(name)
    return module_from_spec(spec)


def _part(name: str) -> Any:
    """A part of MONAI, as its attribute; it is imported now."""
    try:
        return import_module(f"monai.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module 'monai' has no attribute {name!r}") from error
