"""A folder of models, each of which is trained once and then used again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from monai_consingan import __version__
from monai_consingan.errors import ConSinGANError
from monai_consingan.models.model import TrainedModel
from monai_consingan.models.training import fingerprint, train_model
from monai_consingan.settings import TrainingSettings
from monai_consingan.whole_file import leftovers, unwritable

Content = torch.Tensor | Sequence[torch.Tensor]


class ModelBank:
    """A folder of models, found again by all that their training depended on.

    The name of a model's file is a hash of the slices, the settings, the seed, the model that the training started
    from, and the version of this package. Any number of processes, also on several machines that share the folder, may
    use it at once: of those that ask for the same model one trains it and the others wait for it. A model's file
    appears whole or not at all. A training that was killed goes on from its checkpoint, in whichever process asks next.

    Args:
        folder: the folder; it is made when the first model is stored.

    Example::

        bank = ModelBank("bank")
        model = bank.model_for(slices, preset_settings("quick", "harmonization"))  # trained, or read
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ConSinGANError(f"bank {self.folder} is a file: give a folder.")

    def __repr__(self) -> str:
        return f"ModelBank({str(self.folder)!r})"

    def __len__(self) -> int:
        return len(self.keys())

    def key(
        self, content: Content, settings: TrainingSettings, *, seed: int = 0, start: TrainedModel | None = None
    ) -> str:
        """The name of a model, 64 hexadecimal digits.

        Args:
            content: the slices, or what else :py:meth:`model_for` was given as ``content``.
            settings: settings of its training.
            seed: seed of its training.
            start: the model that its training started from.
        """
        first, *more = [content] if isinstance(content, torch.Tensor) else content
        more += [] if start is None else start.weights
        return hashlib.sha256(f"{__version__} {fingerprint(first, settings, seed, *more)}".encode()).hexdigest()

    def path(self, key: str) -> Path:
        """The file of a model, whether or not there is one."""
        return self.folder / f"{key}.pt"

    def keys(self) -> list[str]:
        """The names of all models, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.pt") if re.fullmatch(r"[0-9a-f]{64}", path.stem))

    def load(self, key: str) -> TrainedModel | None:
        """The model of a name, or ``None`` if the bank has none.

        Raises:
            ConSinGANError: the model's file is damaged.
        """
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            return TrainedModel.load(path)
        except ConSinGANError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            raise ConSinGANError(f"model {path} of the bank is damaged: delete it, and it is trained anew.") from error

    def model_for(
        self,
        slices: torch.Tensor,
        settings: TrainingSettings,
        *,
        seed: int = 0,
        start: TrainedModel | None = None,
        content: Content | None = None,
        **how: Any,
    ) -> TrainedModel:
        """The model of a training, which takes place only if the bank has none.

        Args:
            slices: (S, C, H, W) in [-1, 1], or (S, C, H, W, D) with settings of 3 spatial dims.
            settings: settings of the training.
            seed: seed of the training.
            start: a model whose weights the training starts from.
            content: tensors that the model is found by instead of ``slices``, such as the scan that the slices were
                taken from by a fixed rule; they have to determine the slices.
            **how: more arguments of :py:func:`monai_consingan.models.train_model`, such as ``device``, on which the
                model does not depend.

        Returns:
            The model, on the CPU.

        Raises:
            ConSinGANError: the training fails (:py:func:`monai_consingan.models.train_model`), or the folder cannot
                be written to, or the model's file is damaged.
        """
        key = self.key(slices if content is None else content, settings, seed=seed, start=start)
        if (found := self.load(key)) is not None:
            return found
        with self._locked(key) as checkpoint:
            if (found := self.load(key)) is None:
                found = train_model(slices, settings, seed=seed, checkpoint=checkpoint, start=start, **how)
                found.save(self.path(key))
            for path in (checkpoint, *leftovers(checkpoint), *leftovers(self.path(key))):
                path.unlink(missing_ok=True)
        return found

    @contextmanager
    def _locked(self, key: str) -> Iterator[Path]:
        """Be the only one that trains a model, and get the place of its checkpoint.

        The system frees the lock of a process that ends, however it ends. The lock's file is deleted then: who still
        waits for that file, or makes it anew, finds the model, or trains it if there is none after an error.
        """
        lock = self.folder / f"{key}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(lock):
                yield self.folder / f"{key}.checkpoint"
        except OSError as error:
            raise unwritable(self.folder, error) from error
        finally:
            with suppress(OSError):
                lock.unlink(missing_ok=True)
