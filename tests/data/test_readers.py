"""Multi-frame DICOM is read by where its frames lie, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError

SHAPE = (6, 5, 4)
ROW, COLUMN = np.array([0.8, 0.6, 0.0]), np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ROW, COLUMN)
ORIGIN = np.array([-30.0, 20.0, 7.0])
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def numbers() -> np.ndarray:
    return np.random.RandomState(0).randint(0, 4000, SHAPE).astype(np.uint16)


def group(**values: Any) -> list[Dataset]:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return [item]


def write(path: Path, order: list[int], **changed: Any) -> Path:
    """Frames of 0.9 x 0.7 mm, 3 mm apart, stored in an order."""
    heights = changed.get("heights", [3.0 * k for k in range(SHAPE[2])])
    scan = Dataset()
    scan.file_meta = FileMetaDataset()
    scan.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    scan.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan.SOPClassUID = scan.file_meta.MediaStorageSOPClassUID
    scan.SOPInstanceUID = scan.file_meta.MediaStorageSOPInstanceUID
    scan.StudyInstanceUID, scan.SeriesInstanceUID, scan.Modality = "1.2.3", "1.2.4", "MR"
    scan.SamplesPerPixel, scan.PhotometricInterpretation, scan.PixelRepresentation = 1, "MONOCHROME2", 0
    scan.BitsAllocated, scan.BitsStored, scan.HighBit = 16, 16, 15
    scan.Columns, scan.Rows, scan.NumberOfFrames = SHAPE
    frames = []
    for number, k in enumerate(order):
        frame = Dataset()
        place = ORIGIN + heights[k] * NORMAL + changed.get("aside", 0) * k * ROW
        if changed.get("placed", True):
            frame.PlanePositionSequence = group(ImagePositionPatient=[f"{x:.6f}" for x in place])
        if "slopes" in changed:
            frame.PixelValueTransformationSequence = group(RescaleSlope=changed["slopes"][number], RescaleIntercept=0)
        frames.append(frame)
    scan.PerFrameFunctionalGroupsSequence = frames
    shared = Dataset()
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.9, 0.7], SliceThickness=3.0)
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=[*ROW, *COLUMN])
    scan.SharedFunctionalGroupsSequence = [shared]
    scan.PixelData = np.ascontiguousarray(numbers().transpose(2, 1, 0)[order]).tobytes()
    scan.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]])
@pytest.mark.parametrize("in_folder", [False, True])
def test_frames_are_sorted_by_their_positions(tmp_path: Path, order: list[int], in_folder: bool) -> None:
    path = write(tmp_path / "scan.dcm", order)
    scan = load_scan(tmp_path if in_folder else path)
    np.testing.assert_array_equal(scan[0], numbers())
    wanted = np.eye(4)
    wanted[:3] = np.stack([0.7 * ROW, 0.9 * COLUMN, 3 * NORMAL, ORIGIN], axis=1)
    np.testing.assert_allclose(scan.affine, LPS_TO_RAS @ wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"heights": [0, 3, 9, 12]}, "unevenly spaced frames"),
        ({"heights": [0, 3, 3, 6]}, "several frames at one place"),
        ({"aside": 0.5}, "unevenly spaced frames"),
        ({"placed": False}, "4 frames that do not all say where they lie"),
        ({"slopes": [1, 1, 2, 1]}, "frames with 2 scalings"),
    ],
)
def test_what_is_no_even_stack_is_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "scan.dcm", [0, 1, 2, 3], **changed)
    with pytest.raises(ConSinGANError, match=rf"scan\.dcm has {words}"):
        load_scan(path)


def test_several_such_files_in_a_folder(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        write(tmp_path / name, [0, 1, 2, 3])
    with pytest.raises(ConSinGANError, match="holds 2 files of several frames beside other files"):
        load_scan(tmp_path)
