"""Reading, writing, grids, regions, pyramids, and the packaged example and bundles."""

from __future__ import annotations

from monai_consingan.grids import same_grid
from monai_consingan.tasks import stage_sizes

from .cases import CASE_ITEMS, find_cases
from .file_words import in_common, told_apart
from .grid import to_host_grid
from .intensity import IntensityScale
from .lesion_region import find_region, fit_scale
from .lesions import LESION_CHOICES, check_lesion, keep_lesion, number_lesions
from .packaged import BUNDLES, PackagedExample, bundle_folder, example
from .pyramid import image_pyramid
from .region import Region, roi_region, slice_region
from .save import output_suffix, save_label_like, save_like
from .scan import keep_labels, load_label, load_scan
from .sequence_files import Files, SequenceFiles, as_files, read_sequences, save_sequences
from .sequences import lead_channel, named_sequences, same_sequences, sequence_names, stack_sequences
from .slices import check_slice, keep_slice, slice_axis, sliced_axis, slices_of, thick_slices, work_dims
from .stacking import as_keys, check_keys, stack_keys, unstack_keys
from .stored import Stored, file_sha256, read_stored
from .writer import HostGeometryWriter, case_file

__all__ = [
    "BUNDLES",
    "CASE_ITEMS",
    "LESION_CHOICES",
    "Files",
    "HostGeometryWriter",
    "IntensityScale",
    "PackagedExample",
    "Region",
    "SequenceFiles",
    "Stored",
    "as_files",
    "as_keys",
    "bundle_folder",
    "case_file",
    "check_keys",
    "check_lesion",
    "check_slice",
    "example",
    "file_sha256",
    "find_cases",
    "find_region",
    "fit_scale",
    "image_pyramid",
    "in_common",
    "keep_labels",
    "keep_lesion",
    "keep_slice",
    "lead_channel",
    "load_label",
    "load_scan",
    "named_sequences",
    "number_lesions",
    "output_suffix",
    "read_sequences",
    "read_stored",
    "roi_region",
    "same_grid",
    "same_sequences",
    "save_label_like",
    "save_like",
    "save_sequences",
    "sequence_names",
    "slice_axis",
    "slice_region",
    "sliced_axis",
    "slices_of",
    "stack_keys",
    "stack_sequences",
    "stage_sizes",
    "thick_slices",
    "to_host_grid",
    "told_apart",
    "unstack_keys",
    "work_dims",
]
