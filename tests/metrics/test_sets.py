from __future__ import annotations

from dataclasses import asdict

import numpy as np

from monai_consingan.metrics import compare_sets, frechet_distance, kernel_distance
from monai_consingan.metrics.sets import MIN_IMAGES


def normal(count: int, features: int = 3, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(mean, 1.0, (count, features))


def test_comparison_has_the_floor_of_real_images() -> None:
    real, near, far = normal(60), normal(60, seed=1), normal(30, mean=2.0, seed=2)
    found = compare_sets(real, near)
    assert (found.n_real, found.n_synthetic, found.n_floor) == (60, 60, 30)
    assert found.fid == frechet_distance(real, near)
    assert found.kid == kernel_distance(real, near)
    assert found.kid.lower < 0 < found.kid.upper
    assert found.fid_floor < 1 < compare_sets(real, far).fid_at_n_floor
    assert found.kid_floor.lower < 0 < found.kid_floor.upper
    assert found.warnings == ()
    assert asdict(compare_sets(real, near)) == asdict(found)
    assert asdict(found)["kid"]["value"] == found.kid.value


def test_sources_are_not_divided() -> None:
    real = np.repeat(np.eye(4), 3, axis=0) + 1e-3 * normal(12, 4)
    sources = np.repeat(np.arange(4), 3).tolist()
    found = compare_sets(real, normal(12, 4), real_sources=sources)
    assert found.n_floor == 6
    # The halves have different sources, so they are no nearer than sources are.
    assert found.fid_floor > 0.5
    assert compare_sets(real[:5], normal(12, 4), real_sources=[0, 0, 0, 0, 1]).n_floor == 0


def test_few_images_carry_a_warning() -> None:
    few, enough = normal(MIN_IMAGES - 1), normal(MIN_IMAGES, seed=1)
    assert compare_sets(few, enough).warnings == (
        f"49 images in the smaller set are too few to rank methods: take {MIN_IMAGES} or more.",
    )
    assert compare_sets(enough, enough).warnings == ()
    (bias,) = compare_sets(normal(60, 64), normal(60, 64, seed=1)).warnings
    assert "mostly bias" in bias
    (sources,) = compare_sets(enough, enough, real_sources=["a"] * MIN_IMAGES).warnings
    assert sources.startswith("The images of one set come from 1 source only")
    many = [number // 5 for number in range(MIN_IMAGES)]
    assert compare_sets(enough, enough, real_sources=many, synthetic_sources=many).warnings == ()
    nine = [min(number, 8) for number in range(MIN_IMAGES)]
    assert "come from 9 sources only" in compare_sets(enough, enough, synthetic_sources=nine).warnings[0]
    tiny = compare_sets(normal(3), normal(2, seed=1))
    assert np.isnan(tiny.fid_floor)
    assert tiny.n_floor == 0
    assert np.isfinite(tiny.fid)
