"""Single-image Frechet distance: whether two images are made of the same small structures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.fid import frechet_distance
from monai_consingan.metrics.surroundings import spatial_array

FeatureNetwork = Callable[[torch.Tensor], Any]
"""Takes (1, channels, H, W) in [0, 1] and returns feature maps (1, features, h, w), or a list that begins with them."""


def load_feature_network(path: str | Path) -> FeatureNetwork:
    """Read a network for :func:`sifid`, saved by ``torch.jit.save``.

    Unlike the weights that this package reads elsewhere, a TorchScript file is a program. PyTorch's own interpreter
    runs it: no Python is unpickled or run, but the operators that it may call can read and write files. So take one
    only from whom you would take a program, or give :func:`sifid` a network that you built yourself, such as
    :func:`~monai_consingan.metrics.load_inception`, whose file holds nothing but weights.

    Raises:
        ConSinGANError: a file that is missing or not TorchScript.
    """
    if not Path(path).is_file():
        raise ConSinGANError(f"network {path} does not exist: give a TorchScript file.")
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # of many kinds
        reason = type(error).__name__
        raise ConSinGANError(f"network {path} cannot be read ({reason}): give a TorchScript file.") from error


def sifid(
    image: NdarrayOrTensor, real: NdarrayOrTensor, network: FeatureNetwork | str | Path, *, channels: int = 3
) -> float:
    """Frechet distance between the features at all places of one image and at all places of another.

    Rott Shaham, Dekel, Michaeli, 2019, https://arxiv.org/abs/1905.01164, who take the features of Inception before its
    second pooling; :func:`~monai_consingan.metrics.load_inception` with ``dims=64`` or ``192`` comes close to them. The
    real image's darkest and brightest values become 0 and 1 in both; what is beyond is clipped.

    Args:
        image: the synthetic image, (1, H, W).
        real: the real image, (1, H, W), which may have another size.
        network: takes (1, channels, H, W) in [0, 1] and gives feature maps (1, features, h, w); or its
            TorchScript file.
        channels: channels that the network takes; all get the same values.

    Returns:
        The distance, 0 for the real image itself.

    Raises:
        ConSinGANError: images that are not 2D, a real image that is constant, or a network that gives no feature maps
            of at least 2 places.

    Example:

        >>> import numpy as np
        >>> def gradients(x):
        ...     return torch.cat([x[:, :, 1:, 1:] - x[:, :, :-1, 1:], x[:, :, 1:, 1:] - x[:, :, 1:, :-1]], dim=1)
        >>> picture = np.random.RandomState(0).rand(1, 32, 32)
        >>> abs(sifid(picture, picture, gradients, channels=1)) < 1e-6
        True
    """
    chosen = load_feature_network(network) if isinstance(network, (str, Path)) else network
    arrays = [spatial_array(image, "image").astype(np.float64), spatial_array(real, "real").astype(np.float64)]
    low, high = float(arrays[1].min()), float(arrays[1].max())
    if any(array.ndim != 2 for array in arrays) or not high > low:
        raise ConSinGANError("image and real must be slices, (1, H, W), and real not constant: give such images.")
    features = []
    for array in arrays:
        scaled = torch.from_numpy(np.clip((array - low) / (high - low), 0, 1)).float()
        with torch.no_grad():
            maps = chosen(scaled.expand(1, channels, *array.shape))
        maps = maps[0] if isinstance(maps, (list, tuple)) else maps
        if maps.ndim != 4 or maps.shape[2] * maps.shape[3] < 2:
            raise ConSinGANError(
                f"network gives features of the shape {tuple(maps.shape)}: give one with feature maps (1, features, h, "
                "w) of several places."
            )
        features.append(maps[0].flatten(1).T.double().numpy(force=True))
    return frechet_distance(features[0], features[1])
