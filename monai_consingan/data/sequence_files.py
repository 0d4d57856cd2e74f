"""The files of a case of several sequences: one for each, or a 4D file; all are read, and all are written alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data.file_words import told_apart
from monai_consingan.data.grid import to_host_grid
from monai_consingan.data.save import brought_to, output_suffix, save_label_like, save_like, save_volumes_like
from monai_consingan.data.scan import load_scan, on_one_grid
from monai_consingan.data.sequences import SEQUENCE_FILES, SEQUENCES, chosen_channel, stack_sequences
from monai_consingan.data.stored import Stored, read_stored
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import safe_name, unique_names

Files: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"
"""The file of a case, or those of its sequences."""

_CUT = 0.01  # share of a lesion that may be beyond what a file can hold without a word


def as_files(files: Files) -> list[Path]:
    """The files as a list of paths."""
    return [Path(files)] if isinstance(files, (str, PathLike)) else [Path(file) for file in files]


@dataclass(frozen=True, eq=False)
class SequenceFiles:
    """What the files of a case hold.

    Attributes:
        name: what the case is to the user ("host", "donor"), for errors.
        parts: what was read of each sequence, as if it were alone in its file.
        names: names of the sequences; ``"1"``, ``"2"``, ... where they are not known.
        known: whether they are.
        whole: whether all come from one 4D file.
        resampled: the sequences that were brought to the lead's grid.
    """

    name: str
    parts: tuple[Stored, ...]
    names: tuple[str, ...]
    known: bool
    whole: bool = False
    resampled: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The suffix of results (:func:`monai_consingan.data.output_suffix`)."""
        return output_suffix(self.parts[0])

    def choose(self, names: Sequence[str]) -> SequenceFiles:
        """Some of the sequences, in the order of their names; or all, which are named thereby.

        Args:
            names: names of sequences; or as many names as there are sequences, for these in their order.

        Raises:
            ConSinGANError: names that are none of the sequences, nor as many as there are.
        """
        folded, wanted = [known.casefold() for known in self.names], [name.casefold() for name in names]
        if not names or len(set(wanted)) < len(wanted):
            raise ConSinGANError(f"sequences is {', '.join(names) or 'empty'}: give the name of each once.")
        if self.known and set(wanted) <= set(folded):
            parts = tuple(self.parts[folded.index(name)] for name in wanted)
            return replace(self, parts=parts, names=tuple(names))
        if len(names) == len(self.parts):
            return replace(self, names=tuple(names), known=True)
        raise ConSinGANError(
            f"sequences is {', '.join(names)}, but the {self.name} has {self._told()}: choose among these, or name "
            "them all in their order."
        )

    def volume(self, number: int) -> SequenceFiles:
        """One of the sequences, by its number from 0, as if it were alone in a file.

        Raises:
            ConSinGANError: there is no such sequence.
        """
        if not 0 <= number < len(self.parts):
            raise ConSinGANError(f"channel is {number}, but {self.name} has the channels 0 to {len(self.parts) - 1}.")
        return replace(self, parts=(self.parts[number],), names=(self.names[number],), whole=False)

    def in_order_of(self, other: SequenceFiles) -> SequenceFiles:
        """The same sequences in the order of those of another case.

        Raises:
            ConSinGANError: one has a sequence that the other lacks, or it is not known which one is which.
        """
        have, want = list(self.names), list(other.names)
        if len(have) == len(want) == 1 or (have == want and self.known == other.known):
            return self
        if len(have) == len(want) and self.known != other.known:
            named, other_one = (self, other) if self.known else (other, self)
            raise ConSinGANError(
                f"the {named.name} has the sequences {', '.join(named.names)}, but those of the {other_one.name} have "
                f"no names: name them in their order, as in --sequences {','.join(named.names)}."
            )
        if sorted(have) != sorted(want):
            common = ",".join(name for name in want if name in have)
            raise ConSinGANError(
                f"the {other.name} has {other._told()}, but the {self.name} {self._told()}: choose "
                f"those that both have, {f'as in --sequences {common}' if common else 'with --sequences NAMES'}."
            )
        return self.choose(want)

    def _told(self) -> str:
        """The sequences in words."""
        count = len(self.parts)
        return ", ".join(self.names) if self.known else f"{count} sequence{'s without names' if count > 1 else ''}"

    def image(self, lead: str | None = None, *, resample: bool = False) -> tuple[MetaTensor, SequenceFiles]:
        """The sequences as one image.

        Args:
            lead: the sequence whose grid counts where they are resampled; ``None`` for the first.
            resample: whether sequences on other grids are brought to that of the lead.

        Returns:
            (C, \\*spatial) as of :func:`monai_consingan.data.load_scan`, with the names in ``meta["sequences"]`` where
            there are several that are known, and their
            files in ``meta["sequence_files"]``; and the files as they would be on its grid.

        Raises:
            ConSinGANError: as :func:`monai_consingan.data.load_scan` and :func:`monai_consingan.data.stack_sequences`.
        """
        several, shapes = len(self.parts) > 1, {part.raw.shape for part in self.parts}
        stacked = np.empty((len(self.parts), *shapes.pop()), np.float32) if several and len(shapes) == 1 else None
        images = [
            load_scan(
                part,
                name=f"{self.name}, sequence {name}," if several else self.name,
                out=None if stacked is None else stacked[number],
            )
            for number, (name, part) in enumerate(zip(self.names, self.parts, strict=True))
        ]
        files = self
        if resample and several:
            files, images = self._on_one_grid(images, 0 if lead is None else chosen_channel(self.names, lead))
            stacked = None if files.resampled else stacked
        image = stack_sequences(dict(zip(self.names, images, strict=True)), name=self.name, stacked=stacked)
        if several and not self.known:
            del image.meta[SEQUENCES]
        if several and not self.whole:
            image.meta[SEQUENCE_FILES] = [str(part.path) for part in self.parts]
        return image, files

    def _on_one_grid(self, images: list[MetaTensor], main: int) -> tuple[SequenceFiles, list[MetaTensor]]:
        parts, found, moved = [], [], []
        for name, part, image in zip(self.names, self.parts, images, strict=True):
            if not on_one_grid(image, images[main]):
                part = brought_to(part, to_host_grid(image, images[main]), self.parts[main])
                image = load_scan(part, name=f"{self.name}, sequence {name}, on the lead's grid,")
                moved.append(name)
            parts.append(part)
            found.append(image)
        return replace(self, parts=tuple(parts), resampled=tuple(moved)), found

    def held(self, image: MetaTensor, mask: np.ndarray) -> tuple[MetaTensor, list[str]]:
        """What the files can hold of an altered case, and a sentence for each sequence that this harms.

        Args:
            image: the result, (C, \\*spatial).
            mask: what of it must not be cut, such as a lesion, boolean (\\*spatial).
        """
        values, cut, told = np.asarray(as_array(image)), None, []
        for number, (name, part) in enumerate(zip(self.names, self.parts, strict=True)):
            low, high = part.limits
            if values[number].min() >= low and values[number].max() <= high:
                continue
            beyond = (values[number] < low - abs(part.slope)) | (values[number] > high + abs(part.slope))
            share = float(beyond[mask].mean()) if mask.any() else 0.0
            if share > _CUT:
                where = f" in {name}" if len(self.parts) > 1 else ""
                told.append(
                    f"{share:.0%} of the lesion{where} is beyond {low:g} to {high:g}, which is all that the "
                    f"{self.name}'s type {part.raw.dtype} can hold, and is cut to that: store the scan in another type."
                )
            cut = values.copy() if cut is None else cut
            np.clip(values[number], low, high, out=cut[number])
        return (image if cut is None else wrap_like(cut, image)), told

    def save_label(self, folder: str | Path, stem: str, label: NdarrayOrTensor) -> None:
        """Write a label on the case's grid, or a mask, as ``stem`` and the suffix of results.

        Args:
            folder: where to.
            stem: begin of the file's name.
            label: whole numbers, (1, \\*spatial) or (\\*spatial).

        Raises:
            ConSinGANError: as :func:`monai_consingan.data.save_label_like`.
        """
        save_label_like(Path(folder) / f"{stem}{self.suffix}", label, self.parts[0])

    def described(self) -> dict[str, str] | list[dict[str, str]]:
        """Names and SHA-256 of the files for reports: of one, or a list with one entry for each sequence."""
        if self.whole or len(self.parts) == 1:
            return self.parts[0].described()
        return [{"sequence": name, **part.described()} for name, part in zip(self.names, self.parts, strict=True)]


def read_sequences(files: Files, *, name: str = "image", sequences: Sequence[str] | None = None) -> SequenceFiles:
    """Read the files of a case.

    Sequences of several files are named by the part of the files' names that tells them apart: ``case_t1.nii.gz`` and
    ``case_t1ce.nii.gz`` are ``t1`` and ``t1ce``.

    Args:
        files: the file of one sequence; those of several; or a NIfTI file of four dimensions with several.
        name: what the case is to the user ("host", "donor"), for errors.
        sequences: names of those to take, or of all in their order (:meth:`SequenceFiles.choose`).

    Raises:
        ConSinGANError: as :func:`monai_consingan.data.read_stored`; no file, a file twice, or names that do not fit.

    Example::

        read_sequences(["t1.nii.gz", "t1ce.nii.gz"]).image()
    """
    paths = as_files(files)
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if not paths or twice:
        raise ConSinGANError(f"{name} {f'has {twice} twice' if twice else 'has no file'}: give each sequence once.")
    read = [read_stored(path, name=name, several=len(paths) == 1) for path in paths]
    whole = read[0].volumes > 1
    parts = [read[0].volume(number) for number in range(read[0].volumes)] if whole else read
    known = None if len(paths) < 2 else told_apart(paths)
    names = tuple(known or (str(number + 1) for number in range(len(parts))))
    found = SequenceFiles(name, tuple(parts), names, known is not None, whole)
    return found if sequences is None else found.choose(sequences)


def save_sequences(
    folder: str | Path,
    stem: str,
    values: NdarrayOrTensor,
    files: SequenceFiles,
    *,
    alteration: NdarrayOrTensor | None = None,
    names: Sequence[str] | None = None,
) -> list[str]:
    """Write an altered case in the form that its sequences came in: a file for each, or a 4D file.

    Args:
        folder: where to.
        stem: begin of the files' names: ``image`` gives ``image.nii.gz``, or ``image_t1.nii.gz``, ``image_t1ce.nii.gz``
            where there are several.
        values: the result, (C, \\*spatial).
        files: what was read of the case.
        alteration: mask or weight, (1, \\*spatial), or one for each sequence, (C, \\*spatial): voxels above 0 are
            replaced, all others keep their stored numbers (:func:`monai_consingan.data.save_like`).
        names: what is put in place of the sequences' names in those of several files.

    Returns:
        The names of the files.

    Raises:
        ConSinGANError: as :func:`monai_consingan.data.save_like`.
    """
    folder, array = Path(folder), np.asarray(as_array(values))
    masks = [None] * len(array) if alteration is None else [*np.broadcast_to(as_array(alteration), array.shape)]
    written = sequence_file_names(stem, files, names)
    if files.whole:
        save_volumes_like(folder / written[0], array, files.parts, alterations=masks)
        return written
    for name, part, stored, mask in zip(written, array, files.parts, masks, strict=True):
        save_like(folder / name, part, stored, alteration=mask)
    return written


def sequence_file_names(stem: str, files: SequenceFiles, instead: Sequence[str] | None) -> list[str]:
    """The names of the files that are written."""
    if files.whole or len(files.parts) == 1:
        return [f"{stem}{files.suffix}"]
    names = unique_names([safe_name(name, str(number)) for number, name in enumerate(instead or files.names)])
    return [f"{stem}_{name}{output_suffix(part)}" for name, part in zip(names, files.parts, strict=True)]
