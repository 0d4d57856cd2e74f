from __future__ import annotations

import numpy as np
import pytest
from monai.data import MetaTensor

from monai_consingan.data import stack_keys, unstack_keys
from monai_consingan.errors import ConSinGANError


def test_stacking_and_back_is_exact() -> None:
    rng = np.random.default_rng(0)
    data = {
        "a": MetaTensor(rng.integers(-9999, 9999, (1, 4, 5)).astype(np.int16), meta={"x": 1}),
        "b": MetaTensor(rng.normal(size=(2, 4, 5)).astype(np.float32), meta={"sequences": ["t2", "flair"]}),
    }
    stacked = stack_keys(data, ["a", "b"])
    assert stacked.shape == (3, 4, 5) and stacked.meta["sequences"] == ["a", "t2", "flair"]
    assert "sequences" not in data["a"].meta
    parts = unstack_keys(stacked, ["p", "q"], list(data.values()))
    for part, image in zip(parts.values(), data.values(), strict=True):
        assert part.dtype == image.dtype and part.meta.get("x") == image.meta.get("x")
        np.testing.assert_array_equal(part.numpy(), image.numpy())
    assert stack_keys(data, "a") is data["a"]
    assert unstack_keys(stacked, "all")["all"] is stacked
    with pytest.raises(ConSinGANError, match="2 sequences for the keys"):
        unstack_keys(stacked, ["p", "q", "r"], list(data.values()))
    with pytest.raises(ConSinGANError, match="one spatial shape"):
        stack_keys({**data, "b": data["b"][:, :3]}, ["a", "b"])
