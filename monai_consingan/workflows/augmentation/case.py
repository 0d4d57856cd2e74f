"""A scan while its lesions are put in or taken out, where its files go, and the reasons why a lesion is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.data import SequenceFiles
from monai_consingan.data.sequence_files import sequence_file_names
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Limits, beyond
from monai_consingan.models.model import TrainedModel
from monai_consingan.workflows.augmentation.plan import ScanTask
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet, without_paths


class Refusal(ConSinGANError):
    """A change of a scan that does not enter the data set.

    Args:
        reason: the kind of reason, one of a few, to be counted.
        detail: one sentence.
        how: the method that was tried, if it came so far.
    """

    def __init__(self, reason: str, detail: str, how: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.how = how


@contextmanager
def refused(reason: str, how: str = "", hide: ScanRecord | None = None) -> Iterator[None]:
    """What goes wrong in here is a :py:class:`Refusal` for a reason, which does not tell the paths of a scan."""
    try:
        yield
    except ConSinGANError as error:
        detail = str(error) if hide is None else without_paths(str(error), [hide])
        raise Refusal(reason, detail, how) from error


def require(measures: Mapping[str, float], limits: Limits, how: str, of: str = "") -> None:
    """Refuse a result one of whose measures is not a number within its limits.

    Args:
        measures: the measures by name.
        limits: what they may be (:py:func:`monai_consingan.metrics.beyond`).
        how: the method that it was made by.
        of: what is told behind it, such as `` in flair``.

    Raises:
        Refusal: the first measure that is out of its limits.
    """
    for name, detail in beyond(measures, limits).items():
        raise Refusal(name, detail + of, how)


@dataclass
class Case:
    """A scan while its lesions are put in or taken out.

    Args:
        task: what is to be made.
        record: the scan in the data set.
        files: what its files hold.
        original: the scan as it was, (C, \\*spatial).
        image: the scan so far.
        label: its label so far, whole numbers (1, \\*spatial).
        numbers: numbers of its lesions so far, whole numbers (\\*spatial).
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        dims: 3 for work in space, 2 for work slice by slice.
        measured: 3 for measures in space, 2 for measures within slices, as the lesions of the data set were measured.
        model: its model and the model's name in the bank (or the hash of its file), if there is one.
        no_model: why there is none, if there should be one.
        lesions: what is told of each lesion that was put in or taken out.
        refused: what is told of each refusal.
        warnings: what else the user should know.
    """

    task: ScanTask
    record: ScanRecord
    files: SequenceFiles
    original: MetaTensor
    image: MetaTensor
    label: Any
    numbers: np.ndarray
    axis: int | None
    dims: int
    measured: int
    model: tuple[TrainedModel, str] | None = None
    no_model: str = ""
    lesions: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def across(self) -> int | None:
        """The axis perpendicular to the slices, where these are worked on one by one; ``None`` for work in space."""
        return self.axis if self.dims == 2 else None

    def refuse(self, refusal: Refusal, **about: Any) -> None:
        """Note a refusal, and what it is about."""
        self.refused.append({**about, "reason": refusal.reason, "how": refusal.how, "detail": str(refusal)})

    def sequence_numbers(self, scans: ScanSet) -> list[str] | None:
        """What names the files of the sequences in place of their names: numbers, in nnU-Net's raw data."""
        return [f"{number:04d}" for number in range(len(self.files.parts))] if scans.kind == "nnunet" else None

    def output_paths(self, scans: ScanSet, numbers: str) -> dict[str, Any]:
        """Where the files of the synthetic scan go.

        They are ``images/NAME...``, ``labels/NAME...`` and a folder for the lesions' numbers; of BIDS they lie in the
        subject's folder, under the names of BIDS derivatives.

        Args:
            scans: the data set.
            numbers: what the file with the lesions' numbers is called.

        Returns:
            ``images``, the paths of its images; ``label`` and, by its name, the path of the lesions' numbers;
            ``provenance``; and ``files``, the path of each file of the workplace.
        """
        record, name, suffix = self.record, self.task.name, self.files.suffix
        made = sequence_file_names("image", self.files, self.sequence_numbers(scans))
        if scans.kind == "bids":
            place = record.image.parent.relative_to(scans.root).as_posix()
            entity = f"desc-{re.sub('[^A-Za-z0-9]', '', name.removeprefix(record.name))}"
            images = []
            for path in record.images if len(made) > 1 else record.images[:1]:
                start, kind = path.name.split(".")[0].rsplit("_", 1)
                images.append(f"{place}/{start}_{entity}_{kind}{suffix}")
            subject = "_".join(part for part in record.image.name.split("_") if part.startswith(("sub-", "ses-")))
            label = f"{place}/{subject}_{entity}_dseg{suffix}"
            others = f"{place}/{subject}_{entity}{numbers}_dseg{suffix}"
            provenance = f"{place}/{subject}_{entity}_dseg.json"
        else:
            images = [f"images/{name}{file.removeprefix('image')}" for file in made]
            label, others = f"labels/{name}{suffix}", f"{numbers}/{name}{suffix}"
            provenance = f"images/{name}.json"
        work = {f"label{suffix}": label, f"{numbers}{suffix}": others}
        return {
            "files": {**dict(zip(made, images, strict=True)), **work},
            "images": images,
            "label": label,
            numbers: others,
            "provenance": provenance,
        }
