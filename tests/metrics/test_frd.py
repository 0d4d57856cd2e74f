from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import compare_radiomics, radiomic_distance, radiomic_features

installed = all(importlib.util.find_spec(name) for name in ("frd_score", "radiomics"))
needs_frd = pytest.mark.skipif(not installed, reason="needs frd-score and pyradiomics")


def normal(count: int, features: int = 5, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).normal(mean, 1.0, (count, features))


def pictures(folder: Path, count: int, level: float, seed: int) -> list[str]:
    rng = np.random.RandomState(seed)
    files = []
    for number in range(count):
        files.append(str(folder / f"{seed}-{number}.png"))
        Image.fromarray((rng.rand(96, 96) * level).astype(np.uint8)).save(files[-1])
    return files


def test_the_distance_is_that_of_normalised_features() -> None:
    first = normal(400)
    second = normal(400, mean=1.0, seed=1)
    found = radiomic_distance(first, second)
    assert found.value == pytest.approx(math.log(5), abs=0.3)  # five features, one standard deviation apart
    assert found.lower < found.value < found.upper
    units = np.array([1e-3, 1, 10, 1e4, 7])
    assert radiomic_distance(first * units + 3, second * units + 3).value == pytest.approx(found.value)
    same = np.concatenate([first, np.full((400, 1), 2.0)], axis=1)  # one that does not vary
    assert radiomic_distance(same, np.concatenate([second, normal(400, 1)], axis=1)).value == pytest.approx(found.value)


def test_the_interval_covers_the_truth_mostly() -> None:
    found = [radiomic_distance(normal(150, seed=2 * n), normal(150, mean=1.0, seed=2 * n + 1)) for n in range(40)]
    assert np.mean([one.lower < math.log(5) < one.upper for one in found]) >= 0.85


def test_the_interval_is_that_of_sources() -> None:
    per_source = normal(8, mean=0.0).repeat(20, axis=0) + 0.1 * normal(160, seed=3)
    sources = np.arange(8).repeat(20).tolist()
    other = normal(160, mean=1.0, seed=2)
    images, volumes = (radiomic_distance(per_source, other, first_sources=names) for names in (None, sources))
    assert images.value == volumes.value
    assert volumes.upper - volumes.lower > 1.5 * (images.upper - images.lower)


def test_comparison_has_the_floor_of_real_images() -> None:
    found = compare_radiomics(normal(60), normal(30, mean=2.0, seed=2))
    assert (found["n_real"], found["n_synthetic"], found["n_floor"]) == (60, 30, 30)
    assert found["frd_floor"]["value"] < found["frd_at_n_floor"]["value"]
    assert found["frd"] == asdict(radiomic_distance(normal(60), normal(30, mean=2.0, seed=2)))
    broken = normal(60)
    broken[3, 2] = np.nan
    assert compare_radiomics(broken, normal(30, seed=2))["n_real"] == 59
    assert compare_radiomics(normal(3), normal(3, seed=2))["n_floor"] == 0


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "frd_score.frd", None)
    with pytest.raises(ConSinGANError, match="needs frd-score and pyradiomics"):
        radiomic_features(["a.png"])


@needs_frd
def test_it_is_the_number_of_frd_score(tmp_path: Path) -> None:
    from frd_score import compute_frd

    sets = pictures(tmp_path, 6, 150, 0), pictures(tmp_path, 5, 220, 1)
    found = radiomic_distance(*(radiomic_features(files) for files in sets))
    assert found.value == pytest.approx(compute_frd(list(sets), num_workers=1), rel=1e-3)


@needs_frd
def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    radiomic_features(pictures(tmp_path, 1, 150, 0))
    assert "LoG" not in "".join(capfd.readouterr())


@needs_frd
def test_a_picture_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ConSinGANError, match=r"broken\.png"):
        radiomic_features([tmp_path / "broken.png"])
