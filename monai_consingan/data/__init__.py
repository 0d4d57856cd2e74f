"""Reading, writing, grids, regions, pyramids, and the packaged example."""

from __future__ import annotations

from .example import Example, example
from .grid import to_host_grid
from .intensity import IntensityScale
from .pyramid import image_pyramid, stage_sizes
from .region import Region, roi_region, slice_region
from .save import output_suffix, save_label_like, save_like, save_weight_like
from .scan import file_sha256, load_label, load_scan, same_grid
from .writer import HostGeometryWriter

__all__ = [
    "Example",
    "HostGeometryWriter",
    "IntensityScale",
    "Region",
    "example",
    "file_sha256",
    "image_pyramid",
    "load_label",
    "load_scan",
    "output_suffix",
    "roi_region",
    "same_grid",
    "save_label_like",
    "save_like",
    "save_weight_like",
    "slice_region",
    "stage_sizes",
    "to_host_grid",
]
