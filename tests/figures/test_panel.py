from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import Panel, PanelRow, SliceView, difference_panel, save_panel, save_rows
from monai_consingan.figures.framing import focus_boxes, head_box, same_size


def head(rows: int = 60, columns: int = 50) -> SliceView:
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / (0.4 * rows)) ** 2 + ((x - columns / 2) / (0.4 * columns)) ** 2 < 1
    return SliceView(np.where(inside, 100.0 + 10 * np.sin(y / 3.0), 0.0), (1.0, 1.0), "R", "A")


def spot(view: SliceView, row: int = 30, column: int = 30, side: int = 6) -> SliceView:
    values = np.zeros(view.values.shape)
    values[row : row + side, column : column + side] = 0.5
    return SliceView(values, view.pixel_mm, view.left, view.top)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_figure_shows_what_became_brighter_and_what_darker(tmp_path: Path) -> None:
    host = head()
    brighter, darker = (SliceView(host.values + sign * 50 * (spot(host).values > 0)) for sign in (1, -1))
    reddish, bluish = [], []
    for number, result in enumerate((brighter, darker)):
        path = tmp_path / f"{number}.png"
        save_panel(path, [Panel("host", host), difference_panel(result, host)], dpi=50)
        shown = pixels(path)[:, : int(2 * 2.7 * 50)]  # without the colour bar
        reddish.append(int((shown[..., 0] - shown[..., 2] > 60).sum()))
        bluish.append(int((shown[..., 2] - shown[..., 0] > 60).sum()))
    assert reddish[0] > 50 and bluish[0] == 0
    assert bluish[1] > 50 and reddish[1] == 0


def test_figure_is_wide_enough_for_all_and_tall_enough_for_the_focus(tmp_path: Path) -> None:
    view = head()
    save_panel(tmp_path / "one.png", [Panel("a", view)], dpi=40)
    save_panel(tmp_path / "three.png", [Panel(name, view) for name in "abc"], dpi=40)
    save_panel(tmp_path / "focus.png", [Panel("a", view, focus=spot(view))], title="title", dpi=40)
    one, three, focus = (pixels(tmp_path / f"{name}.png").shape for name in ("one", "three", "focus"))
    assert three[1] > 2.8 * one[1] and three[0] == one[0]
    assert focus[0] > one[0] + 2.5 * 40 and focus[1] == one[1]


def test_contours_are_drawn_in_the_colour_of_the_legend(tmp_path: Path) -> None:
    view = head()
    for name, masks in (("plain", {}), ("outlined", {"lesion": spot(view)})):
        save_panel(tmp_path / f"{name}.png", [Panel("a", view, masks)], dpi=160)

    def amber(name: str) -> int:
        shown = pixels(tmp_path / f"{name}.png")[:-48]  # without the legend
        return int((np.abs(shown - (255, 176, 0)).max(axis=2) < 40).sum())

    assert amber("plain") == 0
    assert amber("outlined") > 100


def test_panels_share_a_grey_scale_unless_told_otherwise(tmp_path: Path) -> None:
    dim, bright = head(), SliceView(head().values * 4)
    brightness = {}
    for window in ("shared", "own"):
        save_panel(tmp_path / "grey.png", [Panel("bright", bright), Panel("dim", dim, window=window)], dpi=50)
        middle = pixels(tmp_path / "grey.png")[60:120, 180:220]
        brightness[window] = middle.mean()
    save_panel(tmp_path / "grey.png", [Panel("bright", bright), Panel("dim", dim, window=(200, 300))], dpi=50)
    assert brightness["own"] > 1.8 * brightness["shared"]
    assert pixels(tmp_path / "grey.png")[60:120, 180:220].mean() < 2


def test_same_input_gives_the_same_file(tmp_path: Path) -> None:
    view = head()
    for name in ("first.png", "second.png"):
        save_panel(tmp_path / name, [Panel("a", view, {"lesion": spot(view)}, focus=spot(view))], dpi=40)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize("suffix", ["pdf", "svg", "JPG"])
def test_the_suffix_decides_the_format(tmp_path: Path, suffix: str) -> None:
    save_panel(tmp_path / f"figure.{suffix}", [Panel("a", head())], dpi=40)
    assert (tmp_path / f"figure.{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("values", [np.zeros((20, 30)), np.full((20, 30), 7), np.ones((1, 40)), -np.eye(20)])
def test_dull_images_are_drawn_too(values: np.ndarray, tmp_path: Path) -> None:
    view = SliceView(values)
    mask = SliceView(np.ones(values.shape))
    panels = [Panel("a", view, {"all": mask}, focus=mask), difference_panel(view, view, focus=SliceView(0 * values))]
    save_panel(tmp_path / "dull.png", panels, dpi=40)
    assert pixels(tmp_path / "dull.png").size > 0


def test_errors_name_what_does_not_fit(tmp_path: Path) -> None:
    view = head()
    with pytest.raises(ConSinGANError, match="panels is empty"):
        save_panel(tmp_path / "none.png", [])
    with pytest.raises(ConSinGANError, match=r"contour 'lesion' of panel 'a' has the shape \(50, 60\)"):
        Panel("a", view, {"lesion": SliceView(np.zeros((50, 60)))})
    with pytest.raises(ConSinGANError, match="focus of panel 'a'"):
        Panel("a", view, focus=SliceView(np.zeros((50, 60))))
    with pytest.raises(ConSinGANError, match="result and host"):
        difference_panel(view, head(50, 60))


def test_frame_holds_the_head_and_the_masks() -> None:
    values = np.zeros((40, 50))
    values[10:20, 15:30] = 100
    assert head_box(SliceView(values, (1.0, 2.0))) == (7.0, 23.0, 27.0, 63.0)
    assert head_box(SliceView(values), [spot(SliceView(values))]) == (7.0, 39.0, 12.0, 39.0)
    assert same_size([(0, 10, 0, 20), (5, 25, 5, 15)]) == [(-5, 15, 0, 20), (5, 25, 0, 20)]


@given(row=st.integers(0, 50), column=st.integers(0, 40), side=st.integers(1, 10))
def test_focus_is_a_square_in_the_frame_and_holds_the_mask(row: int, column: int, side: int) -> None:
    view = head()
    mask = spot(view, row, column, side)
    frame = (0.0, 60.0, 0.0, 50.0)
    (box, nothing) = focus_boxes([mask, None], [frame, frame])
    assert nothing is None and box is not None
    top, bottom, left, right = box
    assert bottom - top == pytest.approx(right - left)
    assert top >= -1e-9 and left >= -1e-9 and bottom <= 60 + 1e-9 and right <= 50 + 1e-9
    rows, columns = np.nonzero(mask.values)
    assert top <= rows.min() and rows.max() + 1 <= bottom + 1e-9
    assert left <= columns.min() and columns.max() + 1 <= right + 1e-9


def test_rows_lie_below_each_other_at_one_scale(tmp_path: Path) -> None:
    view = head()
    panels = [Panel("a", view, focus=spot(view)), difference_panel(view, head(), focus=spot(view))]
    save_rows(tmp_path / "one.png", [PanelRow(panels)], dpi=40)
    save_rows(tmp_path / "two.png", [PanelRow(panels, "x"), PanelRow(panels, "y")], dpi=40)
    close = PanelRow([panels[0]] * 4, "y", "other", whole=False)
    save_rows(tmp_path / "close.png", [PanelRow(panels, "x"), close], note="a note", dpi=40)
    one, two, mixed = (pixels(tmp_path / f"{name}.png").shape for name in ("one", "two", "close"))
    assert 1.8 * one[0] < two[0] < 2 * one[0]
    assert mixed[1] == two[1] and mixed[0] < two[0]
    with pytest.raises(ConSinGANError, match="panels is empty"):
        save_rows(tmp_path / "none.png", [PanelRow(panels), PanelRow([])])
