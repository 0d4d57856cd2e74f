"""Sets of pictures to compare: found in folders, or made of volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.data import (
    Files,
    as_files,
    check_slice,
    find_cases,
    load_label,
    read_sequences,
    sequence_names,
    slice_axis,
    slices_of,
)
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import slice_view
from monai_consingan.text_files import read_json
from monai_consingan.transforms import head_slices
from monai_consingan.workflows.data_sets.entries import listed_names
from monai_consingan.workflows.results import read_result, result_file, result_folders, result_image

_VOLUMES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_BIDS = re.compile(r"(sub-[^_.]+)_")
_SEQUENCE = re.compile(
    r"(.+)[_-]((t1|t2)(c|ce|gd|n|w|f|km|post|pre)?|flair|pdw?|dwi|adc|swi|t2star|\d{4})\.[a-z.]+$", re.IGNORECASE
)
_LABEL = re.compile(r".+[_-](seg|dseg|label|mask|lesion)\.[a-z.]+$", re.IGNORECASE)


@dataclass(frozen=True)
class PictureSet:
    """Pictures, and what each of them comes from.

    Args:
        files: picture files.
        sources: for each the name of its volume, or of the picture itself where it was a picture already.
    """

    files: list[Path]
    sources: list[str]

    def spread(self, count: int | None) -> PictureSet:
        """At most so many of the pictures, evenly spread over the set."""
        if count is None or count >= len(self.files):
            return self
        chosen = np.linspace(0, len(self.files) - 1, count).round().astype(int)
        return PictureSet([self.files[number] for number in chosen], [self.sources[number] for number in chosen])


def gather_pictures(
    path: str | Path,
    working_folder: str | Path,
    *,
    axis: int | None = None,
    lead: str | None = None,
    synthetic: bool | None = None,
) -> PictureSet:
    """The pictures of a set.

    Pictures (PNG, JPEG, ...) are taken as they are, each as a source of its own. Volumes become PNG by
    :func:`write_slices`: all slices that show enough of the head, and of a result of this package, which is told by its
    ``report.json``, those in which something was altered. A picture shows one sequence.

    Args:
        path: a folder of pictures, of volumes, of one DICOM series or of results; a volume; or a datalist, a JSON file
            of cases such as ``{"image": "a.nii.gz", "slices": [40, 50]}``, without ``slices`` all. In a folder of
            volumes, files that end in the names of sequences, such as ``a_t1.nii.gz`` and ``a_flair.nii.gz``, or in
            nnU-Net's numbers, are one case, and so are those of a subject of BIDS, with all of its sessions; labels
            (``a_seg.nii.gz``) are left out.
        working_folder: folder for the PNG files that are written.
        axis: spatial axis perpendicular to the slices; ``None`` finds it for each volume.
        lead: name of the sequence to show of cases that have several; ``None`` shows that of results which their
            lesion was measured in, and refuses other cases that have several.
        synthetic: whether to take the synthetic or the real cases of a datalist that says which are synthetic, as those
            of augmented data sets do; ``None`` takes both.

    Raises:
        ConSinGANError: there is nothing to compare, pictures and volumes in one folder, a volume that is bad, or
            several sequences of which none is chosen.
    """
    path = Path(path)
    if not path.exists():
        raise ConSinGANError(f"{path} does not exist: give a folder, a volume or a datalist.")
    if path.is_dir() and not result_folders(path):
        pictures, volumes = _pictures(path), _volumes(path)
        if pictures and volumes:
            raise ConSinGANError(f"{path} holds pictures and volumes: give a folder with one kind, or a datalist.")
        if pictures:
            return PictureSet(pictures, [file.name for file in pictures])
    files: list[Path] = []
    sources: list[str] = []
    for number, (name, image, slices) in enumerate(_scans(path, axis, lead, synthetic)):
        written = write_slices(image, Path(working_folder) / f"{number:04}", axis=axis, slices=slices)
        files += written
        sources += [name] * len(written)
    return PictureSet(files, sources)


def _pictures(folder: Path) -> list[Path]:
    """The pictures that pytorch-fid takes of a folder, in its order."""
    from pytorch_fid.fid_score import IMAGE_EXTENSIONS

    return sorted(file for extension in IMAGE_EXTENSIONS for file in folder.glob(f"*.{extension}"))


def _volumes(folder: Path) -> list[Path]:
    found = sorted(file for file in folder.iterdir() if file.name.lower().endswith(_VOLUMES))
    return [file for file in found if not _LABEL.match(file.name)]


def _cases(files: Sequence[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Name of the source, and files of the sequences, of each case of a folder."""
    cases: dict[str, list[Path]] = {}
    for file in files:
        named = _SEQUENCE.match(file.name)
        cases.setdefault(named[1] if named else file.name, []).append(file)
    numbered = [name for name, several in cases.items() if len(several) > 1 and _numbers(several)]
    for name, several in cases.items():
        subject = _BIDS.match(several[0].name)
        alone = len(several) == 1 or (numbered == [name] and len(cases) == 1)  # numbers of scans, not of sequences
        for part in [[file] for file in several] if alone else [several]:
            yield subject[1] if subject else part[0].name if alone else name, part


def _numbers(files: Sequence[Path]) -> bool:
    """Whether files are told apart by numbers."""
    return all(re.search(r"\d{4}\.[a-z.]+$", file.name, re.IGNORECASE) for file in files)


def _scans(
    path: Path, axis: int | None, lead: str | None, synthetic: bool | None
) -> Iterator[tuple[str, MetaTensor, Sequence[int] | None]]:
    """Name, scan and slices (``None`` for all) of each volume."""
    if path.suffix == ".json":
        cases = find_cases(path.parent, ["image"], path)
        told = synthetic is not None and any(case.get("synthetic") for case in cases)
        head = read_json(path, "datalist")
        names = listed_names(head) if isinstance(head, dict) else ()
        for case in cases:
            if told and bool(case.get("synthetic")) != synthetic:
                continue
            yield case["case"], _shown(case["image"], lead, f"image of {case['case']}", names), case.get("slices")
    elif path.is_dir() and (folders := result_folders(path)):
        for folder in folders:
            report = read_result(folder)
            image = result_image(folder, report, "image")
            altered = load_label(result_file(folder, "alteration"), image=image, name="alteration")
            main = lead if lead and len(image) > 1 else report.get("lead", 0)
            shown = chosen_channel(sequence_names(image), main, f"result {folder}")
            only: Any = image[shown : shown + 1]
            yield folder.name, only, slices_of(altered, slice_axis(image, axis))
    elif path.is_dir() and not _volumes(path):
        try:
            yield public_name(path), _shown(path, lead), None
        except ConSinGANError as error:
            raise ConSinGANError(f"{path} holds no pictures, no volumes and no results, and {error}") from error
    else:
        for name, files in _cases(_volumes(path)) if path.is_dir() else [(path.name, [path])]:
            yield name, _shown(files, lead, f"case {name}" if len(files) > 1 else "image"), None


def _shown(files: Files, lead: str | None, name: str = "image", names: Sequence[str] = ()) -> MetaTensor:
    """The sequence of a case that pictures show, (1, \\*spatial); ``names`` are those that its list gives them."""
    found = read_sequences(files, name=name)
    if len(found.parts) > 1 and len(found.parts) == len(names):
        found = found.choose(names)
    if len(found.parts) > 1:
        if lead is None:
            raise ConSinGANError(
                f"{name} {as_files(files)[0]} has the sequences {', '.join(found.names)}, of which pictures show one: "
                "choose it (--lead)."
            )
        found = found.volume(chosen_channel(found.names, lead, f"{name} {as_files(files)[0]}"))
    return found.image()[0]


def write_slices(
    image: MetaTensor, folder: str | Path, *, axis: int | None = None, slices: Sequence[int] | None = None
) -> list[Path]:
    """Write slices as 8-bit grey PNG, as the published evaluation by pytorch-fid takes them.

    Each slice by itself is scaled so that its darkest value is 0 and its brightest 255, rounded to the nearest, and
    turned the way radiologists look at it. Its pixels are not resized. Constant slices are left out.

    Args:
        image: (1, \\*spatial).
        folder: folder for the files, which is made.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        slices: their numbers; ``None`` takes all that show enough of the head.

    Returns:
        The files.

    Raises:
        ConSinGANError: a slice that the image does not have.
    """
    folder, files = Path(folder), []
    folder.mkdir(parents=True)
    axis = slice_axis(image, axis)
    for index in head_slices(image, axis) if slices is None else slices:
        check_slice(image, axis, index, "slice")
        values: np.ndarray[Any, Any] = slice_view(image, axis=axis, index=index).values.astype(np.float64)
        low, high = values.min(), values.max()
        if high > low:
            files.append(folder / f"{index:04}.png")
            Image.fromarray(np.rint((values - low) / (high - low) * 255).astype(np.uint8)).save(files[-1])
    return files
