"""Values between voxels are those that SciPy finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from monai_consingan.transforms.between import between


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 6), (5, 1, 6)])
def test_values_are_interpolated_and_go_on_beyond_the_edge(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *shape))
    places = rng.uniform(-2, 8, (len(shape), 50))
    places[:, :3] = np.round(places[:, :3])
    wanted = [map_coordinates(image, places, order=1, mode="nearest") for image in images]
    assert np.allclose(between(images, places), wanted, atol=1e-12)
