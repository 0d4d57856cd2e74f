from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Detection, detection, detection_summary


def mask(*boxes: tuple[slice | int, ...], shape: tuple[int, ...] = (20, 20, 20)) -> np.ndarray:
    array = np.zeros((1, *shape), dtype=np.uint8)
    for box in boxes:
        array[(0, *box)] = 1
    return array


def cube(start: int, stop: int) -> tuple[slice, ...]:
    return (slice(start, stop),) * 3


def dices(found: Detection) -> Iterable[float]:
    return [lesion.dice for lesion in found.lesions]


def test_found_missed_and_invented() -> None:
    reference = mask(cube(2, 6), cube(10, 14))
    prediction = mask((slice(2, 4), slice(2, 6), slice(2, 6)), (17, 17, 17), (2, 2, 17))
    found = detection(prediction, reference)
    assert [lesion.found for lesion in found.lesions] == [True, False]
    assert dices(found) == [pytest.approx(2 * 32 / (64 + 32)), 0.0]
    assert found.false_positives == 2
    assert found.score == pytest.approx((2 / 3) / 4)
    assert found.lesions[0].diameter_mm == pytest.approx((6 * 64 / np.pi) ** (1 / 3))


def test_dilation_joins_what_is_near_and_finds_what_touches_it() -> None:
    def lesions(start: int, **settings: float) -> int:
        flat = mask((slice(2, 5), 4, 4), (slice(start, start + 2), 4, 4))
        return len(detection(mask(), flat, **settings).lesions)

    # With two voxels between them, the dilations touch; with three they do not.
    assert [lesions(start) for start in (6, 7, 8)] == [1, 1, 2]
    assert lesions(6, dilation_mm=0) == 2
    # A prediction beside an edge touches the dilation, one beside a corner does not.
    reference = mask(cube(5, 8))
    beside_edge, beside_corner = mask((8, 8, 6)), mask((8, 8, 8))
    assert detection(beside_edge, reference).lesions[0].found
    assert detection(beside_edge, reference).false_positives == 0
    assert dices(detection(beside_edge, reference)) == [0.0]
    assert not detection(beside_corner, reference).lesions[0].found
    assert detection(beside_corner, reference).false_positives == 1


def test_on_a_grid_of_1_mm_the_dilation_is_the_challenges_element() -> None:
    reference = np.random.RandomState(0).rand(1, 20, 20, 20) > 0.996
    element = ndimage.generate_binary_structure(3, 2)
    dilated = ndimage.binary_dilation(reference[0], element)
    for place in np.argwhere(dilated)[::7]:
        assert detection(mask(tuple(place)), reference, min_voxels=1).false_positives == 0
    for place in np.argwhere(~dilated)[::70]:
        assert detection(mask(tuple(place)), reference, min_voxels=1).false_positives == 1
    _, count = ndimage.label(dilated, np.ones((3, 3, 3)))
    assert len(detection(mask(), reference, min_voxels=1).lesions) == count


def test_dilation_is_in_mm() -> None:
    reference, prediction = mask(cube(5, 8)), mask((6, 6, 9))
    assert not detection(prediction, reference).lesions[0].found
    assert detection(prediction, reference, spacing=(1, 1, 0.5)).lesions[0].found
    affine = torch.diag(torch.tensor([1.0, 1.0, 0.5, 1.0]))
    assert detection(prediction, MetaTensor(torch.from_numpy(reference), affine=affine)).lesions[0].found
    # Thick slices are not dilated into, but neighbours belong together.
    assert len(detection(mask(), mask((5, 5, slice(3, 7))), spacing=(1, 1, 5)).lesions) == 1


def test_lesion_of_one_voxel_does_not_count_nor_what_is_predicted_there() -> None:
    reference = mask((4, 4, 4), (12, 12, slice(12, 14)))
    found = detection(mask((4, 4, 4)), reference)
    assert len(found.lesions) == 1
    assert not found.lesions[0].found
    assert found.false_positives == 0
    assert len(detection(mask(), reference, min_voxels=1).lesions) == 2


def test_one_component_may_find_two_lesions_and_two_one() -> None:
    both = mask((slice(2, 18), slice(4, 6), slice(4, 6)))
    apart = mask((slice(2, 6), slice(4, 6), slice(4, 6)), (slice(14, 18), slice(4, 6), slice(4, 6)))
    found = detection(both, apart)
    assert dices(found) == [pytest.approx(2 * 16 / (16 + 64))] * 2
    assert found.false_positives == 0
    assert dices(detection(apart, both)) == [pytest.approx(2 * 32 / (64 + 32))]


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]), density=st.floats(0.0, 0.2))
def test_the_reference_itself_is_found_entirely(seed: int, ndim: int, density: float) -> None:
    reference = np.random.RandomState(seed).rand(1, *(12,) * ndim) < density
    found = detection(reference, reference)
    assert all(lesion.found for lesion in found.lesions)
    assert all(lesion.dice == 1.0 for lesion in found.lesions)
    assert found.false_positives == 0
    assert detection(np.zeros_like(reference), reference).lesions == tuple(
        type(lesion)(lesion.diameter_mm, False, 0.0) for lesion in found.lesions
    )


def test_nothing_to_find() -> None:
    assert detection(mask(), mask()) == Detection((), 0)
    assert detection(mask(), mask()).score == 1.0
    assert detection(mask(cube(3, 5)), mask()) == Detection((), 1)
    assert detection(mask(cube(3, 5)), mask()).score == 0.0


def test_summary_by_size() -> None:
    small, large = mask(cube(2, 4)), mask(cube(2, 12))  # 2.5 and 12.4 mm
    scans = [detection(small, small), detection(mask((slice(2, 7), *cube(2, 12)[1:])), large), detection(small, mask())]
    assert detection_summary(scans) == {
        "scans": 3,
        "false_positives_per_scan": pytest.approx(1 / 3),
        "score": pytest.approx((1 + 2 / 3 + 0) / 3),
        "lesions": 2,
        "sensitivity": 1.0,
        "dice": pytest.approx((1 + 2 / 3) / 2),
        "lesions_0_to_5_mm": 1,
        "sensitivity_0_to_5_mm": 1.0,
        "dice_0_to_5_mm": 1.0,
        "lesions_5_to_10_mm": 0,
        "sensitivity_5_to_10_mm": pytest.approx(np.nan, nan_ok=True),
        "dice_5_to_10_mm": pytest.approx(np.nan, nan_ok=True),
        "lesions_from_10_mm": 1,
        "sensitivity_from_10_mm": 1.0,
        "dice_from_10_mm": pytest.approx(2 / 3),
    }
    assert detection_summary(scans, ())["lesions_from_0_mm"] == 2
    assert np.isnan(detection_summary([])["sensitivity"])


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ConSinGANError, match="prediction has the spatial shape"):
        detection(mask(shape=(20, 20, 19)), mask())
    with pytest.raises(ConSinGANError, match="dilation_mm is -1"):
        detection(mask(), mask(), dilation_mm=-1)
    with pytest.raises(ConSinGANError, match="ascending"):
        detection_summary([], (10, 5))
