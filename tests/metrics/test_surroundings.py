from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import (
    Surroundings,
    Where,
    contrast,
    insertion_measures,
    measure_lesion,
    seam,
    texture,
)
from monai_consingan.metrics.surroundings import TissueLevel, tissue_levels


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
    with mock.patch.object(TissueLevel, "of", wraps=TissueLevel.of) as told:
        insertion_measures({"": image, "_naive": image + 1}, mask, image, mask)
        assert told.call_count == 3
        levels = tissue_levels(image)
        insertion_measures({"": image, "_naive": image + 1}, mask, image, mask, Where(levels=levels), levels)
    assert told.call_count == 4


def test_only_what_is_within_reach_is_looked_at() -> None:
    image, mask = case()
    found = Surroundings(image, mask, spacing=2.0)
    assert found.image.shape == found.inside.shape == found.around.shape == (27, 25)


def test_what_is_tissue_in_a_part_of_an_image_is_tissue_in_all_of_it() -> None:
    image = np.zeros((60, 60))
    image[10:50, 10:50] = np.random.RandomState(0).uniform(50, 100, (40, 40))
    level, box = TissueLevel.of(image), (slice(5, 30), slice(8, 60))
    assert np.array_equal(level.mask(image)[box], level.mask(image[box])) and level.mask(image).sum() > 1000


def test_a_mask_is_needed_with_an_image() -> None:
    with pytest.raises(ConSinGANError, match="mask is missing"):
        seam(case()[0])
