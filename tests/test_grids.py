"""What lies elsewhere than its image is refused wherever both come together, and not only what has another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Flip

from monai_consingan.errors import ConSinGANError
from monai_consingan.grids import check_place
from monai_consingan.transforms import (
    PasteLesion,
    RandLesionBlobd,
    RandLesionRemovald,
    RandPasteLesiond,
    RemoveLesiond,
)

AFFINE = torch.diag(torch.tensor([-1.0, -1.0, 3.0, 1.0], dtype=torch.float64))


def on_grid(values: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(values), affine=AFFINE)


def scan() -> dict[str, MetaTensor]:
    """A head with a lesion beside its middle."""
    grid = np.ogrid[:40, :44, :6]
    head = ((grid[0] - 20) / 18) ** 2 + ((grid[1] - 22) / 20) ** 2 < 1
    image = np.where(head, np.random.RandomState(0).normal(100, 4, (40, 44, 6)), 0)[None].astype(np.float32)
    label = np.zeros(image.shape, np.int16)
    label[0, 12:15, 20:23, 2:4] = 1
    image[label > 0] = 180
    return {"image": on_grid(image), "label": on_grid(label), "brain": on_grid((image > 0).astype(np.uint8))}


def flipped(name: str) -> dict[str, MetaTensor]:
    data = scan()
    return data | {name: Flip(0)(data[name])}


PASTE: dict[str, Any] = {"axis": 2, "donors": [(scan()["image"], scan()["label"])]}
CALLS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a random paste": RandPasteLesiond("image", **PASTE),
    "a random removal": RandLesionRemovald("image", methods="biharmonic", axis=2),
    "a removal": RemoveLesiond("image", methods="biharmonic", axis=2),
    "a paste": lambda data: PasteLesion()(scan()["image"], data["image"], data["label"]),
    "a paste beside lesions": lambda data: PasteLesion()(
        data["image"], data["image"], scan()["label"].as_tensor(), host_label=data["label"]
    ),
    "a donor": lambda data: RandPasteLesiond("image", axis=2, donors=[(data["image"], data["label"])])(scan()),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_flipped_label_is_refused(name: str) -> None:
    CALLS[name](scan())
    with pytest.raises(ConSinGANError, match=r"label lies elsewhere than .*; flip, crop and resample both alike"):
        CALLS[name](flipped("label"))


def test_a_donor_on_other_voxels_than_the_host_is_refused() -> None:
    """Its lesion would come out twice as wide; where its first voxel lies does not matter, as it is moved."""
    host, donor, label = scan()["image"], scan()["image"], scan()["label"].as_tensor()
    donor.affine = AFFINE + torch.tensor([0, 0, 0, 9.0])
    plain = PasteLesion()(host, donor, label).image
    assert torch.equal(plain, host)
    donor.affine = AFFINE @ torch.diag(torch.tensor([0.5, 0.5, 1, 1], dtype=torch.float64))
    with pytest.raises(ConSinGANError, match="donor lies elsewhere than the host"):
        PasteLesion()(host, donor, label)


def test_a_flipped_region_is_refused() -> None:
    paste = RandPasteLesiond("image", region_key="brain", **PASTE)
    paste(scan())
    with pytest.raises(ConSinGANError, match="region lies elsewhere than the image"):
        paste(flipped("brain"))


def test_images_that_are_changed_alike_lie_alike() -> None:
    blobs = RandLesionBlobd(["image", "brain"])
    blobs(scan())
    with pytest.raises(ConSinGANError, match="brain lies elsewhere than image"):
        blobs(flipped("brain"))


def test_what_tells_no_place_fits_anywhere() -> None:
    image = scan()["image"]
    check_place(image.as_tensor(), Flip(0)(image), name="a", other_name="b")
    check_place(image, Flip(0)(image).numpy(), name="a", other_name="b")
    nudged = MetaTensor(image.as_tensor(), affine=AFFINE + 1e-5)
    check_place(image, nudged, name="a", other_name="b")
