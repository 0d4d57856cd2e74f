"""Handlers of a training: checkpoints to resume from, stages that end early, and a folder that belongs to one run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked
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

    def attach(self, engine: Any) -> None:
        """Save at the end of every stage and every few iterations of the engine, a :py:class:`ConSinGANTrainer`."""
        if self.resume:
            self.restore(engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.every) | Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Save the state of the engine, unless its weights are no longer finite."""
        if not engine.is_finite:
            return
        state: dict[str, Any] = {name: item.state_dict() for name, item in engine.checkpoint_objects().items()}
        state["trainer"] = dict(state["trainer"])
        save_state({"format": _FORMAT, "fingerprint": self.fingerprint, **state}, self.path)

    def restore(self, trainer: Any) -> bool:
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


class StageSettling:
    """Handler that ends a stage when the reconstruction and the critic have settled.

    Both are averaged over windows of iterations. A stage has settled when, from one window to the next, the
    reconstruction's error fell by less than a share of itself, and the distance between the critic's scores of real and
    generated images changed by less than that share of it. The rates of the optimizers then do not fall at the stage's
    end as they do otherwise. What it has seen is part of the trainer's state, so a resumed training ends like one that
    was never interrupted.

    Args:
        share: the share, above 0 and below 1. Larger ends earlier.
        window: iterations of a window.

    Raises:
        ConSinGANError: a share or window out of range.

    Example::

        StageSettling(0.05).attach(trainer)  # what ``TrainingSettings(..., settle=0.05)`` does
    """

    def __init__(self, share: float, window: int = 25) -> None:
        if not 0 < share < 1:
            raise ConSinGANError(f"settle is {share}, but must be above 0 and below 1: a share such as 0.05.")
        if window < 1:
            raise ConSinGANError(f"The window of settling is {window} iterations, but must be 1 or more.")
        self.share = share
        self.window = window

    def attach(self, engine: Engine) -> None:
        """Watch a trainer of ConSinGAN; before a checkpoint is restored."""
        state: Any = engine.state
        state.settling = []
        engine.state_dict_user_keys.append("settling")
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Take the last iteration into account."""
        state: Any = engine.state
        done = state.iteration - (state.epoch - 1) * state.epoch_length
        if done == 1:
            state.settling = []
        output = state.output[0]
        error, distance = output["reconstruction_loss"], -(output["critic_real"] + output["critic_fake"])
        place = (done - 1) // self.window
        sums: list[list[float]] = state.settling
        if len(sums) <= place:
            sums.append([0.0, 0.0])
        sums[place][0] += float(error)
        sums[place][1] += float(distance)
        if done % self.window or place < 1:
            return
        (error_before, distance_before), (error_now, distance_now) = sums[place - 1 :]
        falls = error_before - error_now >= self.share * error_before
        moves = abs(distance_now - distance_before) >= self.share * abs(distance_before)
        if not falls and not moves and done < state.epoch_length:
            state.iteration = state.epoch * state.epoch_length  # as after a whole stage
            engine.terminate_epoch()


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
