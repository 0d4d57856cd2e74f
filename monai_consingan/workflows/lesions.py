"""Make a bank of new lesions of the donors of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan import __version__
from monai_consingan.arrays import wrap_like
from monai_consingan.data import file_sha256
from monai_consingan.data.lesion_bank import (
    BANK_FILE,
    BANK_FORMAT,
    BANK_VERSION,
    LesionBank,
    is_lesion_bank,
    save_lesion,
)
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.figures import save_lesion_sheet
from monai_consingan.folder_lock import leaving_nothing, locked
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.models.training import check_device
from monai_consingan.progress_bar import progress_bar
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.whole_file import sweep, unwritable, whole_file
from monai_consingan.workflows.data_sets.entries import pick_sequences
from monai_consingan.workflows.data_sets.folders import read_scans
from monai_consingan.workflows.data_sets.records import ScanRecord, load_pair, without_paths
from monai_consingan.workflows.lesion_generator import LesionGenerator
from monai_consingan.workflows.lesion_review import write_lesion_review
from monai_consingan.workflows.new_lesion import NewLesion
from monai_consingan.workflows.resumable_folder import ResumableFolder, write_json

__all__ = ["make_lesions"]

_STATE, _SHEET = ".lesions", "lesions.png"


def make_lesions(
    donors: str | Path | Sequence[tuple[str | Path, str | Path]],
    output: str | Path,
    number: int = 20,
    settings: LesionSettings | None = None,
    *,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Make a bank of new lesions of those of a data set's training scans.

    A lesion is made of the donors of one fold only, whose turns come one after the other, so that it can serve that
    fold without a leak. The same donors, settings and number give the same bytes; a run that was killed goes on where
    it was, and ends with the same bytes.

    Args:
        donors: the data set (:py:func:`monai_consingan.workflows.augmentation.read_scans`), or pairs of an image (of
            several sequences in 4D) and its label, which the bank calls ``donor1`` and so on. Scans without a lesion
            are passed over.
        output: folder for ``lesions`` (image, label and valid of each), ``bank.json``, ``lesions.png``, and
            ``review.html`` with its pictures.
        number: how many lesions.
        settings: what they depend on.
        channel, lesion_mask, sequences: see :py:func:`monai_consingan.workflows.augmentation.read_scans`.
        device: where to train, if the method does.
        progress: whether to show progress on the standard error stream.

    Returns:
        What ``bank.json`` says (:py:class:`monai_consingan.data.lesion_bank.LesionBank`).

    Raises:
        ConSinGANError: the data set cannot be used, has no lesion to learn from or scans of different sequences, no
            draw of a lesion passes its checks, or the folder cannot be used or was begun with something else.

    Example::

        make_lesions("datalist.json", "bank", 50, LesionSettings(diameter=(4, 12)))
        augment("datalist.json", "augmented", donors="bank")
    """
    settings = settings or LesionSettings()
    check_device(device)
    check_least(1, number=number)
    if isinstance(donors, str | Path):
        scans = read_scans(donors, channel=channel, lesion_mask=lesion_mask, sequences=sequences).of("training")
    else:
        scans = _pairs(donors, channel, sequences)
    records = [record for record in scans if record.label is not None]
    if not records:
        raise ConSinGANError(f"data set {donors} has no label in its training scans: give one of their lesions.")
    folder = _Folder(output)
    with leaving_nothing(folder.path), locked(folder.path):
        asked = {"number": number, "settings": settings.as_dict(), "scans": [_source(record) for record in records]}
        if is_lesion_bank(folder.path):
            return folder.complete(asked)
        folder.begin(asked)
        try:
            how = {"models": folder.state / "models", "device": device, "progress": progress}
            generators, sources = _generators(records, settings, how)
            with progress_bar(number, 0, "lesions", show=progress) as bar:
                for index in range(number):
                    group = list(generators)[index % len(generators)]
                    if folder.made(index + 1) is None:
                        folder.keep(index + 1, generators[group](index), group, sources[group])
                    bar.update()
            return folder.finish(asked, generators, sources)
        except OSError as error:
            raise unwritable(folder.path, error) from error
        except ConSinGANError:
            folder.undo_if_nothing_is_made()
            raise


def _pairs(
    pairs: Sequence[tuple[str | Path, str | Path]], channel: int | None, sequences: Sequence[str] | None
) -> list[ScanRecord]:
    """Pairs of image and label as the scans of a data set without folds."""
    found = []
    for number, (image, label) in enumerate(pairs, start=1):
        name = f"donor{number}"
        choice = pick_sequences([str(image)], (), name, channel, sequences)
        found.append(ScanRecord(name, Path(image), Path(label), volumes=choice.volumes, sequences=choice.names))
    return found


def _source(record: ScanRecord) -> dict[str, Any]:
    """What is told of a scan: its name in the data set, its fold and its hashes."""
    hashes = {
        f"{name}_sha256": "" if path is None else file_sha256(path)
        for name, path in (("image", record.image), ("label", record.label))
    }
    return {"scan": record.name, "fold": record.fold, **hashes}


def _generators(
    records: list[ScanRecord], settings: LesionSettings, how: Mapping[str, Any]
) -> tuple[dict[int | None, LesionGenerator], dict[int | None, list[dict[str, Any]]]]:
    """A generator for every fold, and what is told of the lesions that it is made of."""
    of_donor: list[ScanRecord] = []
    at_hand: list[ScanRecord] = []

    def donors() -> Iterator[Donor]:
        """The scans with lesions, read one by one."""
        for record in records:
            at_hand.append(record)
            image, label, numbers = load_pair(record, settings.lesion_labels)
            at_hand.clear()
            if label is not None and numbers.any():
                of_donor.append(record)
                yield Donor(image, wrap_like(np.where(numbers > 0, label.numpy()[0], 0)[None], image))

    try:
        whole = LesionGenerator(donors(), settings, **how)
    except ConSinGANError as error:
        told = without_paths(str(error), records)
        if at_hand:  # could not be read, which the error tells of it by its name
            raise ConSinGANError(told) from error
        if not of_donor:
            raise ConSinGANError("The training scans have no lesion: give labels, or other --lesion-labels.") from error
        raise ConSinGANError(f"scan {of_donor[-1].name}: {told}") from error
    owners = [of_donor[number] for number in whole.owners]
    generators, sources = {}, {}
    for fold in sorted({record.fold for record in owners}, key=lambda fold: -1 if fold is None else fold):
        numbers = [number for number, record in enumerate(owners) if record.fold == fold]
        generators[fold] = whole.of_lesions(numbers)
        sources[fold] = [{**_source(owners[number]), "lesion": whole.crops[number].number} for number in numbers]
        generators[fold].sources  # noqa: B018 - whether there are any
    return generators, sources


class _Folder(ResumableFolder):
    """A bank while it is made: the files of its lesions and, hidden, what is told of each."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, _STATE, "bank of lesions")

    def complete(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is told of a bank that is complete, and was asked for alike.

        Raises:
            ConSinGANError: it was not.
        """
        index = LesionBank(self.path).index
        if index.get("asked") != json.loads(json.dumps(asked)):
            raise ConSinGANError(f"output {self.path} holds a bank that was made otherwise: give another folder.")
        return index

    def made(self, number: int) -> dict[str, Any] | None:
        """What is told of a lesion that was made, if its files are as they were written."""
        told = self.read(f"{number:04d}.json")
        try:
            same = told and all(file_sha256(self.path / path) == sha256 for path, sha256 in told["files"].items())
        except ConSinGANError:
            return None
        return told if same else None

    def keep(self, number: int, lesion: NewLesion, fold: int | None, sources: list[dict[str, Any]]) -> None:
        """Write a lesion's files, and what is told of it last."""
        crop = lesion.crop
        files = save_lesion(self.path, number, crop.image, crop.label, crop.valid, crop.spacing)
        source = sources[lesion.source]
        told = {"number": number, "files": files, "fold": fold, "source": [source["scan"], source["lesion"]]}
        self.write(f"{number:04d}.json", {**told, **lesion.about})

    def undo_if_nothing_is_made(self) -> None:
        """Leave nothing of a run that is refused, unless it made something before."""
        if not (self.path / "lesions").exists():
            self.undo()

    def finish(
        self,
        asked: Mapping[str, Any],
        generators: Mapping[int | None, LesionGenerator],
        sources: Mapping[int | None, list[dict[str, Any]]],
    ) -> dict[str, Any]:
        """Write the figure, the page, and what is told of the bank last; without it there is no bank."""
        for place in filter(Path.is_dir, self.path.iterdir()):
            sweep(place)
        donors = [source for group in sources.values() for source in group]
        numbers = {
            fold: [number for number, source in enumerate(donors) if source["fold"] == fold] for fold in generators
        }
        whole = next(iter(generators.values()))
        lesions = [self.made(number) for number in range(1, asked["number"] + 1)]
        told = [{**lesion, "donors": numbers[lesion["fold"]]} for lesion in lesions if lesion is not None]
        index = {
            "format": BANK_FORMAT,
            "version": BANK_VERSION,
            "package": __version__,
            "sequences": list(whole.sequences),
            "lead": whole.sequences[whole.lead],
            "asked": json.loads(json.dumps(asked)),
            "donors": donors,
            "lesions": told,
        }
        bank = LesionBank(self.path, index)
        order = [whole.lead, *(number for number in range(len(whole.sequences)) if number != whole.lead)]
        with whole_file(self.path / _SHEET) as temporary:
            save_lesion_sheet(temporary, _pictured(bank, told, order), [whole.sequences[number] for number in order])
        crops = {
            (source["scan"], source["lesion"]): crop
            for fold, generator in generators.items()
            for source, crop in zip(sources[fold], generator.crops, strict=True)
        }
        write_lesion_review(bank, crops)
        write_json(self.path / BANK_FILE, index)
        self.undo()
        return index


def _pictured(
    bank: LesionBank, lesions: Sequence[Mapping[str, Any]], order: Sequence[int]
) -> Iterator[tuple[NdarrayOrTensor, NdarrayOrTensor, str]]:
    """Image (its sequences in an order), label and text of each lesion, one after another."""
    for lesion in lesions:
        image, label, _ = bank.load(lesion)
        text = f"{lesion['number']} {lesion['kind']}, {lesion['diameter_mm']:.1f} mm, CNR {lesion['value_cnr']:.1f}"
        yield image[list(order)], label, text
