from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import frechet_distance, load_inception, sifid


class Neighbours(torch.nn.Module):
    """Each pixel with those right of and below it: three feature maps."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :1, :-1, :-1], x[:, :1, 1:, :-1], x[:, :1, :-1, 1:]], dim=1)


def noise(size: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(50, 100, (1, size, size))


def test_is_the_frechet_distance_of_places() -> None:
    real, image = noise(), noise(40, seed=1)
    low, high = real.min(), real.max()
    maps = [np.clip((array - low) / (high - low), 0, 1).astype(np.float32)[0] for array in (image, real)]
    places = [np.stack([a[:-1, :-1].ravel(), a[1:, :-1].ravel(), a[:-1, 1:].ravel()], 1).astype(float) for a in maps]
    assert sifid(image, real, Neighbours()) == pytest.approx(frechet_distance(*places))


def test_same_structures_are_near_and_blurred_ones_far() -> None:
    real = noise()
    blurred = ndimage.gaussian_filter(real, (0, 1, 1))
    assert sifid(real, real, Neighbours()) == pytest.approx(0, abs=1e-6)
    assert sifid(noise(seed=1), real, Neighbours()) < 0.01 < sifid(blurred, real, Neighbours())


def test_network_from_a_file(tmp_path: Path) -> None:
    torch.jit.script(Neighbours()).save(str(tmp_path / "network.pt"))
    found = sifid(noise(), noise(seed=5), tmp_path / "network.pt", channels=1)
    assert found == pytest.approx(sifid(noise(), noise(seed=5), Neighbours()))


def test_takes_inception(inception_file: Path) -> None:
    network = load_inception(inception_file, dims=64)
    assert sifid(noise(), noise(), network) == pytest.approx(0, abs=1e-6)
    assert sifid(noise() / 2, noise(), network) > 1e-4


def test_refuses_what_is_no_image_or_no_network(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="does not exist"):
        sifid(noise(), noise(), tmp_path / "none.pt")
    (tmp_path / "broken.pt").write_bytes(b"no network")
    with pytest.raises(ConSinGANError, match="cannot be read"):
        sifid(noise(), noise(), tmp_path / "broken.pt")
    with pytest.raises(ConSinGANError, match="constant"):
        sifid(noise(), np.ones((1, 48, 48)), Neighbours())
    with pytest.raises(ConSinGANError, match=r"shape \(1, 3\)"):
        sifid(noise(), noise(), lambda x: x.mean((2, 3)))
