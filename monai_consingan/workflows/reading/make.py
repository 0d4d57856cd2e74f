"""A page with real and synthetic cases in random order, and the key to it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import load_label
from monai_consingan.data.sequences import named_sequences, sequence_names
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.figures.lesion_card import CardView, save_card
from monai_consingan.names import real_path
from monai_consingan.transforms.insertion.placement import find_placement
from monai_consingan.transforms.whole_voxels import move
from monai_consingan.workflows.augmentation import ScanRecord, read_scans
from monai_consingan.workflows.augmentation.merge import left_out
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.data_sets.records import load_pair
from monai_consingan.workflows.outputs import output_folder, refuse_links
from monai_consingan.workflows.resumable_folder import write_json
from monai_consingan.workflows.review.page import fill_page

KEY_FORMAT = "monai-consingan key 1"
"""What the key calls itself."""

_POOL = 3  # real lesions that are looked at for each that is shown, so that sizes can be alike
_QUESTIONS = {
    "augment": "Is the lesion in the middle of the pictures real or synthetic?",
    "twins": "Was a lesion removed from the middle of the pictures (synthetic), or was there never one (real)?",
}


@dataclass
class _Shown:
    """A case: an image and the place that is looked at."""

    image: MetaTensor
    mask: np.ndarray
    scan: str
    lesion: int

    @property
    def volume_mm3(self) -> float:
        """Volume of the lesion in mm3."""
        return float(self.mask.sum() * math.prod(spacing_of(self.image)))


def make_reading(
    result: str | Path,
    real: str | Path,
    output: str | Path,
    *,
    number: int = 40,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Make a page on which real and synthetic cases are read without knowing which is which.

    Half of the cases are lesions that :py:func:`~monai_consingan.workflows.augmentation.augment` put in, and half are
    lesions of the real scans, of sizes as alike as can be found. Of lesion-free twins, half are places from which a
    lesion was removed, and half are places of the same shape where there never was one. What was rejected in a review
    is left out.

    Args:
        result: the output folder of ``augment`` or ``twins``.
        real: a data set with real scans and their labels, as ``augment`` takes it.
        output: folder for ``page``, which is all that readers get, and ``key.json``, which they must not see.
        number: how many cases, an even number.
        seed: seed of the choice and of the order.
        overwrite: whether the folder may hold something already.

    Returns:
        The page.

    Raises:
        ConSinGANError: there are too few cases of either kind, a file cannot be used, or the folder cannot.
    """
    if number < 2 or number % 2:
        raise ConSinGANError(f"number is {number}, but must be an even number of cases, 2 or more.")
    folder = RunFolder(result)
    command = folder.run["command"]
    rng = np.random.RandomState(seed)
    made = _taken(_synthetic(folder, rng), number // 2, "synthetic", result)
    records = _real_scans(real, folder)
    records = [records[i] for i in rng.permutation(len(records))]
    if command == "twins":
        untouched = _taken(_untouched(records, made, rng), len(made), "real", real)
    else:
        lesions = _real(records, folder.settings.lesion_labels, made[0].image, rng)
        untouched = _alike(_taken(lesions, len(made), "real", real, _POOL * len(made)), made)
    cases = [(case, "synthetic") for case in made] + [(case, "real") for case in untouched]
    cases = [cases[i] for i in rng.permutation(len(cases))]
    told = {
        f"{place:03d}": {"answer": answer, "scan": case.scan, "lesion": case.lesion, "volume_mm3": case.volume_mm3}
        for place, (case, answer) in enumerate(cases, start=1)
    }
    name = hashlib.sha256(json.dumps([folder.token, seed, told], sort_keys=True).encode()).hexdigest()[:16]
    with output_folder(output, overwrite=overwrite, inputs=[result, real]) as partial:
        before = Path(output) / "page"
        for place in (Path(output), before):
            refuse_links(place)
        pictures = partial / "page" / "pictures"
        pictures.mkdir(parents=True)
        for case_name, (case, _) in zip(told, cases, strict=True):
            view = CardView.of(case.mask[None].astype(np.uint8), case.image)
            save_card(pictures / f"{case_name}.png", case.image, view)
        content = {
            "reading": name,
            "title": f"{number} cases to read",
            "question": _QUESTIONS[command],
            "sequences": list(sequence_names(made[0].image)),
            "cases": [{"name": case_name, "picture": f"pictures/{case_name}.png"} for case_name in told],
        }
        (partial / "page" / "reading.html").write_text(fill_page("reading", content), encoding="utf-8")
        key = {"format": KEY_FORMAT, "reading": name, "command": command, "seed": seed, "cases": told}
        write_json(partial / "key.json", key, indent=2)
        for picture in (before / "pictures").glob("[0-9]*.png"):  # of an earlier reading of more cases
            if picture.stem not in told:
                picture.unlink()
    return Path(output) / "page" / "reading.html"


def _real_scans(real: str | Path, folder: RunFolder) -> list[ScanRecord]:
    """The real scans, with the sequences and labels that were chosen for the result if it was made of them."""
    own = folder.scans
    if real_path(real) == real_path(own.root):  # a folder, of which something may have to be chosen
        return list(own.records)
    given, inside = read_scans(real).records, real_path(folder.path)
    if {record.label for record in given} == {record.label for record in own.records}:
        return list(own.records)
    return [record for record in given if inside not in real_path(record.image).parents]


def _taken(cases: Iterator[_Shown], fewest: int, kind: str, where: Any, most: int = 0) -> list[_Shown]:
    found = list(islice(cases, most or fewest))
    if len(found) < fewest:
        raise ConSinGANError(f"{where} has {len(found)} {kind} cases, but {fewest} are asked for: give a lower number.")
    return found


def _synthetic(folder: RunFolder, rng: np.random.RandomState) -> Iterator[_Shown]:
    """What was put in or taken out, in random order; of the lesions of one scan, one after the other."""
    rejected = left_out(folder.path)
    made = [told for told in folder.made() if told["name"] not in rejected]
    for told in (made[place] for place in rng.permutation(len(made))):
        image, _, _ = load_pair(folder.record(told))
        marks = load_label(folder.path / told[folder.settings.numbers], image=image).numpy()[0]
        for lesion in told["lesions"]:
            yield _Shown(image, marks == lesion["instance"], told["name"], lesion["instance"])


def _real(
    records: list[ScanRecord], lesion_labels: Sequence[int], like: MetaTensor, rng: np.random.RandomState
) -> Iterator[_Shown]:
    """Real lesions, those of a scan in random order."""
    for record in records:
        image, _, numbers = load_pair(record, lesion_labels)
        image = _in_sequences_of(like, image, record)
        for lesion in 1 + rng.permutation(int(numbers.max(initial=0))):
            yield _Shown(image, numbers == lesion, record.name, int(lesion))


def _untouched(records: list[ScanRecord], made: list[_Shown], rng: np.random.RandomState) -> Iterator[_Shown]:
    """Places of real scans, in the shape of those from which lesions were removed."""
    for turn in range(len(records) * len(made)):
        record, case = records[turn % len(records)], made[turn % len(made)]
        image, label, _ = load_pair(record)
        image = _in_sequences_of(case.image, image, record)
        if image.shape != case.image.shape or not np.allclose(spacing_of(image), spacing_of(case.image), rtol=1e-3):
            continue
        try:
            place = find_placement(
                as_array(image)[0],
                as_array(image)[0],
                case.mask.astype(np.uint8),
                spacing=spacing_of(image),
                rng=rng,
                host_label=None if label is None else as_array(label)[0],
            )
        except NoPlaceError:
            continue
        yield _Shown(image, move(case.mask, place.offset), record.name, 0)


def _in_sequences_of(synthetic: MetaTensor, image: MetaTensor, record: ScanRecord) -> MetaTensor:
    """A real scan in the sequences of a synthetic one, as readers could tell them apart by others.

    Raises:
        ConSinGANError: it has not these.
    """
    wanted, own = named_sequences(synthetic), named_sequences(image)
    if wanted and set(wanted) <= set(own):
        chosen: Any = image[[own.index(name) for name in wanted]]
        return chosen
    if len(image) == len(synthetic) and not (len(image) > 1 and wanted and own):
        return image
    raise ConSinGANError(
        f"scan {record.name} has the sequences {', '.join(sequence_names(image))}, but the synthetic scans have "
        f"{', '.join(sequence_names(synthetic))}: give the data set that these were made of."
    )


def _alike(pool: list[_Shown], made: list[_Shown]) -> list[_Shown]:
    """As many of a pool as were made, each of the volume that is nearest to one of theirs."""
    chosen = []
    for case in sorted(made, key=lambda case: -case.volume_mm3):
        wanted = math.log(case.volume_mm3)
        nearest = min(range(len(pool)), key=lambda i: abs(math.log(pool[i].volume_mm3) - wanted))
        chosen.append(pool.pop(nearest))
    return chosen
