from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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


def test_frechet_distance_does_not_need_the_argument_that_scipy_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = normal(20), normal(20, mean=1.0, seed=1)
    root, calls = linalg.sqrtm, []

    def without_disp(matrix: Any) -> Any:
        calls.append(matrix)
        return root(matrix)

    expected = frechet_distance(first, second)
    monkeypatch.setattr(linalg, "sqrtm", without_disp)
    assert frechet_distance(first, second) == expected
    assert len(calls) == 1


def test_refuses_features_that_cannot_be_compared() -> None:
    with pytest.raises(ConSinGANError, match="at least two"):
        frechet_distance(normal(1), normal(5))
    with pytest.raises(ConSinGANError, match="3 and 4 features"):
        frechet_distance(normal(5), normal(5, 4))
