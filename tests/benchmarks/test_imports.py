"""The scripts import each other in one direction only."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_no_circle() -> None:
    graph = {path.stem: _imports(path) for path in SCRIPTS.glob("*.py")}
    assert "_plain" in graph["_steps"]
    TopologicalSorter(graph).prepare()  # raises CycleError
