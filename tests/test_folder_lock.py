from __future__ import annotations

from pathlib import Path

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked, locked_part


def test_parts_share_a_folder_and_the_whole_does_not(tmp_path: Path) -> None:
    with locked(tmp_path / "out", wait=1), locked_part(tmp_path / "out", "1-of-2"):
        pass
    (tmp_path / "out").mkdir()
    with locked_part(tmp_path / "out", "1-of-2"), locked_part(tmp_path / "out", "2-of-2"):
        with pytest.raises(ConSinGANError, match="in use"), locked_part(tmp_path / "out", "2-of-2"):
            pass
        with pytest.raises(ConSinGANError, match="in use"), locked(tmp_path / "out"):
            pass
        with locked(tmp_path / "out", wait=1):
            pass
    with locked(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []
