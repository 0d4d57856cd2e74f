"""A folder that belongs to one run of an engine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from monai_consingan.folder_lock import locked


class LockedFolderHandler:
    """Handler that lets no other run of this package write to a folder while an engine runs.

    Args:
        folder: the folder, which is made if it is not there.

    Raises:
        ConSinGANError: as the engine starts, another run is at work in the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._held = ExitStack()

    def attach(self, engine: Engine) -> None:
        """Lock the folder from the engine's start to its end, however it ends."""
        engine.add_event_handler(Events.STARTED, self._lock)
        engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self._free)

    def _lock(self, engine: Engine) -> None:
        self._held.enter_context(locked(self.folder))

    def _free(self, engine: Engine, *error: Any) -> None:
        self._held.close()
        for exception in error:
            raise exception
