"""Every bad input: one sentence that names file or argument, value and remedy, and nothing half-written."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError, ConSinGANWarning

Scan = tuple[np.ndarray, np.ndarray]
AFFINE = nib.load(example().image).affine
SMALL = ["--stages", "2", "--iterations", "2", "--channels", "4", "--quiet"]


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def head_of(path: Path, source: Path, count: int | None) -> Path:
    path.write_bytes(source.read_bytes()[:count])
    return path


def with_nan(array: np.ndarray) -> np.ndarray:
    result = array.astype(np.float32)
    result[5, 5, 5] = np.nan
    return result


def colours(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)).save(path)
    return path


def linked(path: Path) -> Path:
    path.symlink_to(path.name)
    return path


def text(path: Path) -> Path:
    path.write_text("no scan")
    return path


BAD_IMAGES: dict[str, tuple[Callable[[Path, Scan], Path], str]] = {
    "missing": (lambda folder, scan: folder / "none.nii.gz", "none.nii.gz"),
    "truncated": (lambda folder, scan: head_of(folder / "cut.nii.gz", example().image, 5000), "cut.nii.gz"),
    "text": (lambda folder, scan: text(folder / "text.nii"), "text.nii"),
    "unknown suffix": (lambda folder, scan: text(folder / "text.xyz"), "text.xyz"),
    "nan": (lambda folder, scan: nifti(folder / "nan.nii", with_nan(scan[0])), "NaN"),
    "constant": (lambda folder, scan: nifti(folder / "flat.nii", np.full((9, 9, 9), 7, np.int16)), "constant"),
    "complex": (lambda folder, scan: nifti(folder / "c.nii", scan[0][..., :2].astype(np.complex64)), "complex"),
    "5D": (lambda folder, scan: nifti(folder / "five.nii", np.zeros((4, 5, 2, 2, 3), np.int16)), "five.nii"),
    "RGB": (lambda folder, scan: colours(folder / "rgb.png"), "rgb.png"),
    "link to itself": (lambda folder, scan: linked(folder / "loop.nii"), "loop.nii"),
    "gzip without the suffix": (lambda folder, scan: head_of(folder / "gz.nii", example().image, None), "gz.nii"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image(refused: Any, scan: Scan, tmp_path: Path, kind: str) -> None:
    make, word = BAD_IMAGES[kind]
    path, out = make(tmp_path, scan), tmp_path / "out"
    files = example()
    said = refused("remove", "--image", path, "--label", files.label, "--slice", 4, *SMALL, out=out)
    assert word in said
    assert path.name in said
    assert "image" in said
    said = refused("paste", "--host", path, "--donor", files.image, "--donor-label", files.label, out=out)
    assert word in said
    assert "host" in said
    said = refused("train", files.image, path, "--task", "editing", "--slice", 6, *SMALL, out=out)
    assert word in said


def shifted(affine: np.ndarray) -> np.ndarray:
    moved = affine.copy()
    moved[0, 3] += 5
    return moved


BAD_LABELS: dict[str, tuple[Callable[[Path, Scan], Path], list[str]]] = {
    "missing": (lambda folder, scan: folder / "l.nii", ["does not exist"]),
    "other shape": (lambda folder, scan: nifti(folder / "l.nii", scan[1][:-1]), ["191", "192"]),
    "other affine": (lambda folder, scan: nifti(folder / "l.nii", scan[1], shifted(AFFINE)), ["affine"]),
    "empty": (lambda folder, scan: nifti(folder / "l.nii", 0 * scan[1]), ["empty|no lesion|no voxel"]),
    "all ones": (lambda folder, scan: nifti(folder / "l.nii", 0 * scan[1] + 1), ["background"]),
    "fractions": (lambda folder, scan: nifti(folder / "l.nii", scan[1] * np.float32(0.5)), ["0.5", "whole"]),
    "negative": (lambda folder, scan: nifti(folder / "l.nii", -scan[1].astype(np.int16)), ["-1"]),
}


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_bad_label(refused: Any, scan: Scan, tmp_path: Path, kind: str) -> None:
    make, words = BAD_LABELS[kind]
    path, image, out = make(tmp_path, scan), example().image, tmp_path / "out"
    for command in (
        ["remove", "--image", image, "--label", path],
        ["paste", "--host", image, "--donor", image, "--donor-label", path],
    ):
        said = refused(*command, out=out)
        assert "l.nii" in said
        for word in words:
            assert re.search(word, said), said


def test_label_value_that_is_not_there(refused: Any, insert: list[Any], tmp_path: Path) -> None:
    said = refused(*insert, "--lesion-labels", "3,4", out=tmp_path / "out")
    assert "4" in said
    assert "donor label" in said


def test_lesion_bigger_than_the_head(refused: Any, scan: Scan, tmp_path: Path) -> None:
    files, big = example(), np.zeros(scan[1].shape, np.uint8)
    big[2:-2, 2:-2, 4] = 1
    label = nifti(tmp_path / "big.nii", big)
    base = ["paste", "--host", files.image, "--donor", files.image, "--donor-label", label]
    said = refused(*base, "--donor-slice", 4, "--host-slice", 6, out=tmp_path / "out")
    assert "no place" in said.lower() or "head" in said


CHOICES: dict[str, tuple[list[Any], list[str]]] = {
    "donor slice out of range": (["--donor-slice", 10], ["donor slice is 10", "0 to 9"]),
    "negative slice": (["--host-slice", -1], ["host slice is -1", "0 to 9"]),
    "slice without lesion": (["--donor-slice", 8], ["donor slice is 8", "0, 1, 2, 3, 4, 5"]),
    "host slice with lesion": (["--host-slice", 3], ["host slice 3", "already holds a lesion", "--host-slice"]),
    "axis": (["--axis", 3], ["axis is 3", "0, 1 and 2"]),
    "outside the head": (["--at", 28, 25, 6], ["outside the head"]),
    "out of the array": (["--offset", 500, 0], ["out of the host"]),
    "two places": (["--at", 60, 120, 6, "--offset", 1, 1], ["give one of them"]),
    "too many numbers": (["--at", 1, 2, 3, 4], ["at (1, 2, 3, 4) has 4 numbers"]),
    "min size above image size": (["--min-size", 500], ["min size is 500", "at most"]),
    "one stage": (["--stages", 1], ["stages is 1", "2 or more"]),
    "below the receptive field": (["--min-size", 5], ["min size is 5", "11"]),
    "image below the receptive field": (["--max-size", 8], ["max size is 8", "patches of 11"]),
    "no iterations": (["--iterations", 0], ["iterations is 0"]),
    "settles at once": (["--settle", 1], ["settle is 1.0"]),
    "unknown precision": (["--precision", "fp8"], ["precision is 'fp8'", "bf16"]),
    "learning rate": (["--lr-scale", 2], ["2.0"]),
    "unknown preset": (["--preset", "best"], ["preset is 'best'", "quick"]),
    "preset of another task": (["--preset", "editing-1"], ["editing-1", "harmonization"]),
    "device that is not there": (["--device", "cuda:99"], ["device is 'cuda:99'", "give 'cpu'"]),
    "unknown device": (["--device", "abacus"], ["device is 'abacus'", "give 'cpu'"]),
    "dilation": (["--dilation", -1], ["-1"]),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_bad_choice(refused: Any, insert: list[Any], tmp_path: Path, kind: str) -> None:
    args, words = CHOICES[kind]
    said = refused(*insert, *args, out=tmp_path / "out")
    for word in words:
        assert word in said, said


USAGE: dict[str, tuple[list[Any], str]] = {
    "unknown option": (["--lesions", 4], "--lesions"),
    "letters for numbers": (["--at", "a,b"], "--at"),
    "unknown word": (["--match", "colour"], "colour"),
    "negative seed": (["--seed", -1], "-1"),
}


@pytest.mark.parametrize("kind", USAGE)
def test_wrong_use(refused: Any, insert: list[Any], tmp_path: Path, kind: str) -> None:
    args, word = USAGE[kind]
    said = refused(*insert, *args, out=tmp_path / "out", code=2)
    assert word in said
    assert "harmonize --help" in said


def test_wrong_use_of_other_commands(refused: Any, call: Any, run_folder: Path, tmp_path: Path) -> None:
    files, out = example(), tmp_path / "out"
    said = refused("remove", "--image", files.image, "--label", files.label, "--symmetry", "left", out=out, code=2)
    assert "--symmetry" in said
    said = refused("sample", run_folder, "--size", 40, 40, "--scale", 2, out=out, code=2)
    assert "leave one out" in said
    said = refused("train", "--task", "editing", out=out, code=2)
    assert "IMAGE" in said
    assert call("unknown").exit_code == 2
    said = refused("remove", "--image", files.image, "--label", files.label, "--slice", 7, out=out)
    assert "slice is 7" in said
    said = refused("sample", run_folder, out=out)
    assert "monai-consingan harmonize --model" in said


class Malice:
    def __reduce__(self) -> Any:
        return os.system, ("touch malice",)


def bad_model(kind: str, good: Path, path: Path) -> Path:
    state = torch.load(good / "model.pt", weights_only=True)
    del state["sha256"]
    if kind == "missing":
        return path
    if kind == "truncated":
        return head_of(path, good / "model.pt", 3000)
    if kind == "malicious":
        torch.save({**state, "extra": Malice()}, path)
    elif kind == "bare pickle":
        path.write_bytes(pickle.dumps(Malice()))
    elif kind == "version":
        torch.save({**state, "format": "monai-consingan model 99"}, path)
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "weights of another size":
        generator = {**state["generator"], "tail.0.weight": torch.zeros(1, 9, 3, 3)}
        torch.save({**state, "generator": generator}, path)
    elif kind == "unknown settings":
        torch.save({**state, "settings": {**state["settings"], "speed": 9}}, path)
    return path


MODELS = {
    "missing": "does not exist",
    "truncated": "truncated",
    "malicious": "holds more than weights",
    "bare pickle": "holds more than weights",
    "version": "format 'monai-consingan model 99'",
    "list": "format None",
    "weights of another size": "does not fit its own settings (size mismatch for tail.0.weight",
    "unknown settings": "speed",
}


@pytest.mark.parametrize("kind", MODELS)
def test_bad_model(
    refused: Any, insert: list[Any], run_folder: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = bad_model(kind, run_folder, tmp_path / "bad.pt")
    args = [arg for arg in insert if arg not in SMALL]
    said = refused(*args, "--model", path, out=tmp_path / "out")
    assert "bad.pt" in said
    assert MODELS[kind] in said
    assert not (tmp_path / "malice").exists()


def test_model_that_does_not_fit(refused: Any, insert: list[Any], run_folder: Path, tmp_path: Path) -> None:
    files, out = example(), tmp_path / "out"
    said = refused("remove", "--image", files.image, "--label", files.label, "--model", run_folder, out=out)
    assert "trained for task 'harmonization'" in said
    said = refused(*insert, "--model", run_folder, out=out)
    assert "--stages is 2, but --model" in said


def test_a_scan_that_is_smaller_than_the_model_is_no_error(
    call: Any, insert: list[Any], run_folder: Path, tmp_path: Path
) -> None:
    files = example()
    small = nifti(tmp_path / "small.nii", np.asarray(nib.load(files.image).dataobj)[:150])
    args = [small if arg == files.image and insert[n - 1] == "--host" else arg for n, arg in enumerate(insert)]
    given = [arg for arg in args if arg not in SMALL]
    result = call(*given, "--model", run_folder, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert nib.load(tmp_path / "out" / "image.nii.gz").shape == nib.load(small).shape


def test_output_that_cannot_be_used(refused: Any, call: Any, insert: list[Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    train = ["train", example().image, "--task", "editing", "--slice", 6, *SMALL]
    for command in (insert, train, ["demo"]):
        assert "file is a file: give a folder" in refused(*command, out=tmp_path / "file")
        assert "full is not empty: give another folder, or --overwrite" in refused(*command, out=tmp_path / "full")
    for command in (insert, train):
        result = call(*command, "--output", tmp_path / "file" / "out")
        assert result.exit_code == 1
        assert "file/out cannot be written (Not a directory)" in result.output
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(call: Any, insert: list[Any], tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    result = call(*insert, "--output", tmp_path / "locked" / "out")
    assert result.exit_code == 1
    assert "cannot be written (Permission denied)" in result.output


@pytest.mark.parametrize(
    "where", ["models.redraw.train_model", "workflows.lesion_run.save_sequences", "workflows.lesion_run.write_report"]
)
def test_no_space(refused: Any, insert: list[Any], tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"monai_consingan.{where}", full)
    said = refused(*insert, out=tmp_path / "out")
    assert "out cannot be written (No space left on device): free some space" in said


def test_interrupt(refused: Any, insert: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_consingan.models.redraw.train_model", interrupt)
    assert refused(*insert, out=tmp_path / "out", code=130) == "Error: interrupted."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "/data/scan"), "/data/scan: Input/output error"),
        (MemoryError(), "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 36 bytes"),
            "not enough memory",
        ),
    ],
)
def test_what_the_system_refuses(
    refused: Any, insert: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("monai_consingan.workflows.harmonize", fail)
    assert words in refused(*insert, out=tmp_path / "out")


@pytest.mark.parametrize("channels", [10**6, 10**9, 10**18])
def test_networks_that_do_not_fit_into_memory(refused: Any, tmp_path: Path, channels: int) -> None:
    train = ["train", example().image, "--task", "editing", "--slice", 6, "--max-size", 64, *SMALL]
    said = refused(*train, "--channels", channels, out=tmp_path / "run")
    assert "not enough memory" in said


def test_only_our_own_warnings_are_shown(call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def warn(*_: Any, **__: Any) -> None:
        for _ in range(2):
            warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)
            warnings.warn("a part\nis missing.", ConSinGANWarning, stacklevel=1)
        raise ConSinGANError("it ends here.")

    monkeypatch.setattr("monai_consingan.workflows.remove", warn)
    files = example()
    result = call("remove", "--image", files.image, "--label", files.label, "--output", tmp_path / "out")
    assert result.output == "Warning: a part is missing.\nError: it ends here.\n"


def test_training_that_diverges(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence comes once, without the log messages of the engine."""
    monkeypatch.setattr("monai_consingan.losses.wasserstein.WassersteinLoss.forward", _nan)
    train = ["train", example().image, "--task", "editing", "--slice", 6, "--max-size", 64, *SMALL]
    result = call(*train, "--output", tmp_path / "run")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "loss is nan" in result.output


def _nan(self: Any, scores: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return scores.mean() * float("nan")


def test_no_library_says_a_word_above_or_below_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.mha").write_text(
        "ObjectType = Image\nNDims = 3\nCompressedData = False\nDimSize = 40 30 20\nElementType = MET_SHORT\n"
        "ElementDataFile = LOCAL\nshort"
    )
    command = ["remove", "--image", tmp_path / "x.mha", "--label", example().label, "--output", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "monai_consingan", *map(str, command)], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: image ") and done.stderr.count("\n") == 1
