"""A segmenter for ``monai-consingan challenge``: what is far brighter than most of the head, slice by slice.

``python threshold_segmenter.py IMAGE MASK``
"""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
from scipy import ndimage

scan = nib.load(sys.argv[1])
values = np.asarray(scan.dataobj, dtype=np.float32)
head = values > 0.15 * np.percentile(values, 99)
in_plane = np.ones((5, 5, 1))
inner = ndimage.binary_erosion(ndimage.binary_fill_holes(head), in_plane, iterations=2)
spread = 1.4826 * np.median(np.abs(values[head] - np.median(values[head])))
mask = inner & (values > np.median(values[head]) + 1.5 * spread)
nib.save(nib.Nifti1Image(mask.astype(np.uint8), scan.affine), sys.argv[2])
