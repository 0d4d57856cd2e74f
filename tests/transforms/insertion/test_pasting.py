from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.transforms.insertion.pasting import Canvas, Patch

SHAPE = (9, 8, 7)
BOX = (slice(2, 5), slice(3, 6), slice(1, 4))


def lesion(value: float) -> Patch:
    """A box of the host all of which is a lesion."""
    everywhere = np.ones((3, 3, 3), bool)
    image, label = np.full((1, 3, 3, 3), value, np.float32), np.full((3, 3, 3), 2, np.int16)
    return Patch(BOX, image, label, everywhere, np.zeros((3, 3, 3)), everywhere, everywhere)


@pytest.mark.parametrize("own", [False, True])
def test_only_a_host_of_its_own_is_written_to(own: bool) -> None:
    host = MetaTensor(torch.arange(504, dtype=torch.float32).reshape(1, *SHAPE))
    label = MetaTensor(torch.zeros(1, *SHAPE, dtype=torch.int16))
    expected, marked = host.numpy().copy(), label.numpy().copy()
    before = expected.copy()
    expected[0][BOX], marked[0][BOX] = -1, 2
    canvas = Canvas(host, label, (1.0, 1.0, 1.0), [], ("image", "label") if own else ())
    canvas.take(lesion(-1))
    result = canvas.result()
    np.testing.assert_array_equal(result.image, expected)
    np.testing.assert_array_equal(result.label, marked)
    np.testing.assert_array_equal(host, expected if own else before)
    np.testing.assert_array_equal(label, marked if own else np.zeros_like(marked))
    assert np.shares_memory(result.image.numpy(), host.numpy()) is own
