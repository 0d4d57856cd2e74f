"""Whole insertions of a lesion: what the workflows' tests do not look at."""

from __future__ import annotations

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import InsertLesion


def test_a_blend_that_reaches_beyond_the_alteration_mask_is_refused() -> None:
    with pytest.raises(ConSinGANError, match="paste_blend is 'tissue', which reaches further"):
        InsertLesion(paste_blend="tissue")
