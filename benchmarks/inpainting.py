"""The case of the BraTS challenge on inpainting: its healthy void filled, and measured as the challenge does.

``python benchmarks/inpainting.py FOLDER``, with files ``*-t1n-voided.nii.gz``, ``*-mask.nii.gz``, ``*-t1n.nii.gz`` and
``*-t2f.nii.gz``. Of the mask's two large parts the one that is darker in t2f is healthy, and so has a truth; the other
is the tumour's, and voided too. Measures are those of the challenge's program: intensities are scaled and cut by the
percentiles of the voided scan, all outside the void is 0 in both images, PSNR and MSE are those of the void's voxels,
SSIM is averaged over them. The void reaches beyond the brain, where the truth is 0: fillings end where the mirrored
brain does, and *in the brain* is where the truth is not 0.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measure import table
from monai.metrics.regression import compute_ssim_and_cs
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.data import load_scan
from monai_consingan.distance import bounding_box
from monai_consingan.errors import NoPlaceError
from monai_consingan.metrics import seam, texture
from monai_consingan.transforms import MatchedFill, anatomical_mirror, biharmonic, poisson_blend
from monai_consingan.transforms.removal.symmetry import estimate_symmetry

_WIDTH = 11  # voxels of the window of the structural similarity
SMOOTH = {"structure": 0.0, "texture": 0.0}


def read(folder: Path) -> dict[str, Any]:
    """The case: arrays (\\*spatial), and the healthy void."""
    scans = {name: load_scan(next(folder.glob(f"*-{name}.nii*"))) for name in ("t1n-voided", "mask", "t1n", "t2f")}
    voided, mask, truth, flair = (as_array(scan)[0] for scan in scans.values())
    parts, count = ndimage.label(mask > 0)
    large = sorted(range(1, count + 1), key=lambda part: -int((parts == part).sum()))[:2]
    healthy = parts == min(large, key=lambda part: float(np.median(flair[parts == part])))
    host = np.where(mask > 0, 0, voided)
    return {
        "host": host,
        "truth": truth,
        "void": healthy,
        "known": host != 0,
        "other": (mask > 0) & ~healthy,
        "affine": as_array(scans["t1n"].affine),
    }


def ways(case: dict[str, Any]) -> dict[str, Callable[[], np.ndarray]]:
    """What fills the void, of the host without either void."""
    host, void, known = case["host"], case["void"], case["known"]
    plane = estimate_symmetry(np.where(void | case["other"], np.median(host[known]), host)[None], case["affine"])
    mirrored, valid, _ = anatomical_mirror(host[None], case["affine"], symmetry=plane)
    usable = valid & (as_array(anatomical_mirror(known[None], case["affine"], symmetry=plane, mode="nearest").image)[0])
    head = (known | void | case["other"])[None]
    brain = void & (as_array(anatomical_mirror(head, case["affine"], symmetry=plane, mode="nearest").image)[0])

    def matched(source: np.ndarray, free: np.ndarray, fill: np.ndarray = brain, **options: Any) -> np.ndarray:
        where = {"head": known | fill, "ill": void | case["other"], "usable": free}
        return MatchedFill(unusable=0.2, **options)(host, source, fill, **where)

    return {
        "Laplace": lambda: poisson_blend(host, np.zeros_like(host), brain, valid=known),
        "biharmonic": lambda: biharmonic(host, brain, valid=known),
        "Poisson-corrected mirror": lambda: poisson_blend(host, mirrored[0], brain, valid=known),
        "matched mirror": lambda: matched(mirrored[0], usable),
        "matched mirror, also beyond the brain": lambda: matched(mirrored[0], usable, void),
        "matched mirror, all structure, texture as it is": lambda: matched(
            mirrored[0], usable, structure=1.0, texture=0.0
        ),
        "matched mirror, only structure that fits": lambda: matched(mirrored[0], usable, **SMOOTH),
        "matched nearby": lambda: matched(host, known, reach_mm=30.0),
    }


def scores(image: np.ndarray, truth: np.ndarray, void: np.ndarray) -> dict[str, float]:
    """The challenge's measures, in the void and in that part of it which is brain; arrays of one shape."""
    low, high = np.percentile(np.where(void, 0, truth), [0.5, 99.5])
    near = bounding_box(void, [_WIDTH] * void.ndim)
    made, real = (np.where(void, np.clip((part - low) / (high - low), 0, 1), 0)[near] for part in (image, truth))
    tensors = [torch.from_numpy(np.pad(part, _WIDTH // 2, mode="reflect"))[None, None] for part in (made, real)]
    alike = compute_ssim_and_cs(*tensors, spatial_dims=3, kernel_size=[_WIDTH] * 3, kernel_sigma=[1.5] * 3)[0][0, 0]
    found = {}
    for name, where in {"": void[near], " in the brain": (void & (truth != 0))[near]}.items():
        error = float(((made - real)[where] ** 2).mean())
        found |= {f"PSNR{name}, dB": -10 * np.log10(error), f"SSIM{name}": float(alike.numpy()[where].mean())}
        found |= {} if name else {"MSE": error}
    return found


def main() -> None:
    """Fill, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--save", type=Path, metavar="FILE", help="also keep the filled volumes, as .npz")
    given = parser.parse_args()
    case, rows, kept = read(given.folder), [], {}
    truth, void = case["truth"][None], case["void"][None]
    for name, fill in ways(case).items():
        begin = time.process_time()
        try:
            image = np.where(void, fill()[None], truth)
        except NoPlaceError as reason:
            print(f"{name}: {reason}")
            continue
        seconds, where = time.process_time() - begin, case["other"][None]
        kept[name] = image[0].astype(np.float32)
        rows.append(
            {
                "method": name,
                **scores(image[0], truth[0], void[0]),
                "texture": texture(image, void, exclude=where),
                "seam": seam(image, void, along=(0, 1), exclude=where),
                "seam through": seam(image, void, along=2, exclude=where),
                "seconds": seconds,
            }
        )
        print(rows[-1], flush=True)
    print(table(rows))
    if given.save:
        np.savez_compressed(given.save, **kept)


if __name__ == "__main__":
    main()
