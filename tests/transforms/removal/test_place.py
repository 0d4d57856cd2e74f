from __future__ import annotations

import numpy as np

from monai_consingan.transforms.removal.place import best_place
from monai_consingan.transforms.removal.remove import RemoveLesion

LIMITS = {"reach_mm": 16.0, "unusable": 0.0, "strange": 1.0}


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Noise, (1, 60, 40), and a region of it of whose surroundings there is a copy 12 rows below."""
    image, region = np.random.default_rng(0).normal(100, 5, (1, 60, 40)), np.zeros((60, 40), bool)
    region[15:21, 15:21] = True
    image[0, 24:36, 7:29] = image[0, 12:24, 7:29]
    return image, region


def place(apart: np.ndarray, usable: np.ndarray) -> tuple[int, ...]:
    """Where the tissue for the region is."""
    (image, region), everywhere = scene(), np.ones((60, 40), bool)
    ring = np.zeros((60, 40), bool)
    ring[12:24, 12:24] = True
    ring &= ~region
    return best_place(image, image, region, ring, usable & ~region, everywhere, apart, None, (1.0, 1.0), **LIMITS)


def test_tissue_of_its_own_kind_is_taken_only_where_nothing_else_is() -> None:
    everywhere, apart = np.ones((60, 40), bool), np.zeros((60, 40), bool)
    assert place(apart, everywhere) == (12, 0)
    apart[30] = True
    found = place(apart, everywhere)
    rows = np.arange(15, 21) + found[0]
    assert 30 not in rows
    below = np.zeros((60, 40), bool)
    below[27:34] = True
    assert place(apart, below)[0] in (12, 13)  # there is no other place


def test_tissue_of_its_own_kind_may_be_filled_with_such() -> None:
    everywhere, apart = np.ones((60, 40), bool), np.zeros((60, 40), bool)
    apart[18] = apart[30] = True
    assert place(apart, everywhere) == (12, 0)


def test_nothing_of_the_midline_is_taken_beside_it() -> None:
    """The place that fits best lies 12 rows below: with a plane of symmetry there, another one is found."""
    image, region = scene()
    label = region[None].astype(np.uint8)
    truth, sick = image[0, 27:33, 15:21], np.where(region, 400.0, image)
    alike = []
    for plane in (200.0, 30.0):
        filled = RemoveLesion("matched_nearby", symmetry=plane, margin_mm=0)(sick, label).image[0, 15:21, 15:21]
        alike.append(np.corrcoef(filled.ravel(), truth.ravel())[0, 1])
    assert alike[0] > 0.9
    assert alike[1] < 0.5
