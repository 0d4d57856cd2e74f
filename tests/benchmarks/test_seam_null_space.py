"""The classifiers of ``benchmarks/seam_null_space.py`` see what lies across a border, in one sequence or in several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _null_pastes_space
import numpy as np
import pytest
from _border_space import DIRECTIONS, Border, border_cubes
from _methods_space import SpaceModels, result_of, share_left
from _null_pastes_space import SIDE, SpacePaste, space_pastes
from _telling_apart import auc, cnn_scores
from seam_null_space import features, matrix

from monai_consingan.methods import INSERTION_METHODS
from monai_consingan.models.redraw import Redrawing

BALL = ((np.stack(np.mgrid[:40, :40, :40]) - 19.5) ** 2).sum(0) < 9**2


def test_cubes_have_the_outside_at_the_end_of_their_first_axis() -> None:
    border = Border(BALL)
    image = np.stack([border.distance, -border.distance])
    cubes = border_cubes(image, border, 5, side=8)
    assert cubes.shape == (5, 2, 8, 8, 8) and cubes.dtype == np.float32
    middle = cubes[..., 3:5, 3:5].mean(axis=(-1, -2))
    assert (np.diff(middle[:, 0], axis=-1) > 0).all() and (np.diff(middle[:, 1], axis=-1) < 0).all()
    spread = (border.distance[(border.distance > 0) & (border.distance <= 9)]).std()
    assert np.diff(middle[:, 0], axis=-1).mean() == pytest.approx(1 / spread, rel=0.15)  # a voxel a step


def test_features_of_several_sequences_are_those_of_each_side_by_side() -> None:
    image = np.random.default_rng(0).standard_normal((2, *BALL.shape))
    found = [features(image, BALL)]
    first, second, both = (matrix(found, channels, DIRECTIONS) for channels in ([0], [1], [0, 1]))
    assert np.array_equal(both, np.concatenate([first, second], axis=1)) and not np.array_equal(first, second)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_network_sees_a_step_in_one_of_two_sequences(dims: int) -> None:
    random = np.random.default_rng(0)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")] * 16
    truth = np.repeat([1, 0], 24)
    patches = random.standard_normal((48, 4, 2, *(12,) * dims)).astype(np.float32)
    patches[truth == 1, :, 1, :6] += 2.0
    assert auc(cnn_scores(patches, truth, pairs, "pair left out"), truth) > 0.95
    blind = auc(cnn_scores(patches[:, :, :1], truth, pairs, "pair left out"), truth)
    assert 0.2 < blind < 0.8


def test_a_method_that_is_like_another_leaves_as_much_of_the_paste(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    host, tissue = (100 + 10 * random.standard_normal((1, *BALL.shape)).astype(np.float32) for _ in range(2))
    case = SpacePaste(("a", "b"), lambda side: host, tissue, BALL, 18.0)
    models = SpaceModels(tmp_path)
    assert share_left(host, case) == pytest.approx(0)
    assert share_left(result_of("gain matched", case, tmp_path, models), case) == pytest.approx(1)
    blend, weak, poisson = (
        share_left(result_of(name, case, tmp_path, models), case)
        for name in ("tissue", "poisson, as much as tissue", "poisson")
    )
    assert weak == pytest.approx(np.minimum(blend, poisson), abs=1e-3)
    assert 0 < weak < 1


@pytest.mark.parametrize("method", ["tissue-consingan", "consingan"])
def test_a_network_of_the_very_place_sees_the_paste_in_the_host_farther_around(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    whole, tissue = (100 + 10 * random.standard_normal((2, side, side, side)).astype(np.float32) for side in (128, 64))
    mask = np.pad(BALL, 12)

    def around(side: int) -> np.ndarray:
        return whole[(slice(None), *[slice(64 - side // 2, 64 + side // 2)] * 3)]

    asked: list[Any] = []

    def redrawn(self: Redrawing, naive: Any, lesion: Any, host: Any, **how: Any) -> Any:
        asked.append((self, naive.numpy(), lesion.numpy(), host.numpy()))
        return SimpleNamespace(image=naive + lesion)

    monkeypatch.setattr(Redrawing, "__call__", redrawn)
    case = SpacePaste(("a", "b"), around, tissue, mask, 18.0)
    models = SpaceModels(tmp_path / "models")
    made = result_of(f"{method} at the place", case, tmp_path, models)
    ((redrawing, naive, lesion, host),) = asked
    assert redrawing.settings.spatial_dims == 3 and redrawing.settings.max_size == 64  # the preset quick-3d
    assert redrawing.blend == INSERTION_METHODS[method].redrawn and redrawing.bank.folder == tmp_path / "models"
    assert np.array_equal(host, whole) and lesion.sum() == mask.sum()
    inside = (slice(None), *[slice(64 - SIDE // 2, 64 + SIDE // 2)] * 3)
    assert np.array_equal(lesion[inside][0], mask) and np.array_equal(made, naive[inside] + mask)
    assert (naive[inside] != around(SIDE))[:, mask].mean() > 0.9
    if method == "tissue-consingan":
        assert np.array_equal(naive[inside], result_of("tissue", case, tmp_path, models))
    naive[inside] = host[inside]
    assert np.array_equal(naive, host)


def test_hosts_and_donors_of_a_part_of_all_pairs_are_as_many_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_null_pastes_space, "_paste", lambda host, donor, random: (host.name, donor.name))
    volumes: Any = [SimpleNamespace(name=name) for name in "abcd"]
    found = [list(space_pastes(volumes, per_pair=2, seed=0, donors=donors)) for donors in (1, 2, 3, None)]
    assert found[0] == [pair for pair in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")] for _ in range(2)]
    assert len(found[1]) == 16 and set(found[0]) < set(found[1])
    assert found[2] == found[3] and len(set(found[3])) == 12
