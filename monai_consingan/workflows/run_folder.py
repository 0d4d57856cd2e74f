"""An output folder in which a run that was killed goes on: what was asked for, and what is known so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_consingan import __version__
from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import leftovers, unwritable, whole_file
from monai_consingan.workflows.outputs import check_output

__all__ = ["ResumableFolder", "write_json"]

_RUN = "run.json"


class ResumableFolder:
    """The output folder of a run of many parts, with what was asked for in ``run.json``.

    Args:
        path: the folder.
        state: folder in it for ``run.json`` and whatever else the run notes for itself.
        kind: what the run is, for errors, such as ``"augmentation"``.
    """

    def __init__(self, path: str | Path, state: str, kind: str) -> None:
        self.path = Path(path).absolute()
        self.state = self.path / state
        self.kind = kind

    def begin(self, asked: Mapping[str, Any]) -> None:
        """Note what is asked for, or find that it is what was asked for before.

        Args:
            asked: all that the result depends on, as plain values. The version of this package is added.

        Raises:
            ConSinGANError: the folder holds something else, or what was asked for before is something else.
        """
        run = json.loads(json.dumps({"version": __version__, **asked}))
        if (self.state / _RUN).is_file():
            changed = sorted(key for key in self.run | run if self.run.get(key) != run.get(key))
            if changed:
                raise ConSinGANError(
                    f"output {self.path} was begun with other values for {', '.join(changed)}: give another folder, or "
                    "the same values."
                )
            return
        check_output(self.path)
        try:
            self.write(_RUN, run)
        except OSError as error:
            raise unwritable(self.path, error) from error

    @cached_property
    def run(self) -> dict[str, Any]:
        """What is asked for.

        Raises:
            ConSinGANError: nothing is.
        """
        found = self.read(_RUN)
        if found is None:
            raise ConSinGANError(f"output {self.path} is of no {self.kind}: give the folder of one.")
        return dict(found)

    def write(self, name: str, values: Any) -> None:
        """Note plain values under a name, such as ``"surveys/scan-1.json"``; they are there whole or not at all."""
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)

    def read(self, name: str) -> Any:
        """What was noted under a name; ``None`` if nothing was.

        Raises:
            ConSinGANError: it cannot be read.
        """
        path = self.state / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConSinGANError(f"{path} cannot be read ({error}): give another output folder.") from error


def write_json(path: Path, values: Any) -> None:
    """Write plain values as a JSON file that appears whole or not at all, and clean up what a kill left of it."""
    for rest in leftovers(path):
        rest.unlink(missing_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
