"""An output folder in which a run that was killed goes on: what was asked for, and what is known so far."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_consingan import __version__
from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import leftovers, sweep, unwritable, whole_file
from monai_consingan.workflows.outputs import check_output, refuse_links

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
        """Note what is asked for, or find that it is what was asked for before. The folder has to be locked.

        Args:
            asked: all that the result depends on, as plain values. The version of this package is added.

        Raises:
            ConSinGANError: the folder holds something else, or what was asked for before is something else.
        """
        run = json.loads(json.dumps({"version": __version__, **asked}))
        refuse_links(self.path)
        try:
            if (self.state / _RUN).is_file():
                changed = sorted(key for key in self.run | run if not self.fits(key, self.run.get(key), run.get(key)))
                if changed:
                    raise ConSinGANError(
                        f"output {self.path} was begun with other values for {', '.join(changed)}: give another "
                        "folder, or the same values."
                    )
            else:
                sweep(self.path)
                check_output(self.path, besides=[] if self.state == self.path else [self.state.name])
                self.undo()  # what a run left that was killed before this
            if self.__dict__.get("run") != run:
                self.write(_RUN, run)
                self.run = run
        except OSError as error:
            raise unwritable(self.path, error) from error

    def fits(self, key: str, before: Any, now: Any) -> bool:
        """Whether a run may go on in which something that was asked for is now something else."""
        return bool(before == now)

    def undo(self) -> None:
        """Leave nothing of a run that has made nothing."""
        if self.state == self.path:
            (self.path / _RUN).unlink(missing_ok=True)
        else:
            shutil.rmtree(self.state, ignore_errors=True)

    @cached_property
    def run(self) -> dict[str, Any]:
        """What is asked for.

        Raises:
            ConSinGANError: nothing is, or what was noted is damaged.
        """
        remedy = f"delete {self.path}, or give another folder"
        found = self.read(_RUN, remedy=remedy)
        if found is None:
            raise ConSinGANError(f"output {self.path} is of no {self.kind}: give the folder of one.")
        if not isinstance(found, dict):
            raise self.damaged(_RUN, "it holds no dictionary", remedy)
        return found

    def write(self, name: str, values: Any) -> None:
        """Note plain values under a name, such as ``"surveys/scan-1.json"``; they are there whole or not at all."""
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)

    def read(self, name: str, *, remedy: str = "delete this file, and it is made anew") -> Any:
        """What was noted under a name, a dictionary or a list; ``None`` if nothing was.

        Args:
            name: the name.
            remedy: what the user can do where it is damaged.

        Raises:
            ConSinGANError: it cannot be read.
        """
        path = self.state / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict | list):
                raise ValueError("it holds neither a dictionary nor a list")
            return found
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise self.damaged(name, error, remedy) from error

    def damaged(self, name: str, error: Exception | str, remedy: str) -> ConSinGANError:
        """The error for something that was noted and is not as it was, or is not as this version notes it."""
        with suppress(OSError, ValueError, RecursionError, AttributeError):
            version = json.loads((self.state / _RUN).read_text(encoding="utf-8")).get("version")
            if version != __version__:
                which = "another version" if version is None else f"version {version}"
                return ConSinGANError(
                    f"output {self.path} was begun with {which} of monai-consingan, and {name} is not as "
                    f"{__version__} notes it ({error}): go on with that version, or give another folder."
                )
        return ConSinGANError(f"{self.state / name} is damaged ({error}): {remedy}.")


def write_json(path: Path, values: Any, *, indent: int = 1) -> None:
    """Write plain values as a JSON file that appears whole or not at all, and clean up what a kill left of it.

    Paths may hold bytes that are no UTF-8, which Python stands surrogates for: those are escaped.
    """
    for rest in leftovers(path):
        rest.unlink(missing_ok=True)
    with whole_file(path) as temporary:
        text = json.dumps(values, indent=indent, ensure_ascii=False) + "\n"
        temporary.write_bytes(re.sub("[\ud800-\udfff]", lambda one: f"\\u{ord(one[0]):04x}", text).encode())
