"""Where the files of synthetic scans go."""

from __future__ import annotations

import re
from typing import Any

from monai_consingan.data import SequenceFiles
from monai_consingan.data.sequence_files import sequence_file_names
from monai_consingan.workflows.augmentation.plan import ScanTask
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet


def sequence_numbers(scans: ScanSet, files: SequenceFiles) -> list[str] | None:
    """What names the files of the sequences in place of their names: numbers, in nnU-Net's raw data."""
    return [f"{number:04d}" for number in range(len(files.parts))] if scans.kind == "nnunet" else None


def output_paths(
    scans: ScanSet, record: ScanRecord, files: SequenceFiles, task: ScanTask, numbers: str
) -> dict[str, Any]:
    """Where the files of a synthetic scan go.

    They are ``images/NAME...``, ``labels/NAME...`` and a folder for the lesions' numbers; of BIDS they lie in the
    subject's folder, under the names of BIDS derivatives.

    Args:
        scans: the data set.
        record: the scan that it is made of.
        files: what the files of that hold.
        task: what is made.
        numbers: what the file with the lesions' numbers is called.

    Returns:
        ``images``, the paths of its images; ``label`` and, by its name, the path of the lesions' numbers;
        ``provenance``; and ``files``, the path of each file of the workplace.
    """
    made = sequence_file_names("image", files, sequence_numbers(scans, files))
    if scans.kind == "bids":
        place = record.image.parent.relative_to(scans.root).as_posix()
        entity = f"desc-{re.sub('[^A-Za-z0-9]', '', task.name.removeprefix(record.name))}"
        images = []
        for path in record.images if len(made) > 1 else record.images[:1]:
            start, suffix = path.name.split(".")[0].rsplit("_", 1)
            images.append(f"{place}/{start}_{entity}_{suffix}{files.suffix}")
        subject = "_".join(part for part in record.image.name.split("_") if part.startswith(("sub-", "ses-")))
        label = f"{place}/{subject}_{entity}_dseg{files.suffix}"
        others = f"{place}/{subject}_{entity}{numbers}_dseg{files.suffix}"
        provenance = f"{place}/{subject}_{entity}_dseg.json"
    else:
        images = [f"images/{task.name}{name.removeprefix('image')}" for name in made]
        label, others = f"labels/{task.name}{files.suffix}", f"{numbers}/{task.name}{files.suffix}"
        provenance = f"images/{task.name}.json"
    work = {f"label{files.suffix}": label, f"{numbers}{files.suffix}": others}
    return {
        "files": {**dict(zip(made, images, strict=True)), **work},
        "images": images,
        "label": label,
        numbers: others,
        "provenance": provenance,
    }
