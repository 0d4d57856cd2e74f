from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from monai_consingan.data import lead_channel, same_sequences, sequence_names, stack_sequences
from monai_consingan.errors import ConSinGANError

SHAPE = (24, 24, 20)


def scan(values: np.ndarray, affine: np.ndarray | None = None, **meta: object) -> MetaTensor:
    matrix = np.eye(4) if affine is None else affine
    return MetaTensor(torch.from_numpy(values[None].astype(np.float32)), affine=torch.from_numpy(matrix), meta=meta)


def head(seed: int = 0, shift: int = 0) -> np.ndarray:
    """A bright, textured ball in a background of 0."""
    grid = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    ball = sum((axis - n // 2 - (shift if n == SHAPE[0] else 0)) ** 2 for axis, n in zip(grid, SHAPE, strict=True)) < 49
    texture = gaussian_filter(np.random.RandomState(seed).normal(0, 30, SHAPE), 1)
    return np.where(ball, 100 + texture, 0)


@given(count=st.integers(1, 4))
def test_names_are_those_of_the_meta_data_or_numbers(count: int) -> None:
    image = MetaTensor(torch.rand(count, 8, 8))
    numbers = tuple(str(n) for n in range(1, count + 1))
    assert sequence_names(image) == sequence_names(image.numpy()) == numbers
    image.meta["sequences"] = [f"s{n}" for n in range(count)]
    assert sequence_names(image) == tuple(f"s{n}" for n in range(count))
    image.meta["sequences"].append("of no channel")
    assert sequence_names(image) == numbers


def test_stack_keeps_every_voxel_and_the_first_ones_geometry() -> None:
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    parts = {"t1": scan(head(0), affine, filename_or_obj="a"), "flair": scan(3 * head(1), affine, filename_or_obj="b")}
    stacked = stack_sequences(parts)
    assert stacked.shape == (2, *SHAPE) and sequence_names(stacked) == ("t1", "flair")
    assert torch.equal(stacked.as_tensor(), torch.cat([part.as_tensor() for part in parts.values()]))
    assert np.array_equal(stacked.affine, affine) and stacked.meta["filename_or_obj"] == "a"
    assert "sequences" not in parts["t1"].meta


def test_one_sequence_stays_as_it_is() -> None:
    image = scan(head())
    assert stack_sequences({"t1": image}) is image


def test_other_grids_are_refused_with_both_named() -> None:
    whole = scan(head())
    moved = np.eye(4)
    moved[0, 3] = 3.0
    other = scan(head()[3:], moved, filename_or_obj="flair.nii.gz")
    with pytest.raises(ConSinGANError) as error:
        stack_sequences({"t1": whole, "flair": other})
    said = str(error.value)
    assert "flair.nii.gz" in said and "21 x 24 x 20" in said and "24 x 24 x 20" in said and "--resample" in said


@pytest.mark.parametrize(
    ("second", "message"),
    [(np.full(SHAPE, 7.0), "constant"), (np.roll(head(), 12, axis=0), "overlap"), (None, "2 channels")],
)
def test_what_is_no_sequence_of_the_case_is_refused(second: np.ndarray | None, message: str) -> None:
    other = MetaTensor(torch.rand(2, *SHAPE)) if second is None else scan(second)
    with pytest.raises(ConSinGANError, match=message):
        stack_sequences({"t1": scan(head()), "t2": other})


def test_bodies_in_noisy_air_are_told_too() -> None:
    def noisy(shift: int, seed: int) -> MetaTensor:
        air = np.abs(np.random.RandomState(seed).normal(0, 4, SHAPE))
        return scan(np.where(head(shift=shift) > 0, head(seed, shift), air))

    assert stack_sequences({"t1": noisy(0, 0), "t2": noisy(1, 1)}).shape[0] == 2
    with pytest.raises(ConSinGANError, match="overlap"):
        stack_sequences({"t1": noisy(-6, 0), "t2": noisy(6, 1)})


def test_no_sequence_is_refused() -> None:
    with pytest.raises(ConSinGANError, match="at least one"):
        stack_sequences({})


@given(seen=st.integers(0, 3), sign=st.sampled_from([-1, 1]), gain=st.floats(0.1, 1000))
def test_lead_is_where_the_lesion_stands_out_whatever_the_units(seen: int, sign: int, gain: float) -> None:
    image = np.stack([gain ** (n % 2) * head(n) for n in range(4)])
    lesion = np.zeros((1, *SHAPE))
    lesion[0, 10:14, 10:14, 8:12] = 1
    image[seen] += sign * gain ** (seen % 2) * 60 * lesion[0]
    assert lead_channel(image, lesion) == seen
    assert lead_channel(image, lesion, (seen + 1) % 4) == (seen + 1) % 4
    assert lead_channel(image, lesion, "2") == 1


@pytest.mark.parametrize("lead", ["t3", 2, -1, True, 0.5])
def test_a_lead_that_is_not_there_is_refused(lead: object) -> None:
    image = MetaTensor(torch.rand(2, 8, 8), meta={"sequences": ["t1", "t2"]})
    with pytest.raises(ConSinGANError, match="t1, t2"):
        lead_channel(image, np.zeros((1, 8, 8)), lead)  # type: ignore[arg-type]


def test_sequences_are_compared_by_number_where_they_have_no_names() -> None:
    image, other = np.zeros((2, 3, 3)), MetaTensor(np.zeros((2, 3, 3)), meta={"sequences": ["t1", "t2"]})
    assert same_sequences(image, other) is image
    with pytest.raises(ConSinGANError, match=r"The scan has 2 sequences \(t1, t2\) but the model 1 sequence \(1\)"):
        same_sequences(image[:1], other, name="model", other_name="scan")
