from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.removal.flipud import flip_mirror


def test_flip_mirror_is_flipud():
    image = np.random.RandomState(0).rand(1, 5, 7)
    np.testing.assert_array_equal(flip_mirror(image)[0], np.flipud(image[0]))
    np.testing.assert_array_equal(flip_mirror(image, axis=1)[0], np.fliplr(image[0]))
    np.testing.assert_array_equal(flip_mirror(image, axis=-1)[0], np.fliplr(image[0]))


def test_flip_mirror_keeps_the_place_and_kind():
    values = torch.arange(12).reshape(1, 3, 4)
    affine = np.diag([2.0, 3, 1, 1])
    result = flip_mirror(MetaTensor(values, affine=affine))
    assert isinstance(result, MetaTensor) and result.dtype == values.dtype
    np.testing.assert_array_equal(result.affine, affine)
    assert type(flip_mirror(values)) is torch.Tensor
    with pytest.raises(ConSinGANError, match="axis 2"):
        flip_mirror(values, axis=2)
