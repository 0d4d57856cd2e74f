from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pytorch_fid import fid_score
from scipy import linalg

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import frechet_distance


def normal(count: int, features: int = 3, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(mean, 1.0, (count, features))


def test_frechet_distance_of_known_normal_distributions() -> None:
    first = normal(100)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(first, first + np.array([3.0, 0.0, 4.0])) == pytest.approx(25.0)
    # Standard deviations s and 2 s differ by tr(s^2).
    assert frechet_distance(first, 2 * (first - first.mean(0)) + first.mean(0)) == pytest.approx(
        np.trace(np.cov(first, rowvar=False))
    )


@pytest.mark.parametrize(("images", "features"), [(60, 5), (40, 16), (12, 30), (2, 4)])
def test_frechet_distance_is_that_of_pytorch_fid(images: int, features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def sqrtm(matrix: np.ndarray, disp: bool = True) -> tuple[np.ndarray, float]:
        return linalg.sqrtm(matrix), np.nan  # SciPy 1.18 gives up the argument that pytorch-fid uses

    monkeypatch.setattr(fid_score, "linalg", SimpleNamespace(sqrtm=sqrtm))
    first, second = normal(images, features), 1.5 * normal(images + 7, features, mean=0.5, seed=1)
    statistics = [part for each in (first, second) for part in (each.mean(axis=0), np.cov(each, rowvar=False))]
    expected = fid_score.calculate_frechet_distance(*statistics)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-3)
    assert frechet_distance(second, first) == pytest.approx(frechet_distance(first, second))


def test_refuses_features_that_cannot_be_compared() -> None:
    with pytest.raises(ConSinGANError, match="at least two"):
        frechet_distance(normal(1), normal(5))
    with pytest.raises(ConSinGANError, match="3 and 4 features"):
        frechet_distance(normal(5), normal(5, 4))
