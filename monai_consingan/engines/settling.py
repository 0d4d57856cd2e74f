"""Ending a stage early, when nothing changes any more."""

from __future__ import annotations

from ignite.engine import Events

from monai_consingan.engines.trainer import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError

__all__ = ["StageSettling"]


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

        StageSettling(0.05).attach(trainer)
    """

    def __init__(self, share: float, window: int = 25) -> None:
        if not 0 < share < 1:
            raise ConSinGANError(f"settle is {share}, but must be above 0 and below 1: a share such as 0.05.")
        if window < 1:
            raise ConSinGANError(f"The window of settling is {window} iterations, but must be 1 or more.")
        self.share = share
        self.window = window

    def attach(self, engine: ConSinGANTrainer) -> None:
        """Watch a :py:class:`ConSinGANTrainer`; before a checkpoint is restored."""
        engine.state.settling = []
        engine.state_dict_user_keys.append("settling")
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: ConSinGANTrainer) -> None:
        """Take the last iteration into account."""
        done = engine.state.iteration - (engine.state.epoch - 1) * engine.state.epoch_length
        if done == 1:
            engine.state.settling = []
        output = engine.state.output[0]
        error, distance = output["reconstruction_loss"], -(output["critic_real"] + output["critic_fake"])
        place = (done - 1) // self.window
        sums: list[list[float]] = engine.state.settling
        if len(sums) <= place:
            sums.append([0.0, 0.0])
        sums[place][0] += float(error)
        sums[place][1] += float(distance)
        if done % self.window or place < 1:
            return
        (error_before, distance_before), (error_now, distance_now) = sums[place - 1 :]
        falls = error_before - error_now >= self.share * error_before
        moves = abs(distance_now - distance_before) >= self.share * abs(distance_before)
        if not falls and not moves and done < engine.state.epoch_length:
            engine.state.iteration = engine.state.epoch * engine.state.epoch_length  # as after a whole stage
            engine.terminate_epoch()
