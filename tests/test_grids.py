"""What lies elsewhere than its image is refused wherever both come together, and not only what has another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


Scan = Callable[[], dict[str, MetaTensor]]


@pytest.fixture
def scan(head_scan: Callable[..., dict[str, MetaTensor]]) -> Scan:
    """A head with a lesion and the mask of its brain, in voxels of 1 x 1 x 3 mm."""
    return lambda: head_scan(AFFINE)


def random_paste(data: dict[str, MetaTensor], **other: Any) -> RandPasteLesiond:
    """A random paste of the lesion of a scan."""
    return RandPasteLesiond("image", axis=2, donors=[(data["image"], data["label"])], **other)


CALLS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {  # of a scan, and the same whose label is flipped
    "a random paste": lambda good, data: random_paste(good)(data),
    "a random removal": lambda _, data: RandLesionRemovald("image", methods="biharmonic", axis=2)(data),
    "a removal": lambda _, data: RemoveLesiond("image", methods="biharmonic", axis=2)(data),
    "a paste": lambda good, data: PasteLesion()(good["image"], data["image"], data["label"]),
    "a paste beside lesions": lambda good, data: PasteLesion()(
        data["image"], data["image"], good["label"].as_tensor(), host_label=data["label"]
    ),
    "a donor": lambda good, data: random_paste(data)(good),
}


def flipped(data: dict[str, MetaTensor], name: str) -> dict[str, MetaTensor]:
    return data | {name: Flip(0)(data[name])}


@pytest.mark.parametrize("name", CALLS)
def test_a_flipped_label_is_refused(name: str, scan: Scan) -> None:
    CALLS[name](scan(), scan())
    with pytest.raises(ConSinGANError, match=r"label lies elsewhere than .*; flip, crop and resample both alike"):
        CALLS[name](scan(), flipped(scan(), "label"))


def test_a_donor_on_other_voxels_than_the_host_is_refused(scan: Scan) -> None:
    """Its lesion would come out twice as wide; where its first voxel lies does not matter, as it is moved."""
    host, donor, label = scan()["image"], scan()["image"], scan()["label"].as_tensor()
    donor.affine = AFFINE + torch.tensor([0, 0, 0, 9.0])
    plain = PasteLesion()(host, donor, label).image
    assert torch.equal(plain, host)
    donor.affine = AFFINE @ torch.diag(torch.tensor([0.5, 0.5, 1, 1], dtype=torch.float64))
    with pytest.raises(ConSinGANError, match="donor lies elsewhere than the host"):
        PasteLesion()(host, donor, label)


def test_a_flipped_region_is_refused(scan: Scan) -> None:
    paste = random_paste(scan(), region_key="brain")
    paste(scan())
    with pytest.raises(ConSinGANError, match="region lies elsewhere than the image"):
        paste(flipped(scan(), "brain"))


def test_images_that_are_changed_alike_lie_alike(scan: Scan) -> None:
    blobs = RandLesionBlobd(["image", "brain"])
    blobs(scan())
    with pytest.raises(ConSinGANError, match="brain lies elsewhere than image"):
        blobs(flipped(scan(), "brain"))


def test_what_tells_no_place_fits_anywhere(scan: Scan) -> None:
    image = scan()["image"]
    check_place(image.as_tensor(), Flip(0)(image), name="a", other_name="b")
    check_place(image, Flip(0)(image).numpy(), name="a", other_name="b")
    nudged = MetaTensor(image.as_tensor(), affine=AFFINE + 1e-5)
    check_place(image, nudged, name="a", other_name="b")
