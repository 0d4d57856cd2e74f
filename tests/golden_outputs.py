"""Records what users get, so that a change of the code's structure can show that nothing else changed.

Use, from the project's root::

    python tests/golden_outputs.py --save before.txt                  # on the old code
    python tests/golden_outputs.py --check before.txt                 # on the new code: exit code 1 if anything differs
    python tests/golden_outputs.py --check before.txt --only remove,paste
    python tests/golden_outputs.py --keep /tmp/new --only remove      # keeps the files, to look at what differs

It runs all commands but ``demo``, both bundles and the random transforms on the packaged scan and on small volumes made
of it, with trainings of a few iterations, fixed seeds and one thread (about 85 seconds of CPU), and prints
``sha256  part/case/file`` for every file, sorted.
``--save`` with ``--only`` records these parts anew and leaves the other lines of the file. The numbers hang on the
machine and on the versions of the libraries: compare on one machine, and commit no record.

What is hashed, so that it says the same in every run:

- NIfTI: the uncompressed bytes, header and all; PNG and GIF: size, mode and pixels of all frames; arrays: the file.
- ``.pt``: types, shapes and values of what ``torch.load(weights_only=True)`` gives, without the package's version.
- JSON: values with sorted keys, without ``versions``, ``version`` and ``seconds*``; CSV: without the column
  ``versions``.
- HTML and what a command prints (``printed.txt``, the standard output and the exit code): times in seconds, the
  temporary folder and the hash of what hangs on its name are replaced. In ``reproduce`` the clock stands still, as its
  tables tell minutes. Of an error its type and sentence are recorded, and its traceback is shown.
- Left out: PDF (dated), TensorBoard's events, and what begins with a dot (the state of a run).
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    CUDA_VISIBLE_DEVICES="",
    MPLBACKEND="Agg",
    ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS="1",
)

import argparse
import csv
import gzip
import hashlib
import inspect
import io
import json
import logging
import random
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this code, not another that is installed

import fire
import monai.bundle
import nibabel as nib
import numpy as np
import torch
from click.testing import CliRunner
from conftest import save_random_inception
from monai.data import MetaTensor
from PIL import Image, ImageSequence

from monai_consingan.cli import main as command_line
from monai_consingan.data import bundle_folder, example, load_label, load_scan

METHODS = (*("tissue", "tissue-consingan", "consingan", "consingan-band", "poisson", "crossfade", "feather", "naive"),)
FILLINGS = ("matched_mirror", "matched_nearby", "moved_mirror", "poisson_mirror", "mirror", "flipud", "biharmonic")
BLENDS = ("tissue", "poisson", "crossfade", "feather", "hard")
TINY = ("--stages", 2, "--iterations", 2, "--channels", 4)
"""A training of a second."""
CROPS = ("--crops", 1, "--side", 48)

SCAN, LABEL = example().image, example().label
DONOR = ("--donor", SCAN, "--donor-label", LABEL)
ONE_SLICE = ("--host", SCAN, *DONOR, "--donor-slice", 4, "--host-slice", 6)
ILL = ("--image", SCAN, "--label", LABEL)

CHANGING = re.compile(r"versions?|seconds\w*")
SECONDS = re.compile(r"\b\d+(?:\.\d+)?(?= s\b)")
RUN = re.compile(r'"run": "[0-9a-f]{64}"')


class Recorder:
    """Runs the cases of a part, each in a folder of its own.

    Args:
        root: folder of all parts, which holds ``data``.
        part: the part's name.
    """

    def __init__(self, root: Path, part: str) -> None:
        self.root = root
        self.data = root / "data"
        self.folder = root / part

    def out(self, case: str) -> Path:
        """Folder of a case's results."""
        return self.folder / case

    def command(self, case: str, name: str, *args: Any, output: Path | None = None) -> Path:
        """Run a command of the command line; gives the folder of its results."""
        out = output or self.out(case)
        words = [name, *map(str, args), *(() if name == "merge" else ("--output", str(out)))]
        with self._case(case) as printed:
            result = CliRunner().invoke(command_line, words)
            printed.write(f"{result.stdout}exit code {result.exit_code}\n")
            if result.exit_code:
                print(f"{self.folder.name}/{case} ends with {result.exit_code}: {result.output}", file=sys.stderr)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
        return out

    def bundle(self, case: str, *configs: Path, **options: Any) -> Path:
        """Do what ``python -m monai.bundle run`` does, in the case's folder, which it gives."""
        words = ["run", "--config_file", str([str(config) for config in configs])]
        words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        logger = logging.getLogger()
        before, here = (list(logger.handlers), logger.level), Path.cwd()
        with self._case(case), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            try:
                os.chdir(self.out(case))
                fire.Fire(monai.bundle, command=words)
            finally:
                os.chdir(here)
                logger.handlers[:], logger.level = before
        return self.out(case)

    def items(self, case: str, make: Callable[[], Mapping[str, Any]]) -> None:
        """Keep all arrays and numbers of a dictionary, and the affines of those that have one."""
        with self._case(case):
            for key, value in make().items():
                if isinstance(value, MetaTensor):
                    np.save(self.out(case) / f"{key}-affine.npy", np.asarray(value.affine))
                np.save(self.out(case) / f"{key}.npy", np.asarray(value))

    @contextmanager
    def _case(self, case: str) -> Iterator[io.StringIO]:
        """Seeds, folder and errors of a case, and what it prints."""
        self.out(case).mkdir(parents=True, exist_ok=True)
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        printed = io.StringIO()
        try:
            yield printed
        except Exception as error:
            traceback.print_exc()
            printed.write(f"{type(error).__name__}: {error}\n")
        if printed.getvalue():
            (self.out(case) / "printed.txt").write_text(printed.getvalue(), encoding="utf-8")


def harmonize(run: Recorder) -> None:
    """Every method on a slice; whole lesions, models that are there already, and pictures."""
    for method in METHODS:
        redrawn = TINY if "consingan" in method else ()
        run.command(method, "harmonize", *ONE_SLICE, "--method", method, *redrawn)
    half = ("--host", run.data / "image1.nii.gz", "--host-label", run.data / "label1.nii.gz")
    half += ("--donor", run.data / "image0.nii.gz", "--donor-label", run.data / "label0.nii.gz")
    run.command("volume", "harmonize", *half, "--seed", 3)
    run.command("volume-redrawn", "harmonize", *half, "--method", "consingan-band", *TINY)
    run.command("at", "harmonize", "--host", SCAN, *DONOR, "--donor-slice", 4, "--at", 60, 120, 7, "--match", "none")
    model = run.out("tissue-consingan")
    run.command("model", "harmonize", *ONE_SLICE, "--model", model, "--offset", 5, -15, "--composite", "whole")
    run.command("start", "harmonize", *ONE_SLICE, "--start", model, "--iterations", 1, "--level", 0)
    for again in (1, 2):
        run.command(f"bank-{again}", "harmonize", *ONE_SLICE, "--bank", run.out("bank"), *TINY, "--settle", 0.05)
    slices = ("--region", "slice", "--max-size", 64, "--plain")
    run.command("slice", "harmonize", *ONE_SLICE, "--method", "consingan", *TINY, *slices)
    pictures = {name: run.data / f"{name}.png" for name in ("host", "donor", "donor-label")}
    given = [word for name, path in pictures.items() for word in (f"--{name}", path)]
    run.command("png", "harmonize", *given)
    run.command("png-redrawn", "harmonize", *given, *TINY)


def remove(run: Recorder) -> None:
    """Every filling of a slice; a whole lesion, redrawn ones, and a picture."""
    for method in FILLINGS:
        run.command(method, "remove", *ILL, "--slice", 4, "--method", method)
    run.command("centre", "remove", *ILL, "--slice", 2, "--symmetry", "centre", "--margin", 3)
    half = ("--image", run.data / "image1.nii.gz", "--label", run.data / "label1.nii.gz")
    run.command("volume", "remove", *half)
    run.command("volume-redrawn", "remove", *half, *TINY, "--train-on", "image")
    run.command("redrawn", "remove", *ILL, "--slice", 4, *TINY)
    run.command("model", "remove", *ILL, "--slice", 3, "--model", run.out("redrawn"), "--composite", "whole")
    run.command("png", "remove", "--image", run.data / "donor.png", "--label", run.data / "donor-label.png")


def paste(run: Recorder) -> None:
    """A slice, a whole lesion, and a chosen place."""
    run.command("slice", "paste", *ONE_SLICE)
    half = ("--donor", run.data / "image0.nii.gz", "--donor-label", run.data / "label0.nii.gz")
    run.command("volume", "paste", "--host", run.data / "image1.nii.gz", *half, "--match", "mean_std", "--seed", 5)
    run.command("at", "paste", "--host", SCAN, *DONOR, "--donor-slice", 4, "--at", 60, 120, 7)


def train(run: Recorder) -> None:
    """All tasks but those of ``sample``, whole slices, fine tuning, and what is finished already."""
    for task in ("harmonization", "editing"):
        run.command(task, "train", SCAN, "--task", task, "--slice", 6, "--slice", 8, *TINY)
    run.command(
        "harmonization", "train", SCAN, "--task", "harmonization", "--slice", 6, "--slice", 8, *TINY, "--resume"
    )
    whole = ("--region", "slice", "--max-size", 64, "--precision", "float32", "--discriminator-steps", 1)
    run.command("slices", "train", run.data / "image0.nii.gz", "--task", "editing", *whole, *TINY)
    run.command("model", "train", SCAN, "--task", "harmonization", "--slice", 7, "--model", run.out("harmonization"))
    png = (run.data / "host.png", "--task", "harmonization", *TINY)
    run.command("png", "train", *png)
    tuned = ("--model", run.out("png"), "--fine-tune", run.data / "naive.png", "--iterations", 1)
    run.command("tuned", "train", run.data / "host.png", "--task", "harmonization", *tuned)


def sample(run: Recorder) -> None:
    """Models of the tasks that images are drawn from, and images and animations of them."""
    size = ("--max-size", 96)
    for task in ("generation", "retarget", "animation"):
        run.command(task, "train", SCAN, "--task", task, "--slice", 6, *size, *TINY)
    run.command("images", "sample", run.out("generation"), "--count", 2, "--seed", 1)
    run.command("larger", "sample", run.out("generation"), "--count", 1, "--scale", 1.3)
    run.command("wide", "sample", run.out("retarget"), "--count", 1, "--size", 60, 110)
    run.command("moving", "sample", run.out("animation"), "--frames", 3)
    run.command("still", "sample", run.out("animation"), "--still", "--count", 1)


def augment(run: Recorder) -> None:
    """The three kinds of data sets, without and with models, and in shards."""
    lesions = ("--per-scan", 1, "--lesions", "1,2")
    run.command("datalist", "augment", run.data / "list.json", *lesions)
    chosen = ("--method", "poisson", "--sizes", "small=2,medium=1", "--location", "uniform", "--on-failure", "naive")
    turned = ("--flip", 1, "--rotate", 20, "--scale", 0.7, 0.9, "--seam-margin", 2, "--match", "mean_std")
    run.command("chosen", "augment", run.data / "pair.json", *lesions, *chosen, *turned, "--seed", 4)
    for shard in ("1/2", "2/2"):
        output = run.out("merged")
        run.command(f"shard-{shard[0]}", "augment", run.data / "pair.json", *lesions, "--shard", shard, output=output)
    run.command("merge", "merge", run.out("merged"))
    for method in ("tissue-consingan", "consingan"):
        loose = ("--seam-margin", 1000, "--contrast", 0.01, 100)
        run.command(method, "augment", run.data / "pair.json", *lesions, "--method", method, *loose, *CROPS, *TINY)
    run.command("nnunet", "augment", run.data / "nnunet", *lesions)
    run.command("bids", "augment", run.data / "bids", *lesions)


def twins(run: Recorder) -> None:
    """Lesion-free twins, without and with models."""
    run.command("datalist", "twins", run.data / "pair.json")
    loose = ("--most-contrast", 1000, "--most-seam", 1000)
    for filling in ("mirror", "biharmonic"):
        run.command(filling, "twins", run.data / "pair.json", "--filling", filling, *loose, "--margin", 2)
    run.command("consingan", "twins", run.data / "pair.json", *loose, *CROPS, *TINY)
    run.command("nnunet", "twins", run.data / "nnunet", *loose)
    run.command("bids", "twins", run.data / "bids", *loose)


def bundles(run: Recorder) -> None:
    """Training, inference and evaluation of both bundles, and trainings with overlays."""
    tiny = {"stages": 2, "iterations": 2, "channels": 4, "device": "cpu"}
    published = {**tiny, "iterations": 1, "channels": 2, "max_size": 64, "min_size": 25}
    for task in ("harmonization", "editing"):
        configs = bundle_folder(f"consingan_{task}") / "configs"
        trained = run.bundle(f"{task}-train", configs / "train.json", **tiny)
        model = {"ckpt_path": trained / "runs" / f"consingan_{task}" / "model.pt", "device": "cpu"}
        run.bundle(f"{task}-inference", configs / "inference.json", **model)
        run.bundle(f"{task}-evaluate", configs / "inference.json", configs / "evaluate.json", **model)
        run.bundle(f"{task}-shipped", configs / "inference.json", device="cpu")
        overlay = (configs / "train.json", configs / "slices.json")
        run.bundle(f"{task}-slices", *overlay, **tiny, region="slice", max_size=64)
        run.bundle(f"{task}-published", configs / "train.json", configs / "paper_2.json", **published)


def given_models(transform: type, models: Any) -> dict[str, Any]:
    """The argument by which a random transform is handed its models, whose name has changed once."""
    return {"models" if "models" in inspect.signature(transform).parameters else "bank": models}


def random_transforms(run: Recorder) -> None:
    """Transforms of a training pipeline with fixed seeds, and the banks of models that they use."""
    from monai_consingan import transforms as t
    from monai_consingan.workflows import HostModels, TrainingSettings, prepare_bank

    image, label = load_scan(run.data / "image0.nii.gz"), None
    label = load_label(run.data / "label0.nii.gz", image=image)
    host = load_scan(run.data / "image2.nii.gz")
    host_label = load_label(run.data / "label2.nii.gz", image=host)
    donors, item = [{"image": image, "label": label}], {"image": host, "label": host_label}
    flat_donors = [tuple(np.asarray(part)[..., 2] for part in (image, label))]

    def drawn(transform: Any, data: Mapping[str, Any] = item) -> Callable[[], Mapping[str, Any]]:
        return lambda: dict(transform.set_random_state(seed=11)(dict(data)))

    for blend in BLENDS:
        paste = t.RandPasteLesiond("image", donors=donors, number=2, blend=blend, axis=2)
        run.items(f"paste-{blend}", drawn(paste))
    flat = {"image": np.asarray(host)[..., 7], "label": np.asarray(host_label)[..., 7]}
    flat_paste = t.RandPasteLesiond("image", donors=flat_donors, match="mean_std", spacing=1.9, rotate_range=10)
    run.items("paste-2d", drawn(flat_paste, flat))
    run.items("blobs", drawn(t.RandLesionBlobd(["image"]), flat))
    run.items("tiles", drawn(t.RandShuffleTilesd(["image", "label"]), flat))
    for method in FILLINGS:
        options = {"methods": method, "symmetry": "estimate", "method_key": None, "axis": 2}
        run.items(f"remove-{method}", lambda options=options: t.RemoveLesiond("image", **options)(dict(item)))

    for task in ("harmonization", "editing"):
        settings = TrainingSettings(task, stages=2, iterations=2, channels=4)
        bank = run.out(f"bank-{task}")
        with run._case(f"bank-{task}"):
            prepare_bank([item], bank, task, settings, crops=2, side=96, axis=2)
        models = HostModels(bank, task, settings, crops=2, side=96, axis=2)
        if task == "editing":
            given = given_models(t.RandLesionRemoval, models)
            run.items("removal", drawn(t.RandLesionRemovald(["image", "label"], axis=2, **given)))
            other = {"image": image, "label": label}
            removal = t.RandLesionRemovald(["image", "label"], axis=2, methods="mirror", **given)
            run.items("removal-no-model", drawn(removal, other))
            continue
        given = given_models(t.RandLesion, models)
        for method in ("tissue-consingan", "consingan-band", "consingan"):
            lesion = t.RandLesiond(["image", "label"], donors=donors, number=2, method=method, axis=2, **given)
            run.items(f"lesion-{method}", drawn(lesion))
        lesion = t.RandLesiond(["image", "label"], donors=donors, fallback="poisson", axis=2, **given)
        run.items("lesion-no-model", drawn(lesion, {"image": image, "label": label}))


def evaluate(run: Recorder) -> None:
    """Results one by one, with and without their originals, and sets of images."""
    results, half = run.out("results"), ("--host", run.data / "image1.nii.gz")
    half += ("--donor", run.data / "image0.nii.gz", "--donor-label", run.data / "label0.nii.gz")
    run.command("results/inserted", "harmonize", *half)
    run.command("results/pasted", "paste", *half)
    run.command(
        "results/removed", "remove", "--image", run.data / "image1.nii.gz", "--label", run.data / "label1.nii.gz"
    )
    run.command("each", "evaluate", "--results", results)
    run.command("originals", "evaluate", "--results", results, "--originals", run.data)
    weights = save_random_inception(run.data / "inception.pth")
    sets = (run.data / "image0.nii.gz", results, "--inception", weights, "--dims", 64, "--max-slices", 8)
    run.command("sets", "evaluate", *sets, "--seed", 2)


def reproduce(run: Recorder) -> None:
    """Two of the published experiments, each in short."""
    folder = run.data / "published" / "patient"
    folder.mkdir(parents=True)
    (folder / "t1c.nii.gz").write_bytes(SCAN.read_bytes())
    label = nib.load(LABEL)
    nib.save(nib.Nifti1Image(11 * np.asarray(label.dataobj), label.affine), folder / "mask.nii.gz")
    weights = save_random_inception(run.data / "inception.pth")
    short = ("--settings", "harmonization-2,editing-2", "--slices", 1, "--iterations", 1, "--channels", 2)
    with mock.patch("time.perf_counter", return_value=0.0):  # the tables hold the minutes of the trainings
        run.command("short", "reproduce", folder.parent, *short, "--inception", weights, "--dims", 64)


PARTS: dict[str, Callable[[Recorder], None]] = {
    **{part.__name__: part for part in (harmonize, remove, paste, train, sample, augment, twins, bundles, evaluate)},
    "random": random_transforms,
    "reproduce": reproduce,
}


def make_data(folder: Path) -> None:
    """Small scans made of the packaged one, by themselves, in two datalists, for nnU-Net and as BIDS; and pictures."""
    scan, outline = nib.load(SCAN), nib.load(LABEL)
    large = [np.asarray(part.dataobj) for part in (scan, outline)]
    folder.mkdir()
    image, label = (part[::2, ::2] for part in large)
    affine = scan.affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    rng = np.random.default_rng(0)
    nnunet, bids = folder / "nnunet", folder / "bids"
    for number in range(4):
        made = (1 + 0.1 * number) * image + rng.normal(0, 0.01 * image.max(), image.shape)
        step = -1 if number % 2 else 1
        values = np.ascontiguousarray(np.clip(made, 0, None).astype(np.int16)[::step])
        subject = f"sub-{number:02d}"
        mask = f"derivatives/seg/{subject}/anat/{subject}_label-lesion_mask.nii.gz"
        places = {
            "image": [folder / f"image{number}.nii.gz"],
            "label": [folder / f"label{number}.nii.gz"],
        }
        places["image"].append(nnunet / f"imagesTr/case{number}_0000.nii.gz")
        places["label"].append(nnunet / f"labelsTr/case{number}.nii.gz")
        if number < 2:
            places["image"].append(bids / f"{subject}/anat/{subject}_ce-GADOLINIUM_T1w.nii.gz")
            places["label"].append(bids / mask)
        for name, array in (("image", values), ("label", np.ascontiguousarray(label[::step]))):
            for path in places[name]:
                path.parent.mkdir(parents=True, exist_ok=True)
                nib.save(nib.Nifti1Image(array, affine), path)
    pairs = [
        {"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz", "fold": number // 2} for number in range(4)
    ]
    _write(folder / "list.json", {"name": "small", "training": pairs[:3], "validation": [{**pairs[3], "fold": 1}]})
    _write(folder / "pair.json", {"training": pairs[:2], "test": ["image3.nii.gz"]})
    table = "participant_id\tsplit\tfold\nsub-00\ttraining\t0\nsub-01\ttraining\t0\n"
    (bids / "participants.tsv").write_text(table, encoding="utf-8")
    head = {"channel_names": {"0": "T1c"}, "labels": {"background": 0, "tumour": 1}, "file_ending": ".nii.gz"}
    _write(nnunet / "dataset.json", {**head, "numTraining": 4})
    _write(
        nnunet / "splits_final.json",
        [
            {"train": ["case2", "case3"], "val": ["case0", "case1"]},
            {"train": ["case0", "case1"], "val": ["case2", "case3"]},
        ],
    )
    _write(bids / "dataset_description.json", {"Name": "small", "BIDSVersion": "1.9.0"})
    host, donor, outline = large[0][:, :, 6], large[0][:, :, 4], large[1][:, :, 4]
    naive = np.where(outline > 0, donor, host)
    for name, picture in (("host", host), ("donor", donor), ("naive", naive)):
        Image.fromarray((255 * (picture / large[0].max())).astype(np.uint8)).save(folder / f"{name}.png")
    Image.fromarray(outline.astype(np.uint8)).save(folder / "donor-label.png")


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def record(root: Path, parts: list[str]) -> dict[str, str]:
    """Run parts; gives the SHA-256 of every file by its name."""
    make_data(root / "data")
    for part in parts:
        begin, cpu = time.perf_counter(), time.process_time()
        PARTS[part](Recorder(root, part))
        spent = f"{time.perf_counter() - begin:.0f} s, {time.process_time() - cpu:.0f} s of CPU"
        print(f"{part}: {spent}", file=sys.stderr)
    files = [path for part in parts for path in (root / part).rglob("*") if path.is_file()]
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {name: digest(path, root) for name, path in sorted(names.items()) if not _left_out(name)}


def _left_out(name: str) -> bool:
    *folders, file = name.split("/")
    hidden = any(folder.startswith(".") for folder in (*folders, file))
    return hidden or file.endswith(".pdf") or ".tfevents." in file


def digest(path: Path, root: Path) -> str:
    """SHA-256 of what a file says."""
    data = path.read_bytes()
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix

    def text() -> str:
        return data.decode().replace(str(root), "ROOT")

    if suffix == ".nii.gz":
        data = gzip.decompress(data)
    elif suffix == ".json":
        data = json.dumps(_plain(json.loads(text())), sort_keys=True).encode()
    elif suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(text())))
        data = json.dumps(_plain(rows)).encode() if rows and "versions" in rows[0] else text().encode()
    elif suffix in (".html", ".txt"):
        data = RUN.sub("", SECONDS.sub("N", text())).encode()
    elif suffix in (".png", ".gif"):
        with Image.open(path) as image:
            frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
        data = b"".join(f"{frame.size}{frame.mode}".encode() + frame.tobytes() for frame in frames)
    elif suffix == ".pt":
        data = _tensors(torch.load(path, map_location="cpu", weights_only=True)).encode()
    return hashlib.sha256(data).hexdigest()


def _plain(value: Any) -> Any:
    """JSON without what changes from run to run."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not CHANGING.fullmatch(key)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _tensors(value: Any) -> str:
    """A text that tells a state's values from all others."""
    if isinstance(value, dict):
        return str({str(key): _tensors(item) for key, item in value.items() if not CHANGING.fullmatch(str(key))})
    if isinstance(value, (list, tuple)):
        return str([_tensors(item) for item in value])
    if isinstance(value, torch.Tensor):
        values = value.contiguous().view(torch.uint8).numpy() if value.ndim else value.numpy()
        return f"{value.dtype}{tuple(value.shape)}{hashlib.sha256(values.tobytes()).hexdigest()}"
    return repr(value)


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """One line for each file that is not as it was."""
    kinds = {"differs": before.keys() & after.keys(), "missing": before.keys() - after.keys()}
    kinds["new"] = after.keys() - before.keys()
    return [
        f"{kind:<8}{name}"
        for kind, names in kinds.items()
        for name in sorted(names)
        if before.get(name) != after.get(name)
    ]


def read(path: Path) -> dict[str, str]:
    """The lines of a record: SHA-256 by name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}


def main() -> int:
    """Record, and save or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the record")
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare with this record")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder to work in, which stays")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    before = read(options.check) if options.check else {}
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.keep or temporary).resolve()
        root.mkdir(parents=True, exist_ok=True)
        found = record(root, parts)
    print("\n".join(f"{sha256}  {name}" for name, sha256 in found.items()))
    if options.save:
        kept = read(options.save) if options.save.exists() else {}
        kept = {name: sha256 for name, sha256 in kept.items() if name.split("/")[0] not in parts}
        lines = [f"{sha256}  {name}\n" for name, sha256 in sorted((kept | found).items())]
        options.save.write_text("".join(lines), encoding="utf-8")
    if options.check:
        changed = compare({name: value for name, value in before.items() if name.split("/")[0] in parts}, found)
        print("\n".join(changed) or f"all {len(found)} files are as they were", file=sys.stderr)
        return 1 if changed else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
