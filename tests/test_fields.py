from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from monai_consingan.cli.options import settings_options, taken
from monai_consingan.errors import ConSinGANError
from monai_consingan.fields import Settings, option


@dataclass(frozen=True)
class Some(Settings):
    hidden: int = 0
    count: int | None = option(None, "How many.", required=True)
    edge_mm: float = option(1.0, "How far.", flag="edge", metavar="MM", at_least=0)
    way: str | None = option(None, "How.", choices=("left", "right"))
    ways: tuple[str, ...] = option((), "How, in turn.", choices={"left": 1, "right": 2})
    span: tuple[float, float] = option((0.0, 1.0), "From and to.")
    numbers: tuple[int, int] = option((1, 3), "Least and most.")
    weights: Mapping[str, float] = option(dict, "How often.")
    plain: bool = option(False, "Simply.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--count 2", Some(count=2)),
        ("--count 2 --edge 0.5 --way left --plain", Some(count=2, edge_mm=0.5, way="left", plain=True)),
        ("--count 2 --ways right --ways left --span 1 2", Some(count=2, ways=("right", "left"), span=(1.0, 2.0))),
        ("--count 2 --numbers 4 --weights a=2,b", Some(count=2, numbers=(4, 4), weights={"a": 2.0, "b": 1.0})),
        ("--count 2 --numbers 4,5 --other 6", Some(count=2, numbers=(4, 5))),
    ],
)
def test_options_of_settings(words: str, expected: Some) -> None:
    found: list[object] = []

    @click.command()
    @settings_options(Some)
    @click.option("--other", type=int)
    def command(**options: object) -> None:
        found.extend([Some(**taken(Some, options)), options])

    result = CliRunner().invoke(command, words.split())
    assert result.exit_code == 0, result.output
    assert found == [expected, {"other": 6 if "other" in words else None}]
    page = CliRunner().invoke(command, ["--help"]).output
    assert "--edge MM" in page and "[left|right]" in page and "hidden" not in page


@pytest.mark.parametrize("wrong", [{"way": "up"}, {"ways": ("left", "up")}])
def test_choices(wrong: dict[str, object]) -> None:
    with pytest.raises(ConSinGANError, match=r"is .*up.*, but must be one of left, right"):
        Some(**wrong)


@pytest.mark.parametrize("edge", [-0.1, float("nan")])
def test_least_numbers(edge: float) -> None:
    with pytest.raises(ConSinGANError, match=r"edge mm is .*, but must be 0 or more"):
        Some(edge_mm=edge)
    assert Some(edge_mm=0).edge_mm == 0


def test_plain_values() -> None:
    assert Some(ways=("left",)).as_dict() == {
        "hidden": 0,
        "count": None,
        "edge_mm": 1.0,
        "way": None,
        "ways": ["left"],
        "span": [0.0, 1.0],
        "numbers": [1, 3],
        "weights": {},
        "plain": False,
    }
