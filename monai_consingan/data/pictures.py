"""Reading grey values of PNG and JPEG pictures."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from ..errors import ConSinGANError


def read_picture(data: bytes, what: str, indices: bool) -> tuple[np.ndarray, np.ndarray]:
    """Decode a grey picture.

    Args:
        data: the file's bytes.
        what: the picture, for errors.
        indices: give the indices into a palette instead of its colours.

    Returns:
        Grey values, (width, height) as MONAI reads pictures, and all pixels, (height, width[, channels]).

    Raises:
        ConSinGANError: an animation, or colours.
    """
    from PIL import Image

    with Image.open(BytesIO(data)) as picture:
        picture.verify()  # the checksums of PNG, which are not looked at when it is decoded
    with Image.open(BytesIO(data)) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise ConSinGANError(f"{what} is an animation of {picture.n_frames} pictures: give a single one.")
        pixels = np.asarray(picture) if indices and picture.mode == "P" else _decoded(picture)
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    if pixels.ndim > 2 and pixels.shape[-1] > 2 and (pixels[..., :3] != grey[..., None]).any():
        raise ConSinGANError(f"{what} is a colour (RGB) image: give a grey one.")
    return grey.T, pixels


def _decoded(picture: Any) -> np.ndarray:
    """The pixels of an opened PIL image, (height, width) or (height, width, channels), palettes and bits resolved."""
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    array = np.asarray(picture)
    if picture.mode == "I" and array.min() >= 0 and array.max() <= np.iinfo(np.uint16).max:
        array = array.astype(np.uint16)
    return array
