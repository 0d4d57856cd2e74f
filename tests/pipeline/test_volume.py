"""A generator of slices on whole volumes, by MONAI's ``SliceInferer``."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from monai.inferers import SliceInferer
from monai.transforms import Compose, LoadImaged, Orientationd

from monai_consingan.data import IntensityScale
from monai_consingan.errors import ConSinGANError
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator, draw_weights


def generator(size: tuple[int, int], norm: bool) -> ConSinGANGenerator:
    sizes = [tuple(side // 2 for side in size), size]
    networks = ConSinGANGenerator(sizes, channels=4, num_layers=2, norm=norm), ConSinGANDiscriminator(channels=4)
    made = draw_weights(*networks, seed=0)[0]
    for body in made.body:
        body.fixed_noise.normal_(generator=torch.Generator().manual_seed(1))
        body.noise_amplitude.fill_(0.1)
    return made.eval()


@pytest.fixture
def volume(scan: dict[str, str]) -> Any:
    image = LoadImaged("image", ensure_channel_first=True)(scan)["image"][..., :5]
    return IntensityScale.fit(image).apply(image)[None]


@pytest.mark.parametrize("task", ["harmonization", "editing"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_slice_by_slice(volume: Any, task: str, batch_size: int) -> None:
    network = generator((64, 75), norm=task == "editing")
    redraw = partial(ConSinGANInferer(task), network=network)
    result = SliceInferer(roi_size=(64, 75), spatial_dim=2, sw_batch_size=batch_size)(volume, redraw)
    alone = torch.stack([redraw(volume[..., index].as_tensor()) for index in range(5)], dim=-1)
    assert torch.equal(result.as_tensor(), alone)
    assert result.affine.equal(volume.affine) and not torch.equal(result.as_tensor(), volume.as_tensor())


@pytest.mark.parametrize("axis", [0, 1])
def test_other_axes(scan: dict[str, str], axis: int) -> None:
    """Slices along the first and the second axis, when the volume is turned so."""
    turn = Compose([LoadImaged("image", ensure_channel_first=True), Orientationd("image", axcodes="SLP", labels=None)])
    image = turn(scan)["image"] if axis == 0 else turn(scan)["image"].permute(0, 2, 1, 3)
    image = IntensityScale.fit(image).apply(image)[None]
    size = tuple(side for index, side in enumerate(image.shape[2:]) if index != axis)
    redraw = partial(ConSinGANInferer("harmonization"), network=generator(size, norm=False))
    result = SliceInferer(roi_size=size, spatial_dim=axis)(image, redraw)
    slices = image.as_tensor().unbind(2 + axis)
    assert len(slices) == 10
    assert torch.equal(result.as_tensor(), torch.stack([redraw(part) for part in slices], dim=2 + axis))


def test_a_volume_without_a_slice_inferer_is_refused(volume: Any) -> None:
    with pytest.raises(ConSinGANError, match=r"size \(64, 75, 5\), but the generator was trained on \(64, 75\)"):
        ConSinGANInferer("harmonization")(volume, generator((64, 75), norm=False))
