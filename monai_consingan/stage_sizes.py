"""How large an image is at every stage of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai_consingan.errors import ConSinGANError
from monai_consingan.tasks import get_task


def stage_sizes(
    image_size: Sequence[int], *, min_size: int, max_size: int, num_stages: int, task: str
) -> list[tuple[int, ...]]:
    r"""Size of the image at every stage, coarsest first.

    The image is first scaled down, never up, so that its larger side is at most ``max_size``. With
    :math:`N` = ``num_stages`` - 1 and :math:`r` = (``min_size`` / smaller side) :sup:`1/N`, stage :math:`N` is that
    image, and stage :math:`i < N` is scaled by :math:`r^{e(i)}`, where :math:`e(i) = N - i` for harmonization
    (geometric rule) and :math:`e(i) = (N - 1) / \ln N \cdot \ln(N - i) + 1` for all other tasks (log rule of
    Hinz et al., WACV 2021, section 3; for two stages its limit, 1). Every size is rounded up.

    Args:
        image_size: size of the image in pixels (2 or 3 dimensions).
        min_size: smaller side of the coarsest stage, in pixels.
        max_size: the largest side allowed, in pixels.
        num_stages: number of stages, 2 or more.
        task: one of the tasks of :py:data:`monai_consingan.tasks.TASKS`.

    Returns:
        A tuple of ints for each stage.

    Raises:
        ConSinGANError: a setting is out of range.

    Example::

        >>> stage_sizes((250, 250), min_size=120, max_size=250, num_stages=3, task="harmonization")
        [(120, 120), (174, 174), (250, 250)]
    """
    rule = get_task(task).pyramid
    if num_stages < 2:
        raise ConSinGANError(f"stages is {num_stages}, but a pyramid needs at least 2 stages: raise stages.")
    if min_size < 1 or max_size < 1 or min(image_size) < 1:
        raise ConSinGANError(
            f"min size {min_size}, max size {max_size} and image size {tuple(image_size)} must all be 1 pixel or more."
        )
    shrink = min(max_size / max(image_size), 1)
    full = [math.ceil(side * shrink) for side in image_size]
    if min_size > min(full):
        raise ConSinGANError(
            f"min size is {min_size} pixels, but the smaller side of the image at its full size {tuple(full)} is "
            f"{min(full)}: choose a min size of at most {min(full)}."
        )
    last = num_stages - 1
    ratio = math.pow(min_size / min(full), 1 / last)

    def exponent(stage: int) -> float:
        """The power of the ratio by which a stage is scaled."""
        if rule == "geometric":
            return last - stage
        if last == 1:
            return 1
        return (last - 1) / math.log(last) * math.log(last - stage) + 1

    scales = [math.pow(ratio, exponent(stage)) for stage in range(last)]
    return [tuple(math.ceil(side * scale) for side in full) for scale in scales] + [tuple(full)]
