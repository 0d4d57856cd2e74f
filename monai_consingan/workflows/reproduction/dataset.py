"""Scans and masks in a folder of the published data set, whose file names are taken as they come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_consingan.data.stored import file_format
from monai_consingan.errors import ConSinGANError

_MASK = re.compile(r"masks?.*|.*masks?\d*|seg|segm.*|seg\d+|labels?.*|rois?\d*|annot.*|contours?|gt|groundtruth")
_OTHER_SEQUENCE = re.compile(r"t2.*|flair.*|dwi.*|adc.*|swi.*|pd|dti.*|b0|perf.*|dsc|dce|tof.*|ct|pet|gre|swan")
_T1 = re.compile(r"t1.*|mprage|spgr|bravo|vibe|fspgr|tfe")
_CONTRAST = re.compile(r"(t1w?)?(ce|gd|gad.*|km|post.*|contrast.*|enh.*)|t1w?c.*")
_NO_CONTRAST = re.compile(r"pre.*|noncontrast|native|plain|without|sin|no")
_NEUTRAL = re.compile(
    r"nii|nifti|dicom|dcm|images?|imgs?|im|mris?|mr|rm|scans?|brain|data|series|volumes?|anat|w|c|tumou?rs?"
)
_CONTRAST_RANK, _T1_RANK, _UNKNOWN_RANK = range(3)
_SUFFIX = re.compile(r"(\.nii\.gz|\.[A-Za-z]+)$")


@dataclass(frozen=True)
class FoundScan:
    """A scan and the mask of its lesions.

    Args:
        patient: words of the scan's path that tell its patient from others.
        image: file, or folder of a DICOM series.
        mask: file of the mask.
    """

    patient: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class DataSetListing:
    """What was found in a folder.

    Args:
        root: the folder.
        scans: scans with their masks, in the order of their paths.
        left_out: what else was found, and why it is not used.
        ignored: number of files that are no volumes, by their suffixes.
    """

    root: Path
    scans: tuple[FoundScan, ...]
    left_out: tuple[tuple[Path, str], ...]
    ignored: dict[str, int]

    def lines(self) -> list[str]:
        """What was matched and what was not, for the user; file names may tell who a patient is."""

        def short(path: Path) -> str:
            """A path as seen from the data set."""
            return path.relative_to(self.root).as_posix()

        lines = [f"{len(self.scans)} scans with a mask in {self.root}:"]
        for number, scan in enumerate(self.scans, 1):
            lines.append(f"  scan {number}: {short(scan.image)}, mask {short(scan.mask)}")
        if self.left_out:
            lines.append(f"{len(self.left_out)} left out:")
            lines += [f"  {short(path)}: {why}" for path, why in self.left_out]
        if self.ignored:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(self.ignored.items()))
            lines.append(f"Files that are no volumes: {kinds}.")
        return lines


@dataclass(frozen=True)
class _Volume:
    """A volume, and what its path says."""

    path: Path
    is_dicom: bool
    is_mask: bool
    rank: int | None
    key: frozenset[str]
    parts: tuple[tuple[str, ...], ...]


def list_data_set(folder: str | Path) -> DataSetListing:
    """Find the scans of a folder and their masks.

    The names may be as they like. A volume is a NIfTI, NRRD or MetaImage file, or a folder with DICOM files. It is a
    mask if a word of its name, or of a folder's above it, is ``mask``, ``seg``, ``label``, ``roi`` or the like. It is a
    scan if no such word and no other sequence (T2, FLAIR, DWI, ...) is named; of several, one with contrast (``t1c``,
    ``gd``, ``post``, ...) goes before one with ``t1``, that before one that says nothing, and NIfTI before DICOM. Mask
    and scan belong together if the words that remain (patient, time point) are the same, or those of one are among
    those of the other, and no second scan fits as well.

    Args:
        folder: the folder.

    Raises:
        ConSinGANError: not a folder, or no scan in it has a mask.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConSinGANError(f"data set {root} is not a folder: give the folder with the patients.")
    places, ignored = _volumes(root)
    volumes = _described(root, places)
    left_out: list[tuple[Path, str]] = []
    images = []
    for volume in volumes:
        if not volume.is_mask and volume.rank is None:
            left_out.append((volume.path, "another sequence than T1"))
        elif not volume.is_mask:
            images.append(volume)
    taken: dict[Path, FoundScan] = {}
    masks = [volume for volume in volumes if volume.is_mask]
    for mask in sorted(masks, key=lambda mask: (not any(image.key == mask.key for image in images), mask.path)):
        if mask.rank is None:
            left_out.append((mask.path, "a mask of another sequence than T1"))
            continue
        image, why = _image_of(mask, images)
        if image is None:
            left_out.append((mask.path, why))
        elif image.path in taken:
            other = taken[image.path].mask.relative_to(root).as_posix()
            left_out.append((mask.path, f"its scan has the mask {other} already"))
        else:
            taken[image.path] = FoundScan(_patient(image, volumes), image.path, mask.path)
    left_out += [(image.path, "no mask belongs to it") for image in images if image.path not in taken]
    scans = tuple(taken[path] for path in sorted(taken))
    if not scans:
        reasons = "; ".join(f"{path.relative_to(root).as_posix()}: {why}" for path, why in sorted(left_out)[:3])
        raise ConSinGANError(
            f"data set {root} has no scan with a mask ({len(volumes)} volumes, {len(masks)} of them masks by their "
            f"names{'; ' if reasons else ''}{reasons}): give a folder with scans such as patient1/t1c.nii.gz and masks "
            "such as patient1/mask.nii.gz."
        )
    return DataSetListing(root, scans, tuple(sorted(left_out)), ignored)


def _volumes(root: Path) -> tuple[list[tuple[Path, bool]], dict[str, int]]:
    """Volumes, each with whether it is a DICOM series, and the number of other files by suffix."""
    found: dict[Path, bool] = {}
    ignored: Counter[str] = Counter()
    for path in sorted(root.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or not path.is_file():
            continue
        try:
            kind = file_format(path)
        except ConSinGANError:
            kind = "picture"
        if kind == "dicom":
            found[path.parent] = True
        elif kind == "picture":
            ignored[path.suffix.lower() or "without suffix"] += 1
        else:
            found[path] = False
    return sorted(found.items()), dict(ignored)


def _words(text: str) -> list[str]:
    """Words of a name in small letters: parted by what is neither letter nor digit, and before a capital."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text)
    return [word for word in re.split(r"[\W_]+", apart.lower()) if word]


def _described(root: Path, places: Sequence[tuple[Path, bool]]) -> list[_Volume]:
    """The volumes with what their paths say; a word that is in all paths says nothing."""
    paths = []
    for path, is_dicom in places:
        *folders, name = path.relative_to(root).parts or ("",)
        paths.append([*map(_words, folders), _words(name if is_dicom else _SUFFIX.sub("", name))])
    above = [{word for part in parts[:-1] for word in part} for parts in paths]
    everywhere = set.intersection(*above) if above else set()
    volumes = []
    for (path, is_dicom), all_parts in zip(places, paths, strict=True):
        parts = [*([word for word in part if word not in everywhere] for part in all_parts[:-1]), all_parts[-1]]
        words = [word for part in parts for word in part]
        rank = _rank(parts[-1])
        volumes.append(
            _Volume(
                path,
                is_dicom,
                is_mask=any(_MASK.fullmatch(word) for word in words),
                rank=_rank(words) if rank == _UNKNOWN_RANK else rank,
                key=frozenset(word for word in words if not _says_what(word)),
                parts=tuple(map(tuple, parts)),
            )
        )
    return volumes


def _rank(words: list[str]) -> int | None:
    """How well words say that a scan is a T1 with contrast, the lowest best; ``None`` if it is another sequence."""
    t1 = any(_T1.fullmatch(word) for word in words)
    if not t1 and any(_OTHER_SEQUENCE.fullmatch(word) for word in words):
        return None
    contrast = any(_CONTRAST.fullmatch(word) for word in words) or (t1 and "c" in words)
    if contrast and not any(_NO_CONTRAST.fullmatch(word) for word in words):
        return _CONTRAST_RANK
    return _T1_RANK if t1 else _UNKNOWN_RANK


def _says_what(word: str) -> bool:
    """Whether a word tells what a file is, and not whose."""
    kinds = (_MASK, _T1, _CONTRAST, _NO_CONTRAST, _OTHER_SEQUENCE, _NEUTRAL)
    return any(kind.fullmatch(word) for kind in kinds)


def _image_of(mask: _Volume, images: list[_Volume]) -> tuple[_Volume | None, str]:
    """The scan that a mask belongs to, or why there is none."""

    def order(image: _Volume) -> tuple[int, int, bool]:
        """How well an image fits the mask; the lowest fits best."""
        rank = _UNKNOWN_RANK if image.rank is None else image.rank
        return len(image.key ^ mask.key), rank, image.is_dicom

    fitting = sorted((image for image in images if image.key <= mask.key or image.key >= mask.key), key=order)
    if not fitting:
        return None, "no scan belongs to it"
    best = [image for image in fitting if order(image) == order(fitting[0])]
    if len(best) > 1:
        names = " and ".join(image.path.name for image in best[:2])
        return None, f"{len(best)} scans fit it alike, such as {names}"
    return best[0], ""


def _patient(image: _Volume, volumes: Sequence[_Volume]) -> str:
    """What tells a patient: the words of the outermost folder that are not in all paths, or the file's first one."""
    common = frozenset.intersection(*(volume.key for volume in volumes))
    own = [[word for word in part if word in image.key - common] for part in image.parts]
    folder = next((words for words in own[:-1] if words), None)
    return " ".join(own[-1][:1] if folder is None else folder)
