from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.networks import ConSinGANGenerator


def make(dims: int = 2) -> ConSinGANGenerator:
    torch.manual_seed(0)
    sizes = [(7, 6, 8)[:dims], (10, 9, 11)[:dims]]
    generator = ConSinGANGenerator(sizes, spatial_dims=dims, channels=2, num_layers=1)
    for parameter in generator.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    for body in generator.body:
        body.fixed_noise.normal_()
        body.noise_amplitude.fill_(0.3)
    return generator


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_the_image_goes_in_at_the_size_of_stage_0(dims: int, task: str) -> None:
    generator = make(dims)
    image = torch.rand(1, 1, *generator.stage_sizes[-1]) * 2 - 1
    coarse = resize(image, generator.stage_sizes[0]).clamp(-1, 1)
    if task == "editing":
        coarse = coarse + 0.1 * generator.body[0].fixed_noise
    result = ConSinGANInferer(task)(image, generator)
    assert torch.equal(result, generator(coarse))
    assert result.shape == image.shape
    assert not result.requires_grad


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_every_image_on_its_own(batch_size: int) -> None:
    generator = make()
    images = torch.rand(5, 1, 10, 9) * 2 - 1
    inferer = ConSinGANInferer("editing", batch_size=batch_size)
    single = torch.cat([ConSinGANInferer("editing")(image[None], generator) for image in images])
    torch.testing.assert_close(inferer(images, generator), single, rtol=0, atol=1e-6)
    assert torch.equal(inferer(images, generator), inferer(images, generator))


def test_meta_tensors_give_plain_tensors() -> None:
    image = torch.rand(1, 1, 10, 9)
    result = ConSinGANInferer("harmonization")(MetaTensor(image), make())
    assert type(result) is torch.Tensor
    assert torch.equal(result, ConSinGANInferer("harmonization")(image, make()))


def test_images_of_another_size() -> None:
    with pytest.raises(ConSinGANError, match=r"size \(9, 10\), but the generator was trained on \(10, 9\)"):
        ConSinGANInferer("harmonization")(torch.zeros(1, 1, 9, 10), make())


@pytest.mark.parametrize("task", ["generation", "retarget", "animation"])
def test_tasks_that_take_no_image(task: str) -> None:
    with pytest.raises(ConSinGANError, match=f"task '{task}' makes images of noise"):
        ConSinGANInferer(task)


def test_unknown_task() -> None:
    with pytest.raises(ConSinGANError, match="task is 'painting'"):
        ConSinGANInferer("painting")
