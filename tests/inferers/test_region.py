from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import gaussian_filter

from monai_consingan.data import IntensityScale, Region, find_region, fit_scale
from monai_consingan.errors import ConSinGANError
from monai_consingan.inferers import ConSinGANInferer, ConSinGANRegionInferer
from monai_consingan.networks import ConSinGANGenerator

SIZE = (30, 26)


@pytest.fixture
def generator() -> ConSinGANGenerator:
    torch.manual_seed(0)
    return ConSinGANGenerator([(15, 13), SIZE], channels=4, negative_slope=0.3).eval()


@pytest.fixture
def volume() -> torch.Tensor:
    return torch.rand(1, 40, 36, 5, generator=torch.Generator().manual_seed(1)) * 900 + 50


@pytest.fixture
def alteration(volume: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros_like(volume)
    mask[0, 15:20, 14:21, 2:4] = 1
    return mask


def region_of_volume() -> Region:
    return Region(axis=2, slices=(2, 3), start=(4, 5), stop=(34, 31), size=SIZE)


def test_only_the_region_is_redrawn(generator: ConSinGANGenerator, volume: torch.Tensor) -> None:
    region, scale = region_of_volume(), IntensityScale(50.0, 950.0)
    result = ConSinGANRegionInferer("harmonization", level_mm=0).redraw(volume, generator, region, scale)
    expected = scale.undo(ConSinGANInferer("harmonization")(scale.apply(region.take(volume)), generator))
    assert torch.equal(region.take(result), expected)
    outside = torch.ones_like(volume, dtype=torch.bool)
    outside[0, 4:34, 5:31, 2:4] = False
    assert torch.equal(result[outside], volume[outside])


def test_the_level_of_the_naive_image_is_kept_within_the_slice(
    generator: ConSinGANGenerator, volume: torch.Tensor
) -> None:
    region, scale = region_of_volume(), IntensityScale(50.0, 950.0)
    volume = MetaTensor(volume, affine=torch.diag(torch.tensor([0.5, 1.0, 4.0, 1.0])))
    plain, level = (
        ConSinGANRegionInferer("editing", level_mm=mm).redraw(volume, generator, region, scale) for mm in (0.0, 3.0)
    )
    missing = (region.take(volume) - region.take(plain)).numpy()
    expected = region.take(plain).numpy() + gaussian_filter(missing, (0, 0, 6.0, 3.0), mode="nearest")
    np.testing.assert_allclose(region.take(level).numpy(), expected, rtol=1e-5)
    assert abs((level - volume).mean()) < abs((plain - volume).mean())


def test_the_detail_of_the_naive_image_is_kept(generator: ConSinGANGenerator, volume: torch.Tensor) -> None:
    region, scale = region_of_volume(), IntensityScale(50.0, 950.0)
    volume = MetaTensor(volume, affine=torch.diag(torch.tensor([0.5, 1.0, 4.0, 1.0])))
    plain, detail, both = (
        ConSinGANRegionInferer("harmonization", **kept).redraw(volume, generator, region, scale)
        for kept in ({"level_mm": 0.0}, {"level_mm": 0.0, "detail_mm": 1.0}, {"level_mm": 3.0, "detail_mm": 1.0})
    )
    missing = (region.take(volume) - region.take(plain)).numpy()
    coarse, fine = (gaussian_filter(missing, (0, 0, 2 * mm, mm), mode="nearest") for mm in (3.0, 1.0))
    np.testing.assert_allclose(region.take(detail).numpy(), region.take(volume).numpy() - fine, rtol=1e-4)
    np.testing.assert_allclose(region.take(both).numpy(), region.take(volume).numpy() - fine + coarse, rtol=1e-4)


def test_a_batch_is_redrawn_image_by_image(
    generator: ConSinGANGenerator, volume: torch.Tensor, alteration: torch.Tensor
) -> None:
    inferer = ConSinGANRegionInferer("harmonization", axis=2)
    other = volume.flip(1) * 2
    lesion = alteration
    alone = [
        inferer(image[None], generator, lesion[None], alteration[None], image[None])[0] for image in (volume, other)
    ]
    both = inferer(
        torch.stack([volume, other]),
        generator,
        torch.stack([lesion, lesion]),
        torch.stack([alteration, alteration]),
        torch.stack([volume, other]),
    )
    assert torch.equal(both[0], alone[0]) and torch.equal(both[1], alone[1])
    assert not torch.equal(both[0], volume)


def test_the_region_has_the_size_of_the_model(alteration: torch.Tensor) -> None:
    assert find_region(alteration, axis=2).size == (40, 36)
    assert find_region(alteration, axis=2, size=(40, 36)).size == (40, 36)
    assert find_region(alteration, axis=2, region="slice", max_side=50).size == (50, 50)
    with pytest.raises(ConSinGANError, match=r"trained on slices of \(50, 50\)"):
        find_region(alteration, axis=2, size=(50, 50))
    with pytest.raises(ConSinGANError, match="must be one of roi, slice"):
        find_region(alteration, axis=2, region="box")


def test_a_smaller_image_is_padded_to_the_size_of_the_model(volume: torch.Tensor, alteration: torch.Tensor) -> None:
    torch.manual_seed(0)
    wide = ConSinGANGenerator([(25, 15), (50, 30)], channels=4, negative_slope=0.3).eval()
    inferer = ConSinGANRegionInferer("harmonization", axis=2, level_mm=0)
    for size in ((30, 26), (50, 50)):
        with pytest.raises(ConSinGANError, match="trained on slices of"):  # a lesion that is larger never fits
            find_region(torch.ones_like(alteration), axis=2, size=size, padded=size == (30, 26))
    _, region, scale = inferer.look(volume, alteration, alteration, volume, (50, 30), padded=True)
    assert region.size == (40, 30)
    slices = scale.apply(region.take(volume))
    edge = slices[..., -1:, :].expand(-1, -1, 10, -1)
    expected = ConSinGANInferer("harmonization")(torch.cat([slices, edge], dim=2), wide)[:, :, :40]
    assert torch.equal(region.take(inferer.redraw(volume, wide, region, scale)), scale.undo(expected))
    called = inferer(*(one[None] for one in (volume,)), wide, alteration[None], alteration[None], volume[None])
    assert torch.equal(called[0], inferer.redraw(volume, wide, region, scale))
    box = find_region(alteration, axis=None, size=(50, 30, 8), padded=True)
    assert box.size == (40, 30, 5)


def test_no_intensity_of_the_lesion_is_clipped(volume: torch.Tensor, alteration: torch.Tensor) -> None:
    naive = volume.clone()
    naive[alteration > 0] = 5000.0
    scale = fit_scale(region_of_volume(), naive, alteration, [volume])
    assert scale.upper == 5000.0
    assert scale.lower < 100
