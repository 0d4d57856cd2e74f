"""Donors with lesions that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions

MakeDonor = Callable[..., Donor]


@pytest.fixture(scope="session")
def make_donor() -> MakeDonor:
    """A donor in space: tissue of 100 with noise, and a ball of 200 and more, hollow if that is asked for."""

    def make(
        seed: int = 0, radius: float = 6.0, hollow: float = 0.0, channels: int = 2, side: int = 40, oedema: float = 0.0
    ) -> Donor:
        rng = np.random.RandomState(seed)
        away = np.sqrt(sum((g - side / 2) ** 2 for g in np.mgrid[:side, :side, :side]))
        image = np.stack([100 + 10 * c + 5 * rng.standard_normal(away.shape) for c in range(channels)])
        image[:, away < radius + oedema] += 20 if oedema else 0
        image[:, away < radius] += 100
        image[0, away < radius] += 40  # which stands out most
        image[:, away < hollow] -= 110
        label = np.where(away < hollow, 1, np.where(away < radius, 4, np.where(away < radius + oedema, 2, 0)))
        affine = torch.eye(4)
        return Donor(
            MetaTensor(torch.from_numpy(image.astype(np.float32)), affine=affine),
            MetaTensor(torch.from_numpy(label.astype(np.int16))[None], affine=affine),
        )

    return make


@pytest.fixture(scope="session")
def make_example(make_donor: MakeDonor) -> Callable[..., Example]:
    """What is learnt from such a donor."""

    def make(*, keep_oedema: bool = False, **how: float) -> Example:
        donor = make_donor(**how)
        crop = crop_lesions(donor, MetaTensor(torch.zeros(len(donor.image), 1, 1, 1)))[0]
        return Example.of(crop, (1, 4), oedema=keep_oedema)

    return make
