"""Random lesion-shaped blobs of foreign intensity or texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.transforms import RandomizableTransform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, ensure_tuple
from scipy.ndimage import gaussian_filter

from monai_consingan.arrays import check_image, check_number, check_range, int_range
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.random_dict import AlikeTransform

BLOB_CONTENTS = ("offset", "gain", "noise", "ring", "patch")
"""What a blob can be filled with, see :class:`RandLesionBlob`."""

_WAVES = 4  # waves along random directions that make a blob's outline irregular
_FOREGROUND = 0.1  # voxels above this fraction of the intensity range are tissue


@dataclass(frozen=True)
class _Blob:
    """One drawn blob: its box in the image, and per voxel of the box its depth, weight and texture."""

    box: tuple[slice, ...]
    depth: np.ndarray  # 0 in the centre, 1 on the outline
    weight: np.ndarray  # in [0, 1]: how much of the content is seen
    content: str
    level: float  # amount of the content, in [-1, 1]
    core: float  # "ring": the core's level, in [0, 1]
    texture: np.ndarray  # smooth noise of mean 0 and standard deviation 1
    origin: tuple[slice, ...]  # "patch": the box that the texture is taken from


class RandLesionBlob(RandomizableTransform):
    """Put random lesion-shaped blobs of foreign intensity or texture into an image.

    A network that is trained on such images sees what a pasted lesion looks like to it (something of the shape of a
    lesion that fits its surroundings badly), where ConSinGAN's own augmentation for photographs cuts coloured holes.
    A blob is an ellipsoid with an irregular outline and lies in tissue. It is filled with one of:

    - ``"offset"``: the tissue made brighter or darker by a constant;
    - ``"gain"``: the tissue with its contrast to the darkest value raised or lowered;
    - ``"noise"``: another intensity with a smooth random texture;
    - ``"ring"``: a bright rim around a dark core, as ring-enhancing metastases have, with a smooth texture;
    - ``"patch"``: tissue from another place of the image.

    All amounts are relative to the image's own intensity range and filled values stay within it. Outside the blobs
    the image keeps its exact values.

    Args:
        prob: probability that anything is done.
        number: number of blobs: a number, or a pair to draw from (both ends included).
        radius: range of the mean radius, as a fraction of the image's shortest side; at least one voxel is used.
        irregularity: how far the outline leaves the ellipsoid, as a fraction of its radius, from 0 to below 1.
        softness: range of the width of the border's ramp, as a fraction of the radius; 0 is a hard border.
        level: range of the amount of an offset, gain or texture, as a fraction of the intensity range, 0 to 1.
        contents: what blobs are filled with, drawn evenly from these names.

    Raises:
        ConSinGANError: if a range is not rising or leaves its limits, or a content is unknown.

    Example:
        >>> import numpy as np
        >>> blobs = RandLesionBlob(number=1, contents=("offset",)).set_random_state(seed=0)
        >>> bool((blobs(np.eye(32, dtype=np.float32)[None]) != np.eye(32)).any())
        True
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        prob: float = 1.0,
        number: int | Sequence[int] = (1, 3),
        radius: Sequence[float] = (0.04, 0.15),
        irregularity: float = 0.3,
        softness: Sequence[float] = (0.0, 0.4),
        level: Sequence[float] = (0.15, 0.6),
        contents: Sequence[str] = BLOB_CONTENTS,
    ) -> None:
        RandomizableTransform.__init__(self, check_number(prob, "prob", 0, 1))
        self.number = int_range(number, "number", 1)
        self.radius = check_range(radius, "radius", 0, 0.5)
        self.irregularity = check_number(irregularity, "irregularity", 0, 0.9)
        self.softness = check_range(softness, "softness", 0, 1)
        self.level = check_range(level, "level", 0, 1)
        self.contents: tuple[str, ...] = ensure_tuple(contents)
        unknown = [content for content in self.contents if content not in BLOB_CONTENTS]
        if unknown or not self.contents:
            raise ConSinGANError(
                f"contents has {unknown or 'no entry'}, but must name some of {', '.join(BLOB_CONTENTS)}."
            )
        self._blobs: list[_Blob] = []

    def randomize(self, data: Any) -> None:
        """Draw the blobs.

        Args:
            data: the image, an array of shape ``(C, *spatial)``; its first channel tells where tissue is.
        """
        super().randomize(None)
        self._blobs = []
        if not self._do_transform:
            return
        check_image(data)
        image: np.ndarray = convert_data_type(data, np.ndarray)[0][0]
        low, high = float(image.min()), float(image.max())
        tissue = np.flatnonzero(image > low + _FOREGROUND * (high - low))
        for _ in range(int(self.R.randint(self.number[0], self.number[1] + 1))):
            self._blobs.append(self._draw_blob(image.shape, tissue))

    def _draw_place(self, shape: tuple[int, ...], tissue: np.ndarray) -> np.ndarray:
        """Draw a voxel of the tissue, or any voxel where there is none."""
        flat = tissue[self.R.randint(tissue.size)] if tissue.size else self.R.randint(int(np.prod(shape)))
        return np.array(np.unravel_index(flat, shape))

    def _draw_blob(self, shape: tuple[int, ...], tissue: np.ndarray) -> _Blob:
        """Draw one blob: place, shape, border and content."""
        dims = len(shape)
        centre = self._draw_place(shape, tissue)
        mean = max(self.R.uniform(*self.radius) * min(shape), 1.0)
        radii = mean * self.R.uniform(0.7, 1.3, size=dims)
        axes = np.linalg.qr(self.R.normal(size=(dims, dims)))[0]
        ramp = self.R.uniform(*self.softness) * mean
        reach = int(np.ceil(radii.max() * (1 + self.irregularity) + ramp))
        start, stop = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))

        grid = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij", sparse=False)
        offset = np.stack(grid, axis=-1) - centre
        scaled = (offset @ axes) / radii
        distance = np.linalg.norm(scaled, axis=-1)
        directions = self.R.normal(size=(dims, _WAVES))
        directions *= self.R.uniform(1.5, 5.0, size=_WAVES) / np.linalg.norm(directions, axis=0)
        waves = np.sin((scaled / np.maximum(distance, 1e-6)[..., None]) @ directions + self.R.uniform(0, 6.3, _WAVES))
        depth = distance / (1 + self.irregularity * waves.mean(axis=-1))
        outside = (depth - 1) * mean
        weight = np.clip(0.5 - outside / ramp, 0, 1) if ramp > 0.5 else (outside <= 0).astype(float)

        content = str(self.R.choice(self.contents))
        level = self.R.uniform(*self.level) * self.R.choice((-1, 1))
        core = self.R.uniform(0, 0.5)
        texture = gaussian_filter(self.R.normal(size=depth.shape), self.R.uniform(0.3, 2.0), mode="wrap")
        texture = (texture - texture.mean()) / max(float(texture.std()), 1e-6)
        extent = stop - start
        place = np.clip(self._draw_place(shape, tissue) - extent // 2, 0, np.array(shape) - extent)
        origin = tuple(slice(int(a), int(a + n)) for a, n in zip(place, extent, strict=True))
        return _Blob(box, depth, weight, content, float(level), float(core), texture, origin)

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Put blobs into one image.

        Args:
            img: image of shape ``(C, *spatial)``, 2D or 3D, any intensity range. All channels get the same blobs.
            randomize: whether to draw anew; ``False`` repeats the last draw.

        Returns:
            A changed copy of the same shape, type and meta data.
        """
        check_image(img)
        if randomize:
            self.randomize(img)
        if not self._blobs:
            return img
        source: np.ndarray = convert_data_type(img, np.ndarray)[0]
        result = source.copy()
        for channel in range(source.shape[0]):
            low, high = float(source[channel].min()), float(source[channel].max())
            for blob in self._blobs:
                here = (channel, *blob.box)
                before = result[here]
                filled = np.clip(_content(source[channel], before, blob, low, high - low), low, high)
                after = before + blob.weight * (filled - before)
                if not np.issubdtype(source.dtype, np.floating):
                    after = np.rint(after)
                result[here] = np.where(blob.weight > 0, after, before).astype(source.dtype)
        return convert_to_dst_type(result, dst=img, dtype=img.dtype)[0]


def _content(image: np.ndarray, here: np.ndarray, blob: _Blob, low: float, span: float) -> np.ndarray:
    """What fills a blob, for one channel with values from ``low`` to ``low + span``."""
    if blob.content == "offset":
        return here + blob.level * span
    if blob.content == "gain":
        return low + (here - low) * (1 + blob.level)
    if blob.content == "patch":
        return image[blob.origin]
    texture = 0.15 * abs(blob.level) * span * blob.texture
    if blob.content == "noise":
        return low + span * (0.5 + 0.7 * blob.level) + texture
    rim = np.exp(-(((blob.depth - 0.8) / 0.2) ** 2))
    return low + span * (blob.core + (0.5 + 0.5 * abs(blob.level) - blob.core) * rim) + texture


class RandLesionBlobd(AlikeTransform):
    """Dictionary version of :class:`RandLesionBlob`: all keys get the same blobs, placed by the first one's tissue.

    Args:
        keys: keys of images of equal spatial shape.
        prob, allow_missing_keys: as of other transforms of MONAI.
        kwargs: the other arguments of :class:`RandLesionBlob`.
    """

    backend = RandLesionBlob.backend
    array_version = RandLesionBlob


RandLesionBlobD = RandLesionBlobDict = RandLesionBlobd
