"""The case of the BraTS challenge on inpainting: its healthy void filled, and measured as the challenge does.

``python benchmarks/inpainting.py FOLDER``, with files ``*-t1n-voided.nii.gz``, ``*-mask.nii.gz``, ``*-t1n.nii.gz`` and
``*-t2f.nii.gz``. Of the mask's two large parts the one that is darker in t2f is healthy, and so has a truth; the other
is the tumour's, and voided too. Intensities from the 0.5 to the 99.5 percentile are 0 to 1; PSNR and MSE are those of
the void's voxels, SSIM is averaged over them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measure import table
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.data import load_scan
from monai_consingan.errors import NoPlaceError
from monai_consingan.metrics import seam, texture, tissue_agreement
from monai_consingan.transforms import MatchedFill, anatomical_mirror, biharmonic, poisson_blend
from monai_consingan.transforms.removal.symmetry import estimate_symmetry

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
    median = np.where(known | void, host, 0)
    plane = estimate_symmetry(np.where(void | case["other"], np.median(host[known]), median)[None], case["affine"])
    mirrored, valid, _ = anatomical_mirror(host[None], case["affine"], symmetry=plane)
    usable = valid & (as_array(anatomical_mirror(known[None], case["affine"], symmetry=plane, mode="nearest").image)[0])
    head = known | void

    def matched(source: np.ndarray, free: np.ndarray, **options: Any) -> np.ndarray:
        where = {"head": head, "ill": void | case["other"], "usable": free}
        return MatchedFill(unusable=0.2, **options)(host, source, void, **where)

    return {
        "Laplace": lambda: poisson_blend(host, np.zeros_like(host), void, valid=known),
        "biharmonic": lambda: biharmonic(host, void, valid=known),
        "Poisson-corrected mirror": lambda: poisson_blend(host, mirrored[0], void, valid=known),
        "matched mirror": lambda: matched(mirrored[0], usable),
        "matched mirror, all structure, texture as it is": lambda: matched(
            mirrored[0], usable, structure=1.0, texture=0.0
        ),
        "matched mirror, only structure that fits": lambda: matched(mirrored[0], usable, **SMOOTH),
        "matched nearby": lambda: matched(host, known, reach_mm=30.0),
    }


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
        seconds, found, where = time.process_time() - begin, tissue_agreement(image, truth, void), case["other"][None]
        kept[name] = image[0].astype(np.float32)
        rows.append(
            {
                "method": name,
                "PSNR, dB": found.psnr,
                "SSIM": found.ssim,
                "MSE": found.mse,
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
