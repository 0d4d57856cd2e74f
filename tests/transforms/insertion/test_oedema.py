from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.transforms.insertion.insert import InsertLesion
from monai_consingan.transforms.insertion.oedema import bounded_oedema
from monai_consingan.transforms.insertion.rand_lesion import RandLesion

SIDE = 48
CORE, OEDEMA = 4, 2


def _from(centre: Any) -> np.ndarray:
    centre = np.broadcast_to(centre, 3)
    return np.sqrt(sum((g - c) ** 2 for g, c in zip(np.indices((SIDE,) * 3), centre, strict=True)))


def _host(channels: int = 1) -> np.ndarray:
    """A bare brain that a sheet of fluid divides, dark in the first sequence and bright in the second."""
    rng = np.random.RandomState(0)
    brain = _from(SIDE / 2) < 22
    image = np.stack([rng.normal(100, 3, brain.shape) for _ in range(channels)])
    for channel, fluid in zip(image, (20, 200), strict=False):
        channel[:, :, 30:34] += fluid - 100
    return np.where(brain, image, 0)


def _label(centre: Any = 24, core: float = 3.0, reach: float = 12.0) -> np.ndarray:
    away = _from(centre)
    return np.where(away < core, CORE, np.where(away < reach, OEDEMA, 0)).astype(np.int16)


def _donor(channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    image, label = np.random.RandomState(1).normal(100, 3, (channels, SIDE, SIDE, SIDE)), _label(20)
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
    box = (slice(0, SIDE),) * 3
    found, tissue = bounded_oedema(label, [CORE], host, known, box)
    np.testing.assert_array_equal(found == CORE, label == CORE)
    oedema = found == OEDEMA
    assert not (oedema & (label != OEDEMA)).any()
    assert not oedema[:, :, 31:33].any()  # fluid
    assert not oedema[:, :, 34:].any()  # and beyond
    assert not oedema[host[0] == 0].any()
    assert tissue[oedema].all()
    inner = (label == OEDEMA) & (_from(SIDE / 2) < 18) & (np.indices(label.shape)[2] < 28)
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
