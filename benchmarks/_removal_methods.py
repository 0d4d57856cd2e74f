"""Ways to fill a region of a slice with healthy tissue, behind one interface: image and mask in, image out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.distance import outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import PUBLISHED_BLENDS, BlendSettings
from monai_consingan.models import ModelBank
from monai_consingan.models.redraw import Redrawing
from monai_consingan.settings import preset_settings
from monai_consingan.transforms import FilledLesion, FillLesion, MatchedFill, TissueBlend, anatomical_mirror
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.symmetry import SymmetryPlane

REFERENCE = "Poisson-corrected mirror"
"""What the goal is relative to."""


@dataclass(frozen=True)
class Removal:
    """What is to be filled in a slice.

    Args:
        image: (H, W), float32.
        mask: where it is filled, boolean.
        affine: voxel to world (RAS+, mm), 4x4; its third axis is perpendicular to the slice.
        plane: where left mirrors to right.
        ill: where no tissue may be taken from, boolean; None for the mask only.
    """

    image: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    plane: SymmetryPlane
    ill: np.ndarray | None = None

    @property
    def spacing(self) -> tuple[float, float]:
        """Millimetres of a pixel."""
        row, column = np.linalg.norm(self.affine[:3, :2], axis=0)
        return float(row), float(column)

    def tensor(self, array: np.ndarray) -> MetaTensor:
        """(1, H, W) with the geometry."""
        return MetaTensor(torch.as_tensor(np.ascontiguousarray(array))[None], affine=torch.as_tensor(self.affine))

    def filled(self, method: str, train_on: str = "mirror") -> FilledLesion:
        """Filled by a method of the package, without a margin."""
        label = self.mask.astype(np.int16) if self.ill is None else np.where(self.mask, 1, 2 * self.ill)
        fill = FillLesion(method, symmetry=self.plane, margin_mm=0.0, train_on=train_on, dims=2)  # type: ignore[arg-type]
        return fill(self.tensor(self.image), self.tensor(label.astype(np.int16)), lesion_labels=[1])

    def mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """The other hemisphere at the same place, and where it is seen."""
        mirrored = anatomical_mirror(self.image[None], self.affine, symmetry=self.plane)
        return mirrored.image[0].astype(np.float64), mirrored.valid


RemovalMethod = Callable[[Removal], np.ndarray]


@dataclass(frozen=True)
class Fill:
    """A filling without a network.

    Args:
        method: of :class:`monai_consingan.transforms.RemoveLesion`.
    """

    method: str

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        return np.asarray(as_array(case.filled(self.method).image)[0], np.float64)


@dataclass(frozen=True)
class Matched:
    """The matched mirror with other settings.

    Args:
        options: of :class:`monai_consingan.transforms.MatchedFill`.
    """

    options: Mapping[str, Any]

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        mirrored, valid = case.mirror()
        ill = case.mask if case.ill is None else case.mask | case.ill
        brain = case.image > 0
        maps = anatomical_mirror(np.stack([ill, brain]).astype(np.uint8), case.affine, symmetry=case.plane).image > 0
        where = {"head": brain, "ill": ill, "usable": valid & ~maps[0], "source_head": maps[1]}
        return MatchedFill(**self.options)(case.image, mirrored, case.mask, spacing=case.spacing, **where)


@dataclass(frozen=True)
class Blended:
    """The mirrored tissue put in by the blend for pastes, over the Poisson-corrected mirror."""

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        mirrored, valid = case.mirror()
        host = Fill("poisson_mirror")(case)
        return TissueBlend()(host, mirrored, case.mask, spacing=case.spacing, valid=valid)


@dataclass(frozen=True)
class RingMean:
    """The mean of what is within 8 mm around."""

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        ring = (outside_distance(case.mask, case.spacing) <= 8.0) & ~case.mask & (case.image > 0)
        return np.where(case.mask, case.image[ring].mean(), case.image).astype(np.float64)


@dataclass(frozen=True)
class Membrane:
    """Interpolated from the border by Laplace's equation."""

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        return poisson_blend(
            case.image, np.zeros(case.mask.shape), case.mask, spacing=case.spacing, valid=case.image > 0
        )


@dataclass(frozen=True)
class OpenCV:
    """Inpainting by OpenCV.

    Args:
        name: ``"TELEA"`` or ``"NS"`` (Navier-Stokes); 5 pixels around a pixel count.
    """

    name: str

    def __call__(self, case: Removal) -> np.ndarray:
        """The filled image, (H, W)."""
        import cv2

        scale = float(case.image.max()) / 65535
        grey = np.rint(case.image / scale).astype(np.uint16)
        filled = cv2.inpaint(grey, case.mask.astype(np.uint8), 5.0, getattr(cv2, f"INPAINT_{self.name}"))
        return np.where(case.mask, scale * filled, case.image)


@dataclass(frozen=True)
class ConSinGAN:
    """A filling that a ConSinGAN redraws, which was trained around it.

    Args:
        folder: where its models are kept.
        method: how it is filled first.
        blend: where the redrawn image is used.
        train_on: the other hemisphere, or the image as it is.
        training: changes to the preset ``quick``.
        seed: seed of the training.
    """

    folder: Path = field(repr=False)
    method: str = "poisson_mirror"
    blend: BlendSettings = field(default_factory=BlendSettings)
    train_on: str = "mirror"
    training: Mapping[str, Any] = field(default_factory=lambda: {"iterations": 100, "channels": 16})
    seed: int = 0

    def __call__(self, case: Removal) -> np.ndarray:
        """The redrawn image, (H, W)."""
        filled = case.filled(self.method, self.train_on)
        settings = preset_settings("quick", "editing", **self.training)
        redraw = Redrawing(settings, self.blend, bank=ModelBank(self.folder), seed=self.seed)
        redrawn = redraw(filled.image, filled.mask, case.tensor(case.image), filled.training, axis=None)
        return np.asarray(as_array(redrawn.image)[0], np.float64)


MATCHED = "matched_mirror"
REMOVALS: dict[str, Callable[[Path, int], RemovalMethod]] = {
    "ring mean": lambda *_: RingMean(),
    "Laplace": lambda *_: Membrane(),
    "biharmonic": lambda *_: Fill("biharmonic"),
    "OpenCV, Telea": lambda *_: OpenCV("TELEA"),
    "OpenCV, Navier-Stokes": lambda *_: OpenCV("NS"),
    "flipud": lambda *_: Fill("flipud"),
    "mirror": lambda *_: Fill("mirror"),
    REFERENCE: lambda *_: Fill("poisson_mirror"),
    "tissue blend of the mirror": lambda *_: Blended(),
    "matched mirror": lambda *_: Fill(MATCHED),
    "matched mirror, not moved": lambda *_: Matched({"reach_mm": 0.0}),
    "matched mirror, texture as it is": lambda *_: Matched({"texture": 0.0}),
    "matched mirror, only structure that fits": lambda *_: Matched({"structure": 0.0}),
    "matched mirror, all finer structure": lambda *_: Matched({"structure": 1.0}),
    "moved mirror": lambda *_: Fill("moved_mirror"),
    "matched nearby": lambda *_: Fill("matched_nearby"),
    "ConSinGAN as published": lambda folder, seed: ConSinGAN(
        folder, "flipud", PUBLISHED_BLENDS["editing"], "image", seed=seed
    ),
    "ConSinGAN, band": lambda folder, seed: ConSinGAN(folder, seed=seed),
    "ConSinGAN, whole": lambda folder, seed: ConSinGAN(folder, blend=BlendSettings("whole"), seed=seed),
    "ConSinGAN on matched, band": lambda folder, seed: ConSinGAN(folder, MATCHED, seed=seed),
    "ConSinGAN on matched, band, detail 1 mm": lambda folder, seed: ConSinGAN(
        folder, MATCHED, BlendSettings(detail_mm=1.0), seed=seed
    ),
    "ConSinGAN on matched, outside, detail 1 mm": lambda folder, seed: ConSinGAN(
        folder, MATCHED, BlendSettings("outside", detail_mm=1.0), seed=seed
    ),
    "ConSinGAN on matched, whole": lambda folder, seed: ConSinGAN(folder, MATCHED, BlendSettings("whole"), seed=seed),
    "ConSinGAN on matched, whole, detail 1 mm": lambda folder, seed: ConSinGAN(
        folder, MATCHED, BlendSettings("whole", detail_mm=1.0), seed=seed
    ),
}
"""Methods by name."""
NETWORK_FREE = tuple(
    name for name in REMOVALS if "ConSinGAN" not in name and ("OpenCV" not in name or find_spec("cv2") is not None)
)
"""Those that train nothing and whose programs are there."""


def removal_methods(names: list[str], folder: Path, seed: int = 0) -> dict[str, RemovalMethod]:
    """Methods by name, whose models are kept in a folder.

    Raises:
        ConSinGANError: OpenCV is asked for and not installed.
    """
    if any("OpenCV" in name for name in names) and find_spec("cv2") is None:
        raise ConSinGANError("OpenCV's inpainting needs OpenCV: pip install opencv-python-headless.")
    return {name: REMOVALS[name](folder, seed) for name in names}
