"""Transforms that paste and remove lesions, blend results back, and augment a training."""

from __future__ import annotations

from .alteration import AlterationMask, AlterationMaskD, AlterationMaskd, AlterationMaskDict, alteration_weight
from .augment import training_augmentation
from .blend import BlendBack, BlendBackD, BlendBackd, BlendBackDict
from .blobs import RandLesionBlob, RandLesionBlobD, RandLesionBlobd, RandLesionBlobDict
from .head import head_mask
from .inpaint import biharmonic
from .mirror import Mirrored, anatomical_mirror, flip_mirror
from .paste import PastedLesion, PasteLesion, PasteLesionD, PasteLesiond, PasteLesionDict, move
from .placement import Placement, find_placement
from .poisson import poisson_blend
from .rand_paste import RandPasteLesion, RandPasteLesiond, RandPasteLesionD, RandPasteLesionDict
from .remove import RemovedLesion, RemoveLesion, RemoveLesionD, RemoveLesiond, RemoveLesionDict
from .symmetry import SymmetryPlane, estimate_symmetry, left_right_axis
from .tiles import RandShuffleTiles, RandShuffleTilesD, RandShuffleTilesd, RandShuffleTilesDict

__all__ = [
    "AlterationMask",
    "AlterationMaskD",
    "AlterationMaskDict",
    "AlterationMaskd",
    "BlendBack",
    "BlendBackD",
    "BlendBackDict",
    "BlendBackd",
    "Mirrored",
    "PasteLesion",
    "PasteLesionD",
    "PasteLesionDict",
    "PasteLesiond",
    "PastedLesion",
    "Placement",
    "RandLesionBlob",
    "RandLesionBlobD",
    "RandLesionBlobDict",
    "RandLesionBlobd",
    "RandPasteLesion",
    "RandPasteLesionD",
    "RandPasteLesionDict",
    "RandPasteLesiond",
    "RandShuffleTiles",
    "RandShuffleTilesD",
    "RandShuffleTilesDict",
    "RandShuffleTilesd",
    "RemoveLesion",
    "RemoveLesionD",
    "RemoveLesionDict",
    "RemoveLesiond",
    "RemovedLesion",
    "SymmetryPlane",
    "alteration_weight",
    "anatomical_mirror",
    "biharmonic",
    "estimate_symmetry",
    "find_placement",
    "flip_mirror",
    "head_mask",
    "left_right_axis",
    "move",
    "poisson_blend",
    "training_augmentation",
]
