"""The classifiers of ``benchmarks/seam_null_space.py`` see what lies across a border, in one sequence or in several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from _border_space import DIRECTIONS, Border, border_cubes
from _methods_space import SpaceModels, result_of, share_left
from _null_pastes_space import SpacePaste
from _telling_apart import auc, cnn_scores
from seam_null_space import features, matrix

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
    case = SpacePaste(("a", "b"), host, tissue, BALL, 18.0)
    models = SpaceModels(tmp_path)
    assert share_left(host, case) == pytest.approx(0)
    assert share_left(result_of("gain matched", case, tmp_path, models), case) == pytest.approx(1)
    blend, weak, poisson = (
        share_left(result_of(name, case, tmp_path, models), case)
        for name in ("tissue", "poisson, as much as tissue", "poisson")
    )
    assert weak == pytest.approx(np.minimum(blend, poisson), abs=1e-3)
    assert 0 < weak < 1
