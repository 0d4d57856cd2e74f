"""Ending a stage early, when nothing changes any more."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from monai_consingan.errors import ConSinGANError


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
