"""Whole data sets: synthetic training scans from the scans of a data set."""

from __future__ import annotations

from monai_consingan.data_set_settings import SIZE_CLASSES, AugmentSettings, TwinSettings
from monai_consingan.workflows.data_sets.bids_folder import read_bids
from monai_consingan.workflows.data_sets.datalists import read_datalist
from monai_consingan.workflows.data_sets.folders import read_scans
from monai_consingan.workflows.data_sets.nnunet_folder import read_nnunet
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet

from .merge import keep, merge
from .run import augment, free_twins
from .survey import Lesion
from .workers import Execution

__all__ = [
    "SIZE_CLASSES",
    "AugmentSettings",
    "Execution",
    "Lesion",
    "ScanRecord",
    "ScanSet",
    "TwinSettings",
    "augment",
    "free_twins",
    "keep",
    "merge",
    "read_bids",
    "read_datalist",
    "read_nnunet",
    "read_scans",
]
