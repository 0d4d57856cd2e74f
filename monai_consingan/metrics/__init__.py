"""What a result is worth: seam, texture, lesion fidelity, locality, agreement with healthy tissue, and detection.

All take channel-first images, (1, H, W) or (1, H, W, D), as numpy arrays, tensors or MetaTensors.
"""

from __future__ import annotations

from monai_consingan.metrics.case import MeasureInsertiond, MeasureRemovald, insertion_measures, removal_measures
from monai_consingan.metrics.contrast import ContrastKeptMetric, contrast, contrast_kept, kept
from monai_consingan.metrics.detection import (
    DetectedLesion,
    Detection,
    LesionDetectionMetric,
    detection,
    detection_summary,
)
from monai_consingan.metrics.fidelity import LesionMeasures, half_maximum_size, measure_lesion, rim_core_difference
from monai_consingan.metrics.locality import changed_outside
from monai_consingan.metrics.seam import SeamMetric, seam
from monai_consingan.metrics.texture import TextureMetric, texture
from monai_consingan.metrics.tissue import TissueAgreement, tissue_agreement

__all__ = [
    "ContrastKeptMetric",
    "DetectedLesion",
    "Detection",
    "LesionDetectionMetric",
    "LesionMeasures",
    "MeasureInsertiond",
    "MeasureRemovald",
    "SeamMetric",
    "TextureMetric",
    "TissueAgreement",
    "changed_outside",
    "contrast",
    "contrast_kept",
    "detection",
    "detection_summary",
    "half_maximum_size",
    "insertion_measures",
    "kept",
    "measure_lesion",
    "removal_measures",
    "rim_core_difference",
    "seam",
    "texture",
    "tissue_agreement",
]
