from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.transforms.insertion.effects import Push, bounded_oedema
from monai_consingan.transforms.insertion.insert import InsertLesion
from monai_consingan.transforms.insertion.paste import PasteLesion
from monai_consingan.transforms.insertion.pasting import Pasting
from monai_consingan.transforms.insertion.rand_lesion import RandLesion

SIDE = 40
HOST_SIDE = 48
CORE, OEDEMA = 4, 2


def _brain(ndim: int, seed: int = 0) -> np.ndarray:
    """A bare brain: 0 around a ball of noisy tissue."""
    rng = np.random.RandomState(seed)
    away = np.sqrt(sum((g - SIDE / 2) ** 2 for g in np.indices((SIDE,) * ndim)))
    return np.where(away < 18, rng.normal(100, 5, away.shape), 0.0)[None]


def _ball(ndim: int, radius: float, centre: Any = SIDE / 2, stretch: float = 1.0) -> np.ndarray:
    centre = np.broadcast_to(centre, ndim)
    factors = [stretch, *[1.0] * (ndim - 1)]
    away = sum(((g - c) / f) ** 2 for g, c, f in zip(np.indices((SIDE,) * ndim), centre, factors, strict=True))
    return np.asarray(away < radius**2)


KNOWN = {ndim: HostKnowledge.of(_brain(ndim)) for ndim in (2, 3)}


@settings(max_examples=30)
@given(
    ndim=st.sampled_from([2, 3]),
    radius=st.floats(1.5, 8),
    share=st.floats(0.0, 0.8),
    stretch=st.floats(0.6, 1.6),
    shift=st.floats(-8, 8),
    holes=st.integers(0, 3),
    axis=st.sampled_from([None, 0, 1]),
)
def test_nothing_is_folded_and_nothing_else_moves(
    ndim: int, radius: float, share: float, stretch: float, shift: float, holes: int, axis: int | None
) -> None:
    lesion = _ball(ndim, radius, SIDE / 2 + shift, stretch)
    lesion &= np.random.RandomState(holes).uniform(size=lesion.shape) >= 0.1 * holes
    axis = axis if ndim == 3 else None
    push = Push.of(lesion, share, KNOWN[ndim], axis)
    assert push.jacobian.min() > 0
    for along in range(ndim):  # neighbours stay in their order along every line
        steps = np.diff(np.indices(push.moved.shape[1:])[along] - push.moved[along], axis=along)
        assert steps.min() > 0
    assert axis is None or not push.moved[axis].any()
    outside = ~KNOWN[ndim].head[push.box]
    assert not push.moved[:, outside].any()
    image = _brain(ndim)
    moved = push.image(image)
    changed = (moved != image)[0]
    still = np.ones(changed.shape, bool)
    still[push.box] = ~(push.moved != 0).any(axis=0)
    assert not (changed & still).any()
    assert image.min() <= moved.min() <= moved.max() <= image.max()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_ball_pushes_as_far_as_its_volume_asks_for(ndim: int, share: float) -> None:
    push = Push.of(_ball(ndim, 6), share, KNOWN[ndim])
    at = tuple([SIDE // 2] * (ndim - 1) + [SIDE // 2 + 6])
    inside = tuple(index - part.start for index, part in zip(at, push.box, strict=True))
    expected = 6 - (6**ndim - share * 6**ndim) ** (1 / ndim)
    assert push.moved[(-1, *inside)] == pytest.approx(expected, rel=0.3)


def test_no_share_moves_nothing() -> None:
    image = _brain(3)
    push = Push.of(_ball(3, 5), 0.0, KNOWN[3])
    np.testing.assert_array_equal(push.image(image), image)


def test_labels_move_with_their_tissue() -> None:
    other = _ball(2, 2, (20, 29))
    image, label = _brain(2), other.astype(np.int16) * 4
    image[0][other] = 300
    push = Push.of(_ball(2, 6), 0.8, KNOWN[2])
    moved, follows = push.image(image), push.label(label)
    assert np.argwhere(follows)[:, 1].mean() > np.argwhere(label)[:, 1].mean() + 0.5
    assert set(np.unique(follows)) == {0, 4}
    bright = moved[0] > 200
    np.testing.assert_array_equal(bright, follows > 0)


def test_slices_move_within_themselves() -> None:
    image = np.repeat(_brain(3)[:, :, :, 20:21], 3, axis=3)
    known = HostKnowledge.of(image, spacing=(1, 1, 5))
    lesion = np.zeros(image.shape[1:], bool)
    lesion[17:23, 17:23, 1] = True
    push = Push.of(lesion, 0.5, known, axis=2)
    assert push.moved[:2].any()
    assert not push.moved[2].any()


@pytest.mark.parametrize("share", [-0.1, 0.81, float("nan")])
def test_shares_out_of_range_are_refused(share: float) -> None:
    with pytest.raises(ConSinGANError, match="mass_effect"):
        Push.of(_ball(2, 4), share, KNOWN[2])
    with pytest.raises(ConSinGANError, match="mass_effect"):
        PasteLesion(mass_effect=share)


def test_no_lesion_pushes_nothing() -> None:
    with pytest.raises(ConSinGANError, match="empty"):
        Push.of(np.zeros((SIDE, SIDE), bool), 0.5, KNOWN[2])


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_a_paste_makes_room_first(dtype: Any) -> None:
    host = _brain(3).astype(dtype)
    donor, lesion = _brain(3, 1).astype(dtype), _ball(3, 5)
    donor[0][lesion] = 250
    old = (_ball(3, 2, (20, 20, 29)) * 7).astype(np.uint8)[None]
    paste = PasteLesion(mass_effect=0.6)
    pasted = paste(host, donor, lesion[None].astype(np.uint8), host_label=old)
    push = Push.of(lesion, 0.6, KNOWN[3])
    expected = np.where(lesion, donor, push.image(host))
    np.testing.assert_array_equal(pasted.image, expected)
    assert pasted.image.dtype == dtype
    np.testing.assert_array_equal(pasted.label[0], np.where(lesion, 1, push.label(old[0])))
    np.testing.assert_array_equal(pasted.mask[0] > 0, lesion)
    canvas, patch, _ = PasteLesion("tissue", mass_effect=0.6).placed(host, donor, lesion[None].astype(np.uint8))
    naive, _ = canvas.with_lesion(canvas.merged(Pasting(), patch))
    np.testing.assert_array_equal(naive, expected)


def test_random_lesions_push_each_other() -> None:
    donor, lesion = _brain(3, 1), _ball(3, 4)
    donor[0][lesion] = 250
    label = lesion[None].astype(np.int16)
    host = _brain(3, 2)
    given: dict[str, Any] = {"donors": [(donor, label)], "number": 2, "clearance_mm": 2.0, "scale_range": (0.9, 1.0)}
    plain, pushed = (RandLesion(**given, mass_effect=share).set_random_state(3)(host) for share in (0.0, 0.6))
    assert (np.asarray(pushed.mask) > 0).sum() > 0
    np.testing.assert_array_equal(np.asarray(pushed.mask) > 0, np.asarray(pushed.label) > 0)
    changed = np.asarray(pushed.image) != host
    assert changed.sum() > (np.asarray(plain.image) != host).sum()
    assert not changed[host == 0].any()
    np.testing.assert_array_equal(plain.image, RandLesion(**given).set_random_state(3)(host).image)


def test_a_lesion_that_finds_no_tissue_to_match_by_leaves_the_host_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from monai_consingan.errors import NoPlaceError
    from monai_consingan.transforms.insertion.host_canvas import HostCanvas

    def refuse(*_: Any) -> None:
        raise NoPlaceError("no tissue")

    monkeypatch.setattr(HostCanvas, "paste", refuse)
    donor, lesion = _brain(3, 1), _ball(3, 4)
    donor[0][lesion] = 250
    host = _brain(3, 2)
    random = RandLesion([(donor, lesion[None].astype(np.int16))], mass_effect=0.6)
    result = random.set_random_state(0)(host)
    assert random.log[0]["reason"] == "no tissue"
    np.testing.assert_array_equal(result.image, host)


def _from(centre: Any) -> np.ndarray:
    centre = np.broadcast_to(centre, 3)
    return np.sqrt(sum((g - c) ** 2 for g, c in zip(np.indices((HOST_SIDE,) * 3), centre, strict=True)))


def _host(channels: int = 1) -> np.ndarray:
    """A bare brain that a sheet of fluid divides, dark in the first sequence and bright in the second."""
    rng = np.random.RandomState(0)
    brain = _from(HOST_SIDE / 2) < 22
    image = np.stack([rng.normal(100, 3, brain.shape) for _ in range(channels)])
    for channel, fluid in zip(image, (20, 200), strict=False):
        channel[:, :, 30:34] += fluid - 100
    return np.where(brain, image, 0)


def _label(centre: Any = 24, core: float = 3.0, reach: float = 12.0) -> np.ndarray:
    away = _from(centre)
    return np.where(away < core, CORE, np.where(away < reach, OEDEMA, 0)).astype(np.int16)


def _donor(channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    image, label = np.random.RandomState(1).normal(100, 3, (channels, HOST_SIDE, HOST_SIDE, HOST_SIDE)), _label(20)
    image[:, label == CORE], image[:, label == OEDEMA] = 200, 140
    return image, label[None]


@settings(max_examples=15)
@given(
    channels=st.integers(1, 2),
    centre=st.tuples(st.integers(14, 34), st.integers(14, 34), st.integers(12, 26)),
    reach=st.floats(3.5, 16),
)
def test_oedema_stays_in_tissue_that_is_linked_with_the_lesion(
    channels: int, centre: tuple[int, ...], reach: float
) -> None:
    host = _host(channels)
    label = _label(centre, reach=reach)
    label[(host == 0).any(axis=0) & (label == CORE)] = 0
    known = HostKnowledge.of(host)
    box = (slice(0, HOST_SIDE),) * 3
    found, tissue = bounded_oedema(label, [CORE], host, known, box)
    np.testing.assert_array_equal(found == CORE, label == CORE)
    oedema = found == OEDEMA
    assert not (oedema & (label != OEDEMA)).any()
    assert not oedema[:, :, 31:33].any()  # fluid
    assert not oedema[:, :, 34:].any()  # and beyond
    assert not oedema[host[0] == 0].any()
    assert tissue[oedema].all()
    inner = (label == OEDEMA) & (_from(HOST_SIDE / 2) < 18) & (np.indices(label.shape)[2] < 28)
    assert oedema[inner].mean() > 0.97 if inner.sum() > 200 else True


@pytest.mark.parametrize("channels", [1, 2])
def test_random_lesions_bring_oedema_as_far_as_tissue_goes(channels: int) -> None:
    image, label = _donor(channels)
    host = _host(channels)
    given: dict[str, Any] = {"scale_range": (1, 1), "rotate_range": 0, "flip_prob": 0, "edge_mm": 0.0}
    region = (_from((24, 24, 18)) < 14)[None]
    pasted = RandLesion([(image, label)], lesion_labels=[CORE], **given).set_random_state(0)(host, region=region)
    values = np.asarray(pasted.label)[0]
    assert (values == CORE).sum() == (label == CORE).sum()
    assert 0 < (values == OEDEMA).sum() < (label == OEDEMA).sum()
    fluid = np.zeros(values.shape, bool)
    fluid[:, :, 31:33] = True
    np.testing.assert_array_equal(np.asarray(pasted.image)[:, fluid], host[:, fluid])
    np.testing.assert_array_equal(np.asarray(pasted.mask)[0] > 0, values > 0)
    of_bank = Donor(image, label, None, None, (CORE,))
    same = RandLesion([of_bank], **given).set_random_state(0)(host, region=region)
    np.testing.assert_array_equal(same.label, pasted.label)


def test_inserted_lesions_bring_oedema_where_asked_for() -> None:
    affine = torch.eye(4)
    image, label = (MetaTensor(torch.from_numpy(part), affine=affine) for part in _donor())
    label[0, :4, :4, :4] = OEDEMA  # by itself
    host = MetaTensor(torch.from_numpy(_host()), affine=affine)
    at = (24, 24, 20)
    alone, whole = (
        InsertLesion(dims=3, oedema=oedema)(host, image, label, lesion_labels=[CORE], at=at) for oedema in (False, True)
    )
    assert set(np.unique(alone.label)) == {0, CORE}
    assert set(np.unique(whole.label)) == {0, OEDEMA, CORE}
    fluid = np.zeros(host.shape, bool)
    fluid[:, :, :, 31:] = True
    np.testing.assert_array_equal(np.asarray(whole.image)[fluid], np.asarray(host)[fluid])
    assert (np.asarray(whole.label)[fluid] == 0).all()
    assert (np.asarray(alone.label) == CORE).sum() == (np.asarray(whole.label) == CORE).sum()
