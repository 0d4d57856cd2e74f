"""Checkpoints from which a training resumes to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from monai_consingan.engines.trainer import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError
from monai_consingan.state_file import load_state, save_state

_FORMAT = "monai-consingan checkpoint 1"


class TrainingCheckpoint:
    """Handler that keeps one checkpoint file up to date, and restores a trainer from it.

    The file is replaced whole, after every stage and every few iterations, and only while all weights are finite, so
    it always holds the last good state.

    Args:
        path: the file.
        fingerprint: text that tells one training from another, such as a hash of slices, settings and seed.
        every: iterations between checkpoints.
        resume: whether attaching it restores the engine from the file, if there is one.

    Example::

        checkpoint = TrainingCheckpoint(folder / "checkpoint.pt", fingerprint)
        checkpoint.restore(trainer)
        checkpoint.attach(trainer)
        trainer.run()
    """

    def __init__(self, path: str | Path, fingerprint: str, every: int = 25, resume: bool = False) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint
        self.every = every
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        """Save at the end of every stage and every few iterations of the engine, a :py:class:`ConSinGANTrainer`."""
        if self.resume and isinstance(engine, ConSinGANTrainer):
            self.restore(engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.every) | Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: ConSinGANTrainer) -> None:
        """Save the state of the engine, unless its weights are no longer finite."""
        if not engine.is_finite:
            return
        state: dict[str, Any] = {name: item.state_dict() for name, item in engine.checkpoint_objects().items()}
        state["trainer"] = dict(state["trainer"])
        save_state({"format": _FORMAT, "fingerprint": self.fingerprint, **state}, self.path)

    def restore(self, trainer: ConSinGANTrainer) -> bool:
        """Bring a new trainer to the state of the file, if there is one.

        Returns:
            Whether there was.

        Raises:
            ConSinGANError: the file is not a readable checkpoint, or of another training.
        """
        if not self.path.exists():
            return False
        state = load_state(self.path, _FORMAT)
        if state.get("fingerprint") != self.fingerprint:
            raise ConSinGANError(
                f"checkpoint {self.path} is of a training with other images, settings or seed: give those of that "
                "training, or start anew in another folder."
            )
        max_epochs = trainer.state.max_epochs
        for name, item in trainer.checkpoint_objects().items():
            item.load_state_dict(state[name])
        trainer.state.max_epochs = max_epochs  # a training that was cut short may now go further
        return True
