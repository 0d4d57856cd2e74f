from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.transforms.along import along


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 5), st.booleans())
def test_every_line_is_multiplied(shape: list[int], axis: int, size: int, turned: bool) -> None:
    axis %= len(shape)
    rng = np.random.default_rng(0)
    image = rng.normal(size=shape[::-1]).T if turned else rng.normal(size=shape)
    matrix = rng.normal(size=(size, shape[axis]))
    found = along(matrix, image, axis)
    np.testing.assert_allclose(found, np.moveaxis(np.tensordot(matrix, image, (1, axis)), 0, axis), atol=1e-12)
