"""The Inception network of pytorch-fid, and what it sees in pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.progress_bar import ForgivingStderr
from monai_consingan.state_file import read_weights

INCEPTION_VARIABLE = "MONAI_CONSINGAN_INCEPTION"
"""Environment variable that names the file of the Inception weights."""

INCEPTION_DIMS = (64, 192, 768, 2048)
"""Numbers of features: of the first and the second pooling, before the auxiliary classifier, of the last pooling."""

_BATCH = 50  # of pytorch-fid's command


@contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of a module has another value within the ``with`` block."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def load_inception(
    weights: str | Path | None = None, *, dims: int = 2048, device: str | torch.device = "cpu"
) -> torch.nn.Module:
    """The Inception network with which pytorch-fid computes the FID.

    Args:
        weights: file of its weights; by default that which the environment variable ``MONAI_CONSINGAN_INCEPTION``
            names, and without one the file that pytorch-fid downloads and PyTorch keeps for the next time.
        dims: number of features, one of 64, 192, 768 and 2048. Only with 2048 a FID is comparable with published ones.
        device: where to compute.

    Returns:
        The network in evaluation mode, which takes (B, 3, H, W) in [0, 1] and returns a list with the features.

    Raises:
        ConSinGANError: other ``dims``, a download that failed, or a file that does not hold these weights.
    """
    from pytorch_fid import inception

    if dims not in INCEPTION_DIMS:
        raise ConSinGANError(f"dims is {dims}: give one of {', '.join(map(str, INCEPTION_DIMS))}.")
    blocks = [inception.InceptionV3.BLOCK_INDEX_BY_DIM[dims]]
    file = weights or os.environ.get(INCEPTION_VARIABLE)
    if file:
        state = _read_weights(Path(file))
        try:
            with replaced(inception, "load_state_dict_from_url", lambda *_, **__: state):
                network = inception.InceptionV3(blocks)
        except RuntimeError as error:
            raise ConSinGANError(
                f"inception {file} holds other weights than those of pytorch-fid's Inception network: give the file of "
                f"{inception.FID_WEIGHTS_URL}."
            ) from error
    else:
        try:
            network = inception.InceptionV3(blocks)
        except (OSError, RuntimeError) as error:
            raise ConSinGANError(
                f"The Inception weights cannot be downloaded from {inception.FID_WEIGHTS_URL} ({error}): fetch them "
                f"where there is a network, and name the file by --inception or the variable {INCEPTION_VARIABLE}."
            ) from error
    return network.to(device).eval()


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    exists = path.is_file()
    state = read_weights(path, "inception") if exists else None
    if not isinstance(state, dict):
        problem = "is no state dict" if exists else "does not exist"
        raise ConSinGANError(f"inception {path} {problem}: give the file of the Inception weights (.pth).")
    return state


def inception_features(
    files: Sequence[str | Path], network: torch.nn.Module, *, device: str | torch.device = "cpu", progress: bool = False
) -> NDArray[np.float64]:
    """Features of picture files, by pytorch-fid's own function: read as RGB, pooled to one vector a picture.

    The network resizes every picture to 299 x 299 pixels. Pictures of several sizes, which pytorch-fid refuses, go
    through it size by size.

    Args:
        files: PNG, JPEG, BMP or TIFF files.
        network: the network of :func:`load_inception`.
        device: where it is.
        progress: whether to show progress on the standard error stream.

    Returns:
        Features of the shape (files, dims).

    Raises:
        ConSinGANError: no files, or one that cannot be read.
    """
    from pytorch_fid import fid_score

    if not files:
        raise ConSinGANError("files is empty: give at least one picture.")
    sizes = np.array([_size(file) for file in files])
    dims = INCEPTION_DIMS[network.output_blocks[0]]  # type: ignore[index]
    features = np.empty((len(files), dims))
    bar: Callable[[Any], Any] = partial(fid_score.tqdm, file=ForgivingStderr()) if progress else iter
    with replaced(fid_score, "tqdm", bar):
        for size in np.unique(sizes, axis=0):
            (same,) = np.nonzero((sizes == size).all(axis=1))
            features[same] = fid_score.get_activations(
                [str(files[int(number)]) for number in same],
                network,
                batch_size=min(_BATCH, len(same)),
                dims=dims,
                device=device,
                num_workers=0,
            )
    return features


def _size(file: str | Path) -> tuple[int, int]:
    """Width and height of a picture that can be read."""
    try:
        with Image.open(file) as picture:
            picture.load()
            return picture.size
    except (OSError, SyntaxError) as error:
        raise ConSinGANError(f"picture {file} cannot be read ({error}): give a file that is whole.") from error
