"""The classifiers of ``benchmarks/seam_null_space.py`` see what lies across a border, in one sequence or in several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from _border_space import DIRECTIONS, Border, border_cubes
from _methods_space import SpaceModels, result_of, share_left
from _null_pastes_space import REACH, SIDE, SpacePaste, crop_of, space_pastes
from _telling_apart import auc, cnn_scores
from scipy import ndimage
from seam_null_space import features, matrix

from monai_consingan.inferers import ConSinGANRegionInferer
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


def case_of(scan: np.ndarray, tissue: np.ndarray) -> SpacePaste:
    """A ball of tissue in the middle of a scan."""
    volume: Any = SimpleNamespace(image=scan, healthy=scan[0] > 0)
    return SpacePaste(("a", "b"), volume, np.array(scan.shape[1:]) // 2, tissue, np.pad(BALL, 12))


def test_a_method_that_is_like_another_leaves_as_much_of_the_paste(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    host, tissue = (100 + 10 * random.standard_normal((1, *(SIDE,) * 3)).astype(np.float32) for _ in range(2))
    case, models = case_of(host, tissue), SpaceModels(tmp_path)
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
    scan, *tissues = (100 + 10 * random.standard_normal((2, *(side,) * 3)).astype(np.float32) for side in (130, 64, 64))
    first, second = (case_of(scan, tissue) for tissue in tissues)
    asked: list[Any] = []

    def redrawn(self: Redrawing, naive: Any, lesion: Any, host: Any, **how: Any) -> Any:
        asked.append((self, naive.numpy(), lesion.numpy(), host.numpy()))
        return SimpleNamespace(image=naive + lesion, model=SimpleNamespace(settings="of the first"))

    monkeypatch.setattr(Redrawing, "__call__", redrawn)
    models = SpaceModels(tmp_path / "models", cases=[first, second])
    made = [result_of(f"{method} at the place", case, tmp_path, models) for case in (first, second)]
    trained, again, used = (redrawing for redrawing, *_ in asked)
    for one in (trained, again):
        assert one.model is None and one.bank.folder == tmp_path / "models"
        assert one.settings.spatial_dims == 3 and one.settings.max_size == 64  # the preset quick-3d
    assert used.settings == used.model.settings == "of the first"
    inside = (slice(None), *[slice((128 - SIDE) // 2, (128 + SIDE) // 2)] * 3)
    for case, image, (redrawing, naive, lesion, host) in zip((first, second), made, asked[::2], strict=True):
        assert redrawing.blend == INSERTION_METHODS[method].redrawn
        assert np.array_equal(host, scan[:, 1:-1, 1:-1, 1:-1]) and lesion.sum() == case.mask.sum()
        assert np.array_equal(lesion[inside][0], case.mask) and np.array_equal(image, naive[inside] + case.mask)
        assert (naive[inside] != case.host)[:, case.mask].mean() > 0.9
        if method == "tissue-consingan":
            assert np.array_equal(naive[inside], result_of("tissue", case, tmp_path, models))
        naive[inside] = host[inside]
        assert np.array_equal(naive, host)


def test_the_published_method_redraws_what_the_network_of_the_place_has_in_its_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    scan, *tissues = (100 + 10 * random.standard_normal((2, *(side,) * 3)).astype(np.float32) for side in (128, 64, 64))
    cases = [case_of(scan, tissue) for tissue in tissues]
    known = SimpleNamespace(model=SimpleNamespace(generator="generator"), region="box", scale="scale")
    trained: list[Any] = []

    def redrawn(self: Redrawing, naive: Any, lesion: Any, host: Any, **how: Any) -> Any:
        trained.append((self.blend, naive.numpy()))
        return known

    def redraw(self: ConSinGANRegionInferer, naive: Any, *of: Any) -> Any:
        assert of == ("generator", "box", "scale") and self.dims == 3 and self.level_mm == self.detail_mm == 0
        return naive + 10

    monkeypatch.setattr(Redrawing, "__call__", redrawn)
    monkeypatch.setattr(ConSinGANRegionInferer, "redraw", redraw)
    models = SpaceModels(tmp_path / "models", cases=cases)
    made = result_of("consingan in the box", cases[1], tmp_path, models)
    change = made - np.where(cases[1].mask, cases[1].tissue, cases[1].host)
    assert change[:, cases[1].mask].min() > 8 and change.max() == pytest.approx(10, abs=1e-4)
    assert np.array_equal(made[:, 0, 0, 0], cases[1].host[:, 0, 0, 0])
    ((blend, naive),) = trained
    assert blend == INSERTION_METHODS["tissue-consingan"].redrawn
    assert np.array_equal(naive[:, 32:96, 32:96, 32:96], result_of("tissue", cases[0], tmp_path, models))


def volumes_of(names: str) -> list[Any]:
    """Brains of noise, each with a lesion of another size in a corner."""
    found = []
    for number, name in enumerate(names):
        random = np.random.default_rng(number)
        image = 100 + 10 * random.standard_normal((1, 70, 70, 70)).astype(np.float32)
        core = ((np.stack(np.mgrid[:70, :70, :70]) - 15) ** 2).sum(0) < (10 - number) ** 2
        healthy = np.pad(np.ones((66,) * 3, bool), 2) & ~core
        found.append(SimpleNamespace(name=name, image=image, core=core, healthy=healthy, levels=[(100.0, 10.0)]))
    return found


def test_hosts_and_donors_of_a_part_of_all_pairs_are_as_many_of_each() -> None:
    volumes = volumes_of("abc")
    found = [[one.pair for one in space_pastes(volumes, per_pair=1, seed=0, donors=n)] for n in (1, 2, None)]
    assert found[0] == [("a", "b"), ("b", "c"), ("c", "a")]
    assert len(found[1]) == 6 and set(found[0]) < set(found[1]) == set(found[2])


def test_all_pastes_of_a_host_go_to_one_place_that_is_healthy_around_each() -> None:
    volumes = volumes_of("ab")
    usual, one_place = (list(space_pastes(volumes, per_pair=2, seed=0, one_place=one)) for one in (False, True))
    for before, first, second in zip(usual[::2], one_place[::2], one_place[1::2], strict=True):
        assert np.array_equal(before.place, first.place) and np.array_equal(before.mask, first.mask)
        assert np.array_equal(first.place, second.place) and not np.array_equal(first.mask, second.mask)
        near = ndimage.distance_transform_edt(~second.mask) <= REACH
        assert crop_of_healthy(second)[near].all()
    assert not np.array_equal(usual[0].place, usual[1].place)


def crop_of_healthy(case: SpacePaste) -> np.ndarray:
    """Where a case's host is healthy."""
    of_scan: Any = SimpleNamespace(image=case.scan.healthy[None], healthy=case.scan.healthy)
    return crop_of(of_scan, case.place)[0] > 0
