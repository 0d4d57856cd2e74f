"""The published experiments on brain metastases, run again."""

from __future__ import annotations

from .dataset import DataSetListing, FoundScan, list_data_set
from .pages import reproduction_table
from .published import GROUPS, PublishedGroup, PublishedSetting
from .run import reproduce

__all__ = [
    "GROUPS",
    "DataSetListing",
    "FoundScan",
    "PublishedGroup",
    "PublishedSetting",
    "list_data_set",
    "reproduce",
    "reproduction_table",
]
