"""What a result is worth: seam, texture, lesion fidelity, locality, agreement with healthy tissue, detection, FID, FRD.

Measures of single images take them channel-first, (C, H, W) or (C, H, W, D), as numpy arrays, tensors or MetaTensors;
FID, KID and FRD compare sets of images.
"""

from __future__ import annotations

from monai_consingan.metrics.case import (
    CaseTransform,
    CheckInsertiond,
    CheckRemovald,
    MeasureInsertiond,
    MeasureRemovald,
    insertion_measures,
    removal_measures,
)
from monai_consingan.metrics.change import (
    by_sequence,
    changed_outside,
    measure_border,
    measure_change,
    measure_new_lesion,
)
from monai_consingan.metrics.checks import (
    Checks,
    Limits,
    beyond,
    check_insertion,
    check_removal,
)
from monai_consingan.metrics.detection import (
    DetectedLesion,
    Detection,
    detection,
    detection_summary,
)
from monai_consingan.metrics.fid import frechet_distance
from monai_consingan.metrics.fidelity import (
    LesionMeasures,
    contrast,
    contrast_to_noise,
    half_maximum_size,
    kept,
    measure_lesion,
    rim_core_difference,
)
from monai_consingan.metrics.frd import compare_radiomics, radiomic_distance, radiomic_features
from monai_consingan.metrics.inception import inception_features, load_inception
from monai_consingan.metrics.kid import Interval, kernel_distance
from monai_consingan.metrics.reading import agreement, reader_scores
from monai_consingan.metrics.seam import expected_seam, level_jump, seam, texture
from monai_consingan.metrics.sets import SetComparison, compare_sets
from monai_consingan.metrics.sifid import load_feature_network, sifid
from monai_consingan.metrics.surroundings import Surroundings, TissueLevel, Where, tissue_levels
from monai_consingan.metrics.tissue import TissueAgreement, tissue_agreement

__all__ = [
    "CaseTransform",
    "CheckInsertiond",
    "CheckRemovald",
    "Checks",
    "DetectedLesion",
    "Detection",
    "Interval",
    "LesionMeasures",
    "Limits",
    "MeasureInsertiond",
    "MeasureRemovald",
    "SetComparison",
    "Surroundings",
    "TissueAgreement",
    "TissueLevel",
    "Where",
    "agreement",
    "beyond",
    "by_sequence",
    "changed_outside",
    "check_insertion",
    "check_removal",
    "compare_radiomics",
    "compare_sets",
    "contrast",
    "contrast_to_noise",
    "detection",
    "detection_summary",
    "expected_seam",
    "frechet_distance",
    "half_maximum_size",
    "inception_features",
    "insertion_measures",
    "kept",
    "kernel_distance",
    "level_jump",
    "load_feature_network",
    "load_inception",
    "measure_border",
    "measure_change",
    "measure_lesion",
    "measure_new_lesion",
    "radiomic_distance",
    "radiomic_features",
    "reader_scores",
    "removal_measures",
    "rim_core_difference",
    "seam",
    "sifid",
    "texture",
    "tissue_agreement",
    "tissue_levels",
]
