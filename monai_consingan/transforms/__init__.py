"""Transforms that paste and remove lesions, blend results back, and augment a training."""

from __future__ import annotations

from .alteration import (
    Alteration,
    AlterationMask,
    AlterationMaskD,
    AlterationMaskd,
    AlterationMaskDict,
    LesionAlteration,
    LesionAlterationD,
    LesionAlterationd,
    LesionAlterationDict,
    alteration_weight,
)
from .blend import BlendBack, BlendBackD, BlendBackd, BlendBackDict
from .head import head_mask
from .host_knowledge import HostKnowledge
from .insertion.crossfade import crossfade
from .insertion.dictionaries import (
    InsertLesionD,
    InsertLesiond,
    InsertLesionDict,
    PasteLesionD,
    PasteLesiond,
    PasteLesionDict,
    RandLesionD,
    RandLesiond,
    RandLesionDict,
    RandPasteLesionD,
    RandPasteLesiond,
    RandPasteLesionDict,
)
from .insertion.donors import load_bank
from .insertion.insert import InsertedLesion, InsertLesion
from .insertion.paste import PasteLesion
from .insertion.pasting import PastedLesion
from .insertion.placement import Placement, find_placement
from .insertion.rand_lesion import RandLesion, RandPasteLesion
from .insertion.tissue_blend import TissueBlend
from .load import (
    LoadLesionLabelD,
    LoadLesionLabeld,
    LoadLesionLabelDict,
    LoadScanD,
    LoadScand,
    LoadScanDict,
    NaiveImageD,
    NaiveImaged,
    NaiveImageDict,
)
from .poisson import poisson_blend
from .prepare_host import AsksOfHost, PrepareHostD, PrepareHostd, PrepareHostDict
from .redrawing import HostQuestions, NamedModels, RedrawingModels
from .removal.biharmonic import biharmonic
from .removal.fill import FilledLesion, FillLesion, FillLesionD, FillLesiond, FillLesionDict
from .removal.flipud import flip_mirror
from .removal.matched_fill import MatchedFill
from .removal.mirror import Mirrored, anatomical_mirror
from .removal.rand_lesion_removal import (
    RandLesionRemoval,
    RandLesionRemovalD,
    RandLesionRemovald,
    RandLesionRemovalDict,
)
from .removal.remove import RemovedLesion, RemoveLesion, RemoveLesionD, RemoveLesiond, RemoveLesionDict
from .removal.symmetry import SymmetryPlane, estimate_symmetry
from .training.augment import training_augmentation
from .training.blobs import RandLesionBlob, RandLesionBlobD, RandLesionBlobd, RandLesionBlobDict
from .training.slices import (
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
from .training.tiles import RandShuffleTiles, RandShuffleTilesD, RandShuffleTilesd, RandShuffleTilesDict
from .whole_voxels import move

__all__ = [
    "Alteration",
    "AlterationMask",
    "AlterationMaskD",
    "AlterationMaskDict",
    "AlterationMaskd",
    "AsksOfHost",
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
    "HostKnowledge",
    "HostQuestions",
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
    "NamedModels",
    "PasteLesion",
    "PasteLesionD",
    "PasteLesionDict",
    "PasteLesiond",
    "PastedLesion",
    "Placement",
    "PrepareHostD",
    "PrepareHostDict",
    "PrepareHostd",
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
    "RedrawingModels",
    "RegionSlicesD",
    "RegionSlicesDict",
    "RegionSlicesd",
    "RemoveLesion",
    "RemoveLesionD",
    "RemoveLesionDict",
    "RemoveLesiond",
    "RemovedLesion",
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
    "load_bank",
    "move",
    "poisson_blend",
    "region_slices",
    "stack_samples",
    "training_augmentation",
    "whole_slices",
]
