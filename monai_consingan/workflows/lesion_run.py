"""What ``harmonize``, ``paste`` and ``remove`` share: inputs, the model that redraws, files, figure and report."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.data import (
    Files,
    SequenceFiles,
    Stored,
    as_files,
    load_label,
    read_sequences,
    read_stored,
    save_sequences,
    slices_of,
    thick_slices,
)
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import CaseTransform
from monai_consingan.models.model import MODEL_NAME
from monai_consingan.models.redraw import Redrawing
from monai_consingan.transforms.alteration import altered
from monai_consingan.workflows.case_figure import save_case_figure
from monai_consingan.workflows.outputs import REPORT_NAME, describe_inputs, versions, write_report


@dataclass(frozen=True, kw_only=True)
class LesionRequest(ABC):
    """What ``harmonize``, ``paste`` and ``remove`` are asked for alike.

    Args:
        dims: 3 to work in space, 2 to work slice by slice; ``None`` does what a model, or settings of a training, that
            are given are for, and else works in space unless an axis or a slice is given, or slices are thick
            (:py:func:`monai_consingan.data.work_dims`); a model is then trained for that.
        sequences: names of the sequences to work on, of those of all scans; or of all, in the order of the files or of
            the volumes of a 4D file.
        lead: name of the sequence in which a place is looked for and the lesion is measured; ``None`` takes that in
            which the lesion stands out most (:py:func:`monai_consingan.data.lead_channel`).
        resample: whether sequences on other grids are brought to that of the lead (or the first).
    """

    dims: int | None = None
    sequences: Sequence[str] | None = None
    lead: str | None = None
    resample: bool = False

    @property
    @abstractmethod
    def files(self) -> list[str | Path | None]:
        """The files that are read."""


@dataclass
class LesionCase:
    """A lesion that was pasted or filled, and all that is known of it.

    Args:
        data: the case as :py:class:`monai_consingan.transforms.InsertLesiond` or
            :py:class:`monai_consingan.transforms.FillLesiond` left it.
        check: what measures and checks its result.
        title: title of the figure.
        lesion: key of the mask of where the lesion is, or was: the figure's contour.
        settings: what the user asked for, for the report; ``redrawn`` is added where a model redraws.
        redrawn: more settings for the report where a model redraws.
        warnings: sentences on what the user should know.
        thin: why slices were worked on by themselves though voxels are not too thick for space, if so.
    """

    data: dict[Hashable, Any]
    check: CaseTransform
    title: str
    lesion: str
    settings: dict[str, Any]
    redrawn: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    thin: str = ""

    @property
    def naive(self) -> MetaTensor:
        """The image without a blend."""
        naive: MetaTensor = self.data.get("naive", self.data["image"])
        return naive

    def placement(self) -> dict[str, Any]:
        """Where the lesion went, or how it was filled, for the report."""
        placed, host = self.data["placement"], self.data["host"]
        because = (thick_slices(host) or self.thin) if placed["dims"] == 2 else ""
        told = {**placed, "slices": slices_of(self.data["lesion"], placed["axis"])}
        return {**told, "slices_because": because} if because else told


class LesionRun:
    """A run of ``harmonize``, ``paste`` or ``remove`` in its folder; every input is read once.

    Args:
        command: the command's name.
        folder: the folder to work in.
        asked: what is asked for, of which the run takes what it says of sequences.
    """

    def __init__(self, command: str, folder: Path, asked: LesionRequest) -> None:
        self.command = command
        self.asked = asked
        self.folder = folder
        self.host = "image" if command == "remove" else "host"
        self.begin = time.perf_counter()
        self.cases: dict[str, SequenceFiles] = {}
        self.labels: dict[str, Stored] = {}

    def scan(self, name: str, paths: Files, like: str | None = None, named: Sequence[str] | None = None) -> MetaTensor:
        """Read a case, a scan or several sequences (:py:func:`monai_consingan.data.read_sequences`).

        What was read before is not read again.

        Args:
            name: what it is, for errors and the report.
            paths: its files.
            like: what has the same sequences, in whose order they come.
            named: names of its sequences where they are known, as of a bank; those asked for are then some of these.
        """
        before = None if like is None else self.cases[like]
        if before is not None and {part.path for part in before.parts} == set(as_files(paths)):
            files = replace(before, name=_words(name))
        else:
            asked = self.asked.sequences
            if named is not None and asked is not None:
                some = {one.casefold() for one in asked} <= {one.casefold() for one in named}
                asked = asked if some else None
            files = read_sequences(paths, name=_words(name), sequences=asked if named is None else named)
            files = files if named is None or asked is None else files.choose(asked)
            files = files if before is None else files.in_order_of(before)
        image, self.cases[name] = files.image(self.asked.lead, resample=self.asked.resample)
        return image

    def label(self, name: str, path: str | Path, image: MetaTensor, of: str, **options: Any) -> MetaTensor:
        """Read the label of an image, as :py:func:`monai_consingan.data.load_label` does."""
        self.labels[name] = stored = read_stored(path, name=_words(name), indices=True)
        return load_label(stored, image=image, image_name=_words(of), name=_words(name), **options)

    def finish(
        self, case: LesionCase, seed: int, redrawing: Redrawing | None = None, *, strict: bool = False
    ) -> dict[str, Any]:
        """Let a model redraw the lesion's surroundings, if one is given, check the result, and write all files.

        Args:
            case: what was pasted or filled.
            seed: the seed, for the report.
            redrawing: the model.
            strict: whether a result that does not pass its checks is an error; otherwise ``warnings`` says so.

        Returns:
            The report.

        Raises:
            ConSinGANError: the region does not fit the model, a result does not pass, or a file cannot be written.
        """
        data, told, seconds = case.data, {**case.settings}, 0.0
        image, mask, host = (data[key] for key in ("image", "lesion", "host"))
        if redrawing is None:
            alteration = altered(mask, image, host)
        else:
            where = {name: data["placement"][name] for name in ("axis", "dims")}
            made = redrawing(image, mask, host, data["training"], **where, folder=self.folder)
            image, alteration, seconds = made.image, made.alteration, made.seconds_training
            told |= {**made.model.settings.as_dict(), "blend": redrawing.blend.as_dict(), **case.redrawn}
            told |= {"region_taken": asdict(made.region), "intensities": made.scale.as_dict()}
            if redrawing.model is None:
                made.model.save(self.folder / MODEL_NAME)
        image, cut = self.cases[self.host].held(image, as_array(mask)[0] > 0)  # as it will be stored
        resampled = {name: list(files.resampled) for name, files in self.cases.items() if files.resampled}
        told |= {"resampled": resampled} if resampled else {}
        data = case.check.known({**data, "pred": image})
        measures = case.check.measures(data)
        checks = case.check.checks(data, measures)
        if checks.failed and strict:
            raise ConSinGANError(f"Nothing is written, as {checks.sentence()}")
        report = {
            "command": self.command,
            "inputs": describe_inputs({**self.cases, **self.labels, **({} if redrawing is None else redrawing.files)}),
            "placement": case.placement(),
            "seed": seed,
            "versions": versions(),
            "settings": told,
            **measures,
            "checks": checks.as_dict(),
            "warnings": [
                *case.warnings,
                *map(_capital, cut),
                *([_capital(checks.sentence())] if checks.failed else []),
            ],
            **({} if self.command == "paste" else {"seconds_training": seconds}),
        }
        files = self._save(case, image, alteration, is_redrawn=redrawing is not None)
        if len(files["image"]) > 1:
            report["sequence_files"] = files
        report["seconds"] = time.perf_counter() - self.begin
        write_report(self.folder / REPORT_NAME, report)
        return report

    def _save(
        self, case: LesionCase, image: MetaTensor, alteration: MetaTensor, *, is_redrawn: bool
    ) -> dict[str, list[str]]:
        """Write images, label and figure; the names of the files of the images."""
        host = self.cases[self.host]
        files = {"image": save_sequences(self.folder, "image", image, host, alteration=alteration)}
        host.save_label(self.folder, "label", case.data["label"])
        host.save_label(self.folder, "alteration", alteration)
        if self.command != "paste":
            files["naive"] = save_sequences(self.folder, "naive", case.naive, host, alteration=alteration)
        shows_naive = is_redrawn or self.command == "harmonize"
        data = case.data
        save_case_figure(
            self.folder / "figure.png",
            title=case.title,
            images={self.host: data["host"], **({"naive": case.naive} if shows_naive else {}), "result": image},
            lesion=data[case.lesion],
            alteration=alteration,
            axis=data["placement"]["axis"],
            donor=(data["donor"], data["donor_lesion"]) if "donor" in data else None,
            lead=data["lead"],
        )
        return files


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _words(name: str) -> str:
    return name.replace("_", " ")
