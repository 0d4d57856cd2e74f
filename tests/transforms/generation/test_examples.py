from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.generation.examples import Example, relative_depth


def test_what_is_known_of_a_ball(make_example: Any) -> None:
    example = make_example(radius=7.0)
    assert example.diameter == pytest.approx(14, abs=0.5)
    assert example.level == pytest.approx([100, 110], abs=1)
    assert example.spread == pytest.approx([5, 5], abs=0.5)
    assert example.kind == "solid"


def test_a_dark_middle_is_a_ring(make_example: Any) -> None:
    assert make_example(radius=8.0, hollow=5.0).kind == "ring"


def test_dark_parts_elsewhere_are_necrotic(make_example: Any) -> None:
    example = make_example(radius=8.0)
    image = example.crop.image.copy()
    image[:, : image.shape[1] // 2 - 2] = 90
    assert Example.of(replace(example.crop, image=image), (4,)).kind == "necrotic"


def test_dark_lesions_are_looked_at_by_how_far_they_stand_out(make_example: Any) -> None:
    example = make_example(radius=7.0)
    turned = replace(example.crop, image=400 - example.crop.image)
    assert Example.of(turned, (4,)).kind == "solid"


@pytest.mark.parametrize("keep", [False, True])
def test_oedema_moves_along_or_is_no_tissue(make_example: Any, keep: bool) -> None:
    example = make_example(radius=5.0, oedema=4.0, keep_oedema=keep)
    assert set(np.unique(example.crop.label)) == ({0, 2, 4} if keep else {0, 4})
    assert example.diameter == pytest.approx(10, abs=0.5)
    assert example.level == pytest.approx([100, 110], abs=1)
    free = example.crop.valid & (example.crop.label == 0)
    assert example.crop.image[0][free].mean() == pytest.approx(100, abs=1)


def test_a_lesion_of_few_voxels_teaches_nothing(make_example: Any) -> None:
    with pytest.raises(ConSinGANError, match="1 voxels"):
        make_example(radius=0.5)


def test_a_lesion_without_surroundings_teaches_nothing(make_example: Any) -> None:
    crop = make_example(radius=6.0).crop
    whole = replace(crop, label=np.full_like(crop.label, 4), valid=np.ones_like(crop.valid))
    with pytest.raises(ConSinGANError, match="no tissue around"):
        Example.of(whole)


def test_depth_counts_the_end_of_the_array_as_outside() -> None:
    depth = relative_depth(np.ones((5, 5, 5), bool), (1.0, 1.0, 1.0))
    assert depth[2, 2, 2] == 1
    assert depth[0, 2, 2] == pytest.approx(1 / 3)
