"""What ``benchmarks/speed.py`` times of the package still runs."""

from __future__ import annotations

import speed


def test_a_lesion_is_redrawn_by_a_model_that_is_there() -> None:
    redrawn = speed.second_lesion()()
    assert redrawn.seconds_training == 0
    assert redrawn.image.shape == redrawn.alteration.shape
    assert 0 < (redrawn.alteration > 0).sum() < redrawn.alteration.numel() // 10
