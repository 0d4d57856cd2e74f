from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.workflows.case_figure import save_case_figure


def draw(path: Path, shape: tuple[int, ...], spacing: float = 1.0, **options: object) -> tuple[int, int]:
    """Width and height in pixels of the figure of a case, its image of any shape, its last axis that of slices."""
    affine = torch.diag(torch.tensor([-1.0, -1.0, spacing, 1.0]))
    host = MetaTensor(torch.as_tensor(np.random.default_rng(0).random(shape, dtype=np.float32)), affine=affine)
    lesion = MetaTensor(torch.zeros(1, *shape[1:]), affine=affine)
    lesion[:, 10:15, 12:20, ...] = 1
    images = {"host": host, "naive": host + lesion, "result": host + 0.5 * lesion}
    axis = 2 if len(shape) == 4 else None
    if options.pop("donor", False):
        options["donor"] = host, lesion
    save_case_figure(path, title="t", images=images, lesion=lesion, alteration=lesion, axis=axis, **options)  # type: ignore[arg-type]
    with Image.open(path) as figure:
        return figure.size


@pytest.mark.parametrize("shape", [(1, 30, 40), (1, 30, 40, 12), (2, 30, 40), (2, 30, 40, 12)])
def test_a_donor_is_one_more_column(tmp_path: Path, shape: tuple[int, ...]) -> None:
    width, height = draw(tmp_path / "f.png", shape)
    wider, as_high = draw(tmp_path / "f.png", shape, donor=True)
    assert wider > width + 300
    assert len(shape) == 4 or shape[0] > 1 or as_high == height


def test_volumes_are_shown_in_three_planes_and_thick_slices_in_their_own(tmp_path: Path) -> None:
    picture = draw(tmp_path / "f.png", (1, 30, 40))
    volume = draw(tmp_path / "f.png", (1, 30, 40, 20))
    thick = draw(tmp_path / "f.png", (1, 30, 40, 5), 6.0)
    assert volume[1] > 2 * picture[1]
    assert picture[1] < thick[1] < picture[1] + 60  # a line that says so


def test_other_sequences_have_a_row_each(tmp_path: Path) -> None:
    one, two, four = (draw(tmp_path / "f.png", (count, 30, 40, 20)) for count in (1, 2, 4))
    row = two[1] - one[1]
    assert row > 150
    assert abs(four[1] - (one[1] + 3 * row)) < 120  # the titles stand there once
    assert draw(tmp_path / "f.png", (2, 30, 40, 20), lead=1) == two
