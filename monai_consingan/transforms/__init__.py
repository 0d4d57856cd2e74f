"""Transforms that paste and remove lesions, blend results back, and augment a training."""

from __future__ import annotations

from .alteration import AlterationMask, AlterationMaskD, AlterationMaskd, AlterationMaskDict, alteration_weight
from .augment import training_augmentation
from .blend import BlendBack, BlendBackD, BlendBackd, BlendBackDict
from .blobs import RandLesionBlob, RandLesionBlobD, RandLesionBlobd, RandLesionBlobDict
from .crossfade import crossfade
from .fill import FilledLesion, FillLesion, FillLesionD, FillLesiond, FillLesionDict
from .head import head_mask
from .inpaint import biharmonic
from .insert import InsertedLesion, InsertLesion, InsertLesionD, InsertLesiond, InsertLesionDict
from .lesion_alteration import (
    Alteration,
    LesionAlteration,
    LesionAlterationD,
    LesionAlterationd,
    LesionAlterationDict,
)
from .load import LoadLesionLabelD, LoadLesionLabeld, LoadLesionLabelDict, LoadScanD, LoadScand, LoadScanDict
from .matched_fill import MatchedFill
from .mirror import Mirrored, anatomical_mirror, flip_mirror
from .naive import NaiveImageD, NaiveImaged, NaiveImageDict
from .paste import PastedLesion, PasteLesion, PasteLesionD, PasteLesiond, PasteLesionDict, move
from .placement import Placement, Room, find_placement
from .poisson import poisson_blend
from .rand_lesion import RandLesion, RandLesionD, RandLesiond, RandLesionDict
from .rand_lesion_removal import (
    RandLesionRemoval,
    RandLesionRemovalD,
    RandLesionRemovald,
    RandLesionRemovalDict,
)
from .rand_paste import RandPasteLesion, RandPasteLesionD, RandPasteLesiond, RandPasteLesionDict
from .region_slices import (
    HeadSlicesD,
    HeadSlicesd,
    HeadSlicesDict,
    RegionSlicesD,
    RegionSlicesd,
    RegionSlicesDict,
    head_slices,
    region_slices,
    stack_samples,
    whole_slices,
)
from .remove import RemovedLesion, RemoveLesion, RemoveLesionD, RemoveLesiond, RemoveLesionDict
from .symmetry import SymmetryPlane, estimate_symmetry, left_right_axis
from .tiles import RandShuffleTiles, RandShuffleTilesD, RandShuffleTilesd, RandShuffleTilesDict
from .tissue_blend import TissueBlend

__all__ = [
    "Alteration",
    "AlterationMask",
    "AlterationMaskD",
    "AlterationMaskDict",
    "AlterationMaskd",
    "BlendBack",
    "BlendBackD",
    "BlendBackDict",
    "BlendBackd",
    "FillLesion",
    "FillLesionD",
    "FillLesionDict",
    "FillLesiond",
    "FilledLesion",
    "HeadSlicesD",
    "HeadSlicesDict",
    "HeadSlicesd",
    "InsertLesion",
    "InsertLesionD",
    "InsertLesionDict",
    "InsertLesiond",
    "InsertedLesion",
    "LesionAlteration",
    "LesionAlterationD",
    "LesionAlterationDict",
    "LesionAlterationd",
    "LoadLesionLabelD",
    "LoadLesionLabelDict",
    "LoadLesionLabeld",
    "LoadScanD",
    "LoadScanDict",
    "LoadScand",
    "MatchedFill",
    "Mirrored",
    "NaiveImageD",
    "NaiveImageDict",
    "NaiveImaged",
    "PasteLesion",
    "PasteLesionD",
    "PasteLesionDict",
    "PasteLesiond",
    "PastedLesion",
    "Placement",
    "RandLesion",
    "RandLesionBlob",
    "RandLesionBlobD",
    "RandLesionBlobDict",
    "RandLesionBlobd",
    "RandLesionD",
    "RandLesionDict",
    "RandLesionRemoval",
    "RandLesionRemovalD",
    "RandLesionRemovalDict",
    "RandLesionRemovald",
    "RandLesiond",
    "RandPasteLesion",
    "RandPasteLesionD",
    "RandPasteLesionDict",
    "RandPasteLesiond",
    "RandShuffleTiles",
    "RandShuffleTilesD",
    "RandShuffleTilesDict",
    "RandShuffleTilesd",
    "RegionSlicesD",
    "RegionSlicesDict",
    "RegionSlicesd",
    "RemoveLesion",
    "RemoveLesionD",
    "RemoveLesionDict",
    "RemoveLesiond",
    "RemovedLesion",
    "Room",
    "SymmetryPlane",
    "TissueBlend",
    "alteration_weight",
    "anatomical_mirror",
    "biharmonic",
    "crossfade",
    "estimate_symmetry",
    "find_placement",
    "flip_mirror",
    "head_mask",
    "head_slices",
    "left_right_axis",
    "move",
    "poisson_blend",
    "region_slices",
    "stack_samples",
    "training_augmentation",
    "whole_slices",
]
