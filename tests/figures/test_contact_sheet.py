from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import contact_sheet, save_contact_sheet, save_lesion_sheet
from monai_consingan.figures.contact_sheet import GAP, LINE


def test_each_set_has_a_row_of_evenly_spread_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_sheet, "COLUMNS", 3)
    monkeypatch.setattr(contact_sheet, "SIDE", 40)
    levels = {"real": [10, 30, 50, 70, 90], "synthetic": [200]}
    rows: dict[str, list[Path]] = {}
    for name, greys in levels.items():
        rows[name] = [tmp_path / f"{name}{grey}.png" for grey in greys]
        for file, grey in zip(rows[name], greys, strict=True):
            Image.new("L", (20, 10), grey).save(file)
    save_contact_sheet(tmp_path / "sheet.png", rows)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * (LINE + 40 + GAP), GAP + 3 * (40 + GAP))
    middle = [LINE + 20 + row * (LINE + 40 + GAP) for row in (0, 1)]
    centres = [GAP + 20 + column * (40 + GAP) for column in range(3)]
    assert [int(sheet[middle[0], centre]) for centre in centres] == [10, 50, 90]
    assert [int(sheet[middle[1], centre]) for centre in centres] == [200, 255, 255]
    # A picture of 20 x 10 pixels keeps its shape: black above and below it.
    assert [int(sheet[LINE + row, centres[1]]) for row in (5, 12, 27, 35)] == [0, 50, 50, 0]


def test_needs_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="needs pictures"):
        save_contact_sheet(tmp_path / "sheet.png", {"real": []})


def test_a_lesion_is_shown_in_every_sequence_and_outlined_in_the_first(tmp_path: Path) -> None:
    image = np.zeros((2, 20, 20, 20), np.float32)
    image[0, :10], image[1, :, :10] = 1, 1
    label = np.zeros((1, 20, 20, 20), np.uint8)
    label[0, 6:14, 6:14, 6:14] = 1
    save_lesion_sheet(tmp_path / "two.png", [(image, label, "one")] * 3, ["t1ce", "flair"])
    sheet = np.asarray(Image.open(tmp_path / "two.png")).astype(int)
    side, gap, line = contact_sheet._LESION_SIDE, contact_sheet._LESION_GAP, contact_sheet._LESION_LINE
    group = 3 * (side + gap)
    assert sheet.shape == (gap + 2 * (line + side + gap), gap + 4 * group, 3)
    rows, red = slice(gap + line, gap + line + side), (sheet[..., 0] - sheet[..., 1]) > 100
    parts = [slice(gap + channel * group, gap + channel * group + 3 * side) for channel in range(4)]
    assert [bool(red[rows, part].any()) for part in parts] == [True, False, True, False]
    first, second = (sheet[rows, part] for part in parts[:2])
    assert 0.2 < (second > 200).mean() < 0.8
    assert (np.abs(first - second) > 100).mean() > 0.2  # each its own sequence
    below = slice(rows.start + line + side + gap, rows.stop + line + side + gap)
    np.testing.assert_array_equal(sheet[below, parts[0]], sheet[rows, parts[0]])


def test_a_sheet_of_no_lesions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="needs lesions"):
        save_lesion_sheet(tmp_path / "none.png", [])
