from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json, read_json_dictionary, read_table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_with_and_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text('{"name": "Müller"}', encoding=encoding)
    assert read_json_dictionary(tmp_path / "a.json", "list") == {"name": "Müller"}
    (tmp_path / "a.tsv").write_text("Participant_ID\t split \r\nsub-1\ttest \r\n\r\nsub-2\r\n", encoding=encoding)
    assert read_table(tmp_path / "a.tsv", "table") == [
        {"participant_id": "sub-1", "split": "test"},
        {"participant_id": "sub-2"},
    ]


DAMAGED = {
    "missing": (None, "No such file"),
    "latin-1": ('{"name": "Müller"}'.encode("latin-1"), "byte 11 is no UTF-8: save it as UTF-8"),
    "utf-16": ("{}".encode("utf-16"), "byte 0 is no UTF-8"),
    "cut": (b'{"a": [1, 2', "line 1"),
    "empty": (b"", "line 1"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "long number": (b"1" * 5000, "digit"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_json_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    content, words = DAMAGED[kind]
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ConSinGANError, match=rf"^list .*a\.json cannot be read \(.*{words}.*\): give another\.$"):
        read_json(tmp_path / "a.json", "list", remedy="give another")


@pytest.mark.parametrize("content", [[1], 1, None, "text"])
def test_json_of_another_kind(tmp_path: Path, content: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ConSinGANError, match=r"list .*a\.json holds no dictionary: give a JSON file"):
        read_json_dictionary(tmp_path / "a.json", "list")


@given(content=st.binary(max_size=60))
def test_a_table_of_any_bytes_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    path.write_bytes(content)
    try:
        rows = read_table(path, "table")
    except ConSinGANError as error:
        assert "a.tsv" in str(error)
    else:
        assert all(isinstance(cell, str) for row in rows for cell in row.values())


def test_a_row_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2\n1\t2\t3\n")
    with pytest.raises(ConSinGANError, match=r"table .*a\.tsv has 3 cells in line 3, but 2 columns"):
        read_table(tmp_path / "a.tsv", "table")
