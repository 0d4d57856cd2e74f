from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import (
    Surroundings,
    contrast,
    insertion_measures,
    measure_lesion,
    seam,
    surroundings,
    texture,
)


def case() -> tuple[np.ndarray, np.ndarray]:
    image, mask = np.random.RandomState(0).uniform(50, 100, (1, 40, 40)), np.zeros((1, 40, 40))
    mask[0, 14:25, 15:24] = 1
    return image + 80 * mask, mask


@pytest.mark.parametrize("measure", [seam, texture, contrast, measure_lesion])
def test_measures_are_the_same_of_what_was_found_before(measure: object) -> None:
    image, mask = case()
    other = np.zeros_like(mask)
    other[0, :, 30:] = 1
    where = {"spacing": 0.8, "exclude": other}
    found = Surroundings(image, mask, **where)
    assert measure(found) == measure(found) == measure(image, mask, **where)  # type: ignore[operator]


def test_tissue_is_told_from_air_once_for_each_image() -> None:
    image, mask = case()
    with mock.patch.object(surroundings, "tissue_mask", wraps=surroundings.tissue_mask) as told:
        insertion_measures({"": image, "_naive": image + 1}, mask, image, mask)
    assert told.call_count == 3


def test_a_mask_is_needed_with_an_image() -> None:
    with pytest.raises(ConSinGANError, match="mask is missing"):
        seam(case()[0])
