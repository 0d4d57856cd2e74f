from __future__ import annotations

import math

import pytest

from monai_consingan.errors import ConSinGANError, check_choice, check_least


def test_what_is_none_of_the_choices() -> None:
    check_choice({"left": 1, "right": 2}, train_on="left", way="right")
    with pytest.raises(ConSinGANError, match=r"^train on is 'up', but must be one of left, right\.$"):
        check_choice(("left", "right"), way="left", train_on="up")


@pytest.mark.parametrize("value", [0, 0.99, math.nan])
def test_what_is_too_small(value: float) -> None:
    check_least(1, crops=1, side=None)
    with pytest.raises(ConSinGANError, match=rf"^max size is {value}, but must be 1 or more\.$"):
        check_least(1, crops=2, max_size=value)
