"""Scans, data sets and hostile files for ``benchmarks/trust.py``, made of nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

SHAPE = (56, 64, 6)
AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


def head(random: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """A round head of textured tissue with a bright ball in it, and the ball's label."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    texture = ndimage.gaussian_filter(random.standard_normal(shape), 1)
    tissue = 500 + 50 * texture / texture.std() + 60 * grid[0]
    middle = np.array([random.uniform(-0.3, 0.3) * n / 2 + n / 2 for n in shape])
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) - middle
    ball = (np.square(voxels[..., :2]).sum(-1) < 16) & (np.abs(voxels[..., 2:]) < 1.6).all(-1)
    inside = np.hypot(grid[0], grid[1]) < 0.9
    return np.where(inside, np.where(ball, tissue * 1.7, tissue), 4), ball.astype(np.uint8)


def write_pair(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """A scan and its label as NIfTI."""
    folder.mkdir(parents=True, exist_ok=True)
    image, label = head(np.random.default_rng(seed))
    nib.save(nib.Nifti1Image(image.astype(np.int16), AFFINE), folder / f"scan{seed}.nii.gz")
    nib.save(nib.Nifti1Image(label, AFFINE), folder / f"label{seed}.nii.gz")
    return folder / f"scan{seed}.nii.gz", folder / f"label{seed}.nii.gz"


def write_data_set(folder: Path, scans: int = 3) -> Path:
    """A datalist of such scans."""
    pairs = [write_pair(folder, seed) for seed in range(scans)]
    entries = [{"image": image.name, "label": label.name} for image, label in pairs]
    (folder / "datalist.json").write_text(json.dumps({"training": entries}))
    return folder / "datalist.json"


def _bytes(change: Callable[[bytes, np.random.Generator], bytes], name: str) -> Callable[..., Path]:
    def make(folder: Path, source: Path, random: np.random.Generator) -> Path:
        (folder / name).write_bytes(change(source.read_bytes(), random))
        return folder / name

    return make


def _cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: int(random.integers(0, len(data)))]


def _flipped(data: bytes, random: np.random.Generator) -> bytes:
    raw = bytearray(gzip.compress(gzip.decompress(data), 0))
    raw[int(random.integers(400, len(raw) - 9))] ^= 1 << int(random.integers(8))
    return bytes(raw)


def _values(
    change: Callable[[np.ndarray], np.ndarray], name: str = "x.nii.gz", affine: np.ndarray = AFFINE
) -> Callable[..., Path]:
    def make(folder: Path, source: Path, random: np.random.Generator) -> Path:
        nib.save(nib.Nifti1Image(change(np.asarray(nib.load(source).dataobj, np.float64)), affine), folder / name)
        return folder / name

    return make


def _listed(content: Callable[[np.random.Generator], bytes]) -> Callable[..., Path]:
    def make(folder: Path, source: Path, random: np.random.Generator) -> Path:
        (folder / "list.json").write_bytes(content(random))
        return folder / "list.json"

    return make


def _link(folder: Path, source: Path, random: np.random.Generator) -> Path:
    (folder / "link.nii.gz").symlink_to(folder / "gone.nii.gz")
    return folder / "link.nii.gz"


def _table(content: bytes) -> Callable[..., Path]:
    def make(folder: Path, source: Path, random: np.random.Generator) -> Path:
        place = folder / "bids/sub-01/anat"
        place.mkdir(parents=True)
        (place / "sub-01_T1w.nii.gz").write_bytes(source.read_bytes())
        (folder / "bids/participants.tsv").write_bytes(content)
        return folder / "bids"

    return make


def _nnunet(head: Any) -> Callable[..., Path]:
    def make(folder: Path, source: Path, random: np.random.Generator) -> Path:
        (folder / "nnunet/imagesTr").mkdir(parents=True)
        (folder / "nnunet/dataset.json").write_text(json.dumps(head))
        return folder / "nnunet"

    return make


HOSTILE: dict[str, tuple[str, Callable[..., Path]]] = {
    "cut .nii.gz": ("image", _bytes(_cut, "x.nii.gz")),
    "flipped bit in .nii.gz": ("image", _bytes(_flipped, "x.nii.gz")),
    "bytes behind .nii.gz": ("image", _bytes(lambda data, random: data + random.bytes(50), "x.nii.gz")),
    ".nii.gz called .nii": ("image", _bytes(lambda data, random: data, "x.nii")),
    "voxels in metres": ("image", _values(lambda a: a, affine=np.diag([0.002, 0.002, 0.005, 1.0]))),
    "noise as .nii.gz": ("image", _bytes(lambda data, random: random.bytes(3000), "x.nii.gz")),
    "noise as .nrrd": ("image", _bytes(lambda data, random: random.bytes(3000), "x.nrrd")),
    "noise as .mha": ("image", _bytes(lambda data, random: random.bytes(3000), "x.mha")),
    "noise as .dcm": ("image", _bytes(lambda data, random: random.bytes(3000), "x.dcm")),
    "noise as .png": ("image", _bytes(lambda data, random: random.bytes(3000), "x.png")),
    "noise behind DICOM's mark": ("image", _bytes(lambda _, random: bytes(128) + b"DICM" + random.bytes(900), "x")),
    "dangling link": ("image", _link),
    "NaN": ("image", _values(lambda a: np.where(a > 600, np.nan, a))),
    "infinite": ("image", _values(lambda a: np.where(a > 600, -np.inf, a))),
    "1e38": ("image", _values(lambda a: a * 1e35)),
    "1e300": ("image", _values(lambda a: a * 1e297)),
    "1e-40": ("image", _values(lambda a: a * 1e-43)),
    "constant": ("image", _values(np.ones_like)),
    "5D": ("image", _values(lambda a: np.stack([np.stack([a, a], -1)] * 2, -1))),
    "complex": ("image", _values(lambda a: a * (1 + 1j))),
    "label of fractions": ("label", _values(lambda a: (a > 700) * 0.4)),
    "negative label": ("label", _values(lambda a: (a > 700) * -1.0)),
    "label all over": ("label", _values(np.ones_like)),
    "label somewhere else": ("label", _values(lambda a: (a > 700) * 1.0, affine=AFFINE + np.eye(4, k=3) * 40)),
    "label of another shape": ("label", _values(lambda a: (a > 700)[:-1] * 1.0)),
    "empty label": ("label", _values(lambda a: a * 0)),
    "cut label": ("label", _bytes(_cut, "x.nii.gz")),
    "noise as a model": ("model", _bytes(lambda data, random: random.bytes(3000), "x.pt")),
    "deep list": ("data set", _listed(lambda _: b"[" * 100_000)),
    "list in Latin-1": ("data set", _listed(lambda _: '{"training": [{"image": "Müller"}]}'.encode("latin-1"))),
    "list of noise": ("data set", _listed(lambda random: random.bytes(200))),
    "scan in two folds": (
        "data set",
        _listed(lambda _: b'{"training": [{"image": "a.nii", "fold": 0}, {"image": "a.nii", "fold": 1}]}'),
    ),
    "list of numbers": ("data set", _listed(lambda _: b'{"training": [1, 2]}')),
    "image that is a number": ("data set", _listed(lambda _: b'{"training": [{"image": 5}]}')),
    "table of noise": ("data set", _table(np.random.default_rng(0).bytes(200))),
    "empty table": ("data set", _table(b"")),
    "table with commas": ("data set", _table(b"participant_id,split\nsub-01,test\n")),
    "hostile ending": ("data set", _nnunet({"file_ending": ["*"]})),
    "hostile labels": ("data set", _nnunet({"labels": {"ignore": "all"}})),
    "hostile dataset.json": ("data set", _nnunet([[]])),
}
"""Files that must be refused, by what they are, with the role that they play."""
