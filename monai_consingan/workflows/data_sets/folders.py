"""Data sets of any form: a datalist, or a folder of nnU-Net, of BIDS, of the Decathlon, or with a datalist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.data_sets.bids_folder import read_bids
from monai_consingan.workflows.data_sets.datalists import read_datalist
from monai_consingan.workflows.data_sets.nnunet_folder import read_nnunet
from monai_consingan.workflows.data_sets.records import ScanSet


def read_scans(
    path: str | Path,
    *,
    channel: int | None = None,
    lesion_mask: str | None = None,
    sequences: Sequence[str] | None = None,
) -> ScanSet:
    """Read a data set.

    Args:
        path: a datalist (:py:func:`read_datalist`) or a folder: of nnU-Net (:py:func:`read_nnunet`), of BIDS
            (:py:func:`read_bids`), or one that holds a ``datalist.json``, or the Decathlon's ``dataset.json``.
        channel: number of the only sequence to work on, from 0, where a scan has several.
        lesion_mask: which mask of a BIDS derivative is that of the lesions.
        sequences: names of the sequences to work on; ``None`` for all, and of BIDS for the T1-weighted scans alone.

    Raises:
        ConSinGANError: it is none of these, or has no scans to learn from.
    """
    path = Path(path)
    if not path.exists():
        raise ConSinGANError(f"data set {path} does not exist: give a datalist, or the folder of a data set.")
    if path.is_file():
        return read_datalist(path, channel, sequences)
    if (path / "datalist.json").is_file():
        return read_datalist(path / "datalist.json", channel, sequences)
    if (path / "dataset.json").is_file() and (path / "imagesTr").is_dir():
        if _is_decathlon(path):
            return read_datalist(path / "dataset.json", channel, sequences)
        return read_nnunet(path, channel, sequences)
    if any(item.is_dir() for item in path.glob("sub-*")):
        return read_bids(path, lesion_mask, sequences)
    raise ConSinGANError(
        f"data set {path} is no data set that is known: give a datalist in JSON, or a folder with datalist.json, with "
        "nnU-Net's dataset.json and imagesTr, or with the sub-* of BIDS."
    )


def _is_decathlon(folder: Path) -> bool:
    """Whether a ``dataset.json`` lists files that are there, as those of the Decathlon do; nnU-Net's names none."""
    listed = read_json_dictionary(folder / "dataset.json", "data set").get("training")
    first = listed[0] if isinstance(listed, list) and listed else None
    image = first.get("image") if isinstance(first, Mapping) else None
    return isinstance(image, str) and (folder / image).is_file()
