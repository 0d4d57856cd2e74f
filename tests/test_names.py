from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.names import safe_name, unique_names

SAFE = set(string.ascii_letters + string.digits + "._-")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("1.2.840.1", "1.2.840.1"),
        ("a/x y", "a-x-y"),
        ("..", "case"),
        ("../../etc", "etc"),
        ("/", "case"),
        ("", "case"),
        ("NUL.txt", "case"),
        ("x" * 300, "x" * 150),
    ],
)
def test_safe_name(name: str, safe: str) -> None:
    assert safe_name(name, "case") == safe


@given(st.text())
def test_safe_names_are_names_of_files_and_stay(name: str) -> None:
    safe = safe_name(name, "case")
    assert set(safe) <= SAFE and 0 < len(safe) <= 150 and safe[0] not in ".-" and safe[-1] not in ".-"
    assert safe_name(safe, "case") == safe


def test_a_number_is_not_the_name_of_another() -> None:
    assert unique_names(["p", "p", "p_2"]) == ["p", "p_3", "p_2"]
    assert unique_names(["p", "P", "q"], ["q", "q_2"]) == ["p", "P_2", "q_3"]


@given(st.lists(st.sampled_from(["a", "A", "a_2", "a_3", "a_2_2", "b"])), st.lists(st.sampled_from(["a", "b_2"])))
def test_unique_names(names: list[str], taken: list[str]) -> None:
    given = unique_names(names, taken)
    folded = [name.casefold() for name in given]
    assert len(set(folded)) == len(names) and not set(folded) & set(taken)
    for number, name in enumerate(names):
        if name.casefold() not in {before.casefold() for before in names[:number]} | set(taken):
            assert given[number] == name
