"""The MONAI bundles that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import ConSinGANError, check_choice

BUNDLES = ("consingan_harmonization", "consingan_editing")


def bundle_folder(name: str) -> Path:
    """Find the folder of a bundle.

    Args:
        name: one of :py:data:`BUNDLES`.

    Returns:
        The working directory if it is (a copy of) that bundle, otherwise the folder that is installed with the package.

    Raises:
        ConSinGANError: there is no such bundle.

    Example::

        from monai_consingan.data import bundle_folder

        print(bundle_folder("consingan_harmonization") / "configs" / "train.json")
    """
    check_choice(BUNDLES, bundle=name)
    package = Path(__file__).parents[1]
    # installed from a wheel the bundles lie in the package, in a checkout beside it
    for folder in (Path.cwd(), package / "bundles" / name, package.parent / "bundles" / name):
        if _is_bundle(folder, name):
            return folder
    raise ConSinGANError(f"bundle {name} is not installed with the package: install monai-consingan anew.")


def _is_bundle(folder: Path, name: str) -> bool:
    try:
        metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
        return bool(metadata["name"] == name)
    except (OSError, ValueError, KeyError, TypeError):
        return False
