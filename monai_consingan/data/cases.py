"""The cases of a run: one dictionary of files and choices for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConSinGANError
from ..names import real_path, safe_name, unique_names
from ..text_files import read_json
from .file_words import in_common
from .sequence_files import as_files
from .stored import public_name

_LISTING = "datalist.json"
_FILES = ("host", "donor", "donor_label", "host_label", "image", "label", "lesion")
_SCANS = ("host", "donor", "image")
_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".png", "")  # the last is a DICOM series' folder

CASE_ITEMS = (
    *("case", "host", "image", "naive", "label", "lesion", "others", "donor", "donor_lesion", "removed"),
    *("training", "weight", "alteration", "before", "head", "lead"),
)
"""What is kept of a case once the transforms of a bundle have prepared it."""

Case = dict[str, Any]


def find_cases(
    folder: str | Path,
    required: Sequence[str],
    datalist: str | Path | Sequence[Mapping[str, Any]] | None = None,
    section: str | None = None,
) -> list[Case]:
    """Find the cases in a folder.

    A case is a dictionary. Its files stand under ``host``, ``donor``, ``donor_label``, ``host_label``, ``image``,
    ``label`` and ``lesion``, as paths that are relative to the folder, or absolute; a scan of several sequences has a
    list of paths. What else it has are choices for
    this case alone, such as ``donor_slice``, ``at`` or ``lesion_labels``; ``case`` is its name.

    Without a list, ``datalist.json`` in the folder is taken, and if there is none, the folder itself or each of its
    subfolders is a case if it has a file for every required name, such as ``host.nii.gz`` (also ``.nii``, ``.nrrd``,
    ``.mha``, ``.png``, or a folder with a DICOM series); a choice can then not be made.

    Args:
        folder: the folder.
        required: names of the files that a case must have.
        datalist: the cases, or a JSON file with them: a list, or a dictionary with a list for each section.
        section: which section of such a file to take; ``None`` takes ``training``, or the first list where there is no
            such.

    Returns:
        The cases, with absolute paths and a name each, which is safe and no other's (``a/x`` becomes ``a-x``).

    Raises:
        ConSinGANError: there are no cases, a file of one is not given or does not exist, or the list cannot be read.

    Example::

        find_cases("scans", ["host", "donor", "donor_label"], [
            {"host": "a.nii.gz", "donor": "b.nii.gz", "donor_label": "b_seg.nii.gz", "donor_slice": 12},
        ])
    """
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise ConSinGANError(f"dataset_dir {folder} is not a folder: give the folder of your scans.")
    if datalist is None and (folder / _LISTING).is_file():
        datalist = folder / _LISTING
    if datalist is None:
        given = _by_name(folder, required)
    else:
        given = _listed(datalist, section) if isinstance(datalist, (str, Path)) else [dict(case) for case in datalist]
    if not given:
        raise ConSinGANError(
            f"There are no cases in {datalist or folder}: write a {_LISTING} there, or name files "
            f"{', '.join(f'{name}.nii.gz' for name in required)} in a folder for each case."
        )
    cases = [_absolute(case, number, folder, required) for number, case in enumerate(given)]
    _name(cases, required[0])
    return cases


def _listed(path: str | Path, section: str | None) -> list[Case]:
    wanted = f" or a dictionary with the list {section!r}" if section else ""
    listed = read_json(path, "datalist", remedy=f"give a JSON file with a list of cases{wanted}")
    try:
        if isinstance(listed, dict):
            lists = {name: part for name, part in listed.items() if isinstance(part, list)}
            chosen = section or ("training" if "training" in lists else next(iter(lists)))
            listed = listed[chosen]
        return [dict(case) for case in listed]
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        raise ConSinGANError(
            f"datalist {path} cannot be used ({error}): give a JSON file with a list of cases{wanted}."
        ) from error


def _by_name(folder: Path, required: Sequence[str]) -> list[Case]:
    """Cases whose files have the names of what they are."""
    cases = []
    for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        found = {name: path for name in _FILES if (path := _file(place, name)) is not None}
        if all(name in found for name in required):
            cases.append({**found, "case": "case" if place == folder else place.name})
    return cases


def _file(folder: Path, name: str) -> str | None:
    paths = [folder / f"{name}{suffix}" for suffix in _SUFFIXES]
    return next((str(path) for path in paths if path.exists()), None)


def _absolute(case: Case, number: int, folder: Path, required: Sequence[str]) -> Case:
    """The case with absolute paths, and without what is ``None``."""
    case = {key: value for key, value in case.items() if value is not None}
    missing = [name for name in required if name not in case]
    if missing:
        raise ConSinGANError(f"Case {number} has no {' and no '.join(missing)}: give a file for {', '.join(required)}.")
    for name in _FILES:
        if name not in case:
            continue
        several = isinstance(case[name], (list, tuple)) and name in _SCANS and bool(case[name])
        given = case[name] if several else [case[name]]
        if not all(isinstance(file, (str, Path)) for file in given):
            raise ConSinGANError(f"{name} of case {number} is {case[name]!r}: give the path of one file.")
        paths = [real_path(folder / file) for file in given]
        for path in paths:
            if not path.exists():
                raise ConSinGANError(
                    f"{name} of case {number}, {path}, does not exist: check the list and dataset_dir."
                )
        case[name] = [str(path) for path in paths] if several else str(paths[0])
    return case


def _name(cases: list[Case], main: str) -> None:
    """Give every case a safe name of its own: its ``case``, or that of its main file, or what those have in common."""
    wanted = []
    for case in cases:
        files = as_files(case[main])
        common, first = in_common(files), public_name(files[0]).split(".")[0].strip("()").replace(" ", "_")
        wanted.append(str(case.get("case") or (first if common is None else common)))
    names = [safe_name(name, f"case-{number:04d}") for number, name in enumerate(wanted)]
    for case, name in zip(cases, unique_names(names), strict=True):
        case["case"] = name
