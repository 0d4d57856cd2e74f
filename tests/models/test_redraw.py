from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings
from monai_consingan.models import ModelBank
from monai_consingan.models.redraw import Redrawing


@pytest.fixture
def case() -> tuple[MetaTensor, MetaTensor, MetaTensor]:
    """Host, naive image and mask, 60 x 50 x 3."""
    rng = np.random.default_rng(0)
    host = MetaTensor(torch.as_tensor(rng.random((1, 60, 50, 3), dtype=np.float32)))
    mask = MetaTensor(torch.zeros(1, 60, 50, 3, dtype=torch.uint8))
    mask[0, 25:35, 20:30, 1] = 1
    return host, host + 3 * mask, mask


def test_changes_only_what_it_marks(case: Any, tiny: Any) -> None:
    host, naive, mask = case
    for mode in ("band", "whole"):
        blend = BlendSettings(mode=mode, dilation_mm=1.0, softness_mm=2.0)
        redrawn = Redrawing(tiny("harmonization"), blend)(naive, mask, host, axis=2)
        altered = redrawn.alteration > 0
        assert torch.equal(redrawn.image[~altered], naive[~altered])
        assert bool((redrawn.image[altered] != naive[altered]).any())
        assert bool(altered[mask > 0].all())
        assert not bool(altered[..., (0, 2)].any())
        assert torch.equal(redrawn.image.affine, naive.affine)
        core = (0, slice(29, 31), slice(24, 26), 1)
        assert bool((redrawn.image[core] == naive[core]).all()) is (mode == "band")


def test_region_is_a_crop_or_the_slice(case: Any, tiny: Any) -> None:
    host, naive, mask = case
    # a crop of at least 96 pixels is as large as this image
    for region, max_size, size in (("roi", 250, (60, 50)), ("slice", 40, (40, 40))):
        settings = tiny("harmonization", region=region, max_size=max_size)
        redrawn = Redrawing(settings, BlendSettings())(naive, mask, host, axis=2)
        assert redrawn.region.size == size
        assert redrawn.region.slices == (1,)


def test_seed_decides_and_the_model_repeats(case: Any, tiny: Any, tmp_path: Path) -> None:
    host, naive, mask = case
    how = Redrawing(tiny("harmonization"), BlendSettings(mode="whole"), seed=1)
    first = how(naive, mask, host, axis=2, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    again = how(naive, mask, host, axis=2)
    other = replace(how, seed=2)(naive, mask, host, axis=2)
    reused = replace(how, seed=9, model=first.model)(naive, mask, host, axis=2)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.image, reused.image)
    assert not torch.equal(first.image, other.image)
    assert reused.seconds_training == 0 < first.seconds_training


def test_intensities_do_not_matter(case: Any, tiny: Any) -> None:
    host, naive, mask = case
    how = Redrawing(tiny("harmonization"), BlendSettings(mode="whole"))
    first = how(naive, mask, host, axis=2).image
    scaled = how(naive * 1000 + 50, mask, host * 1000 + 50, axis=2).image
    assert torch.allclose(scaled, first * 1000 + 50, rtol=1e-3, atol=2)


def test_lesion_that_the_model_cannot_hold(case: Any, tiny: Any) -> None:
    host, naive, mask = case
    model = Redrawing(tiny("harmonization"), BlendSettings())(naive, mask, host, axis=2).model
    rng = np.random.default_rng(1)
    wide = MetaTensor(torch.as_tensor(rng.random((1, 200, 200), dtype=np.float32)))
    lesion = MetaTensor(torch.zeros(1, 200, 200, dtype=torch.uint8))
    lesion[0, 40:160, 40:160] = 1
    how = Redrawing(model.settings, BlendSettings(), model)
    with pytest.raises(ConSinGANError, match=r"trained on slices of \(60, 50\)"):
        how(wide, lesion, wide, axis=None)
    small = torch.zeros_like(lesion)
    small[0, :10, 150:160] = 1
    assert how(wide, small, wide, axis=None).region.box_size == (60, 50)


def test_blend_settings_are_checked() -> None:
    with pytest.raises(ConSinGANError, match="level mm is -1"):
        BlendSettings(level_mm=-1)
    with pytest.raises(ConSinGANError, match="nothing is left of the redrawn image"):
        BlendSettings(level_mm=1.0, detail_mm=1.0)


def test_a_bank_spares_the_second_training(case: Any, tiny: Any, tmp_path: Path) -> None:
    host, naive, mask = case
    bank = ModelBank(tmp_path)
    how = Redrawing(tiny("harmonization"), BlendSettings(), seed=1)
    plain = how(naive, mask, host, axis=2)
    how = replace(how, bank=bank)
    first = how(naive, mask, host, axis=2)
    written = bank.path(bank.keys()[0]).stat().st_mtime_ns
    again = how(naive, mask, host, axis=2)
    assert len(bank) == 1 and bank.path(bank.keys()[0]).stat().st_mtime_ns == written
    assert torch.equal(first.image, plain.image) and torch.equal(again.image, plain.image)
    how(naive, mask, host, host + 1, axis=2)
    assert len(bank) == 2
