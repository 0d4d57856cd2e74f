"""How far a training is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monai_consingan.progress_bar import progress_bar

if TYPE_CHECKING:
    from monai_consingan.engines import ConSinGANTrainer


class TrainingProgress:
    """Handler that shows one bar for all stages on the standard error stream, with the time that is left.

    Into a file or a pipe a line is written now and then only.
    """

    def attach(self, engine: ConSinGANTrainer) -> None:
        """Show the progress of a trainer."""
        from ignite.engine import Events  # which is slow to import

        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self._close)

    def _start(self, engine: ConSinGANTrainer) -> None:
        state = engine.state
        total = state.max_epochs * state.epoch_length
        self.bar = progress_bar(total, state.iteration, "training")

    def _advance(self, engine: ConSinGANTrainer) -> None:
        self.bar.set_postfix_str(f"stage {engine.state.epoch} of {engine.state.max_epochs}", refresh=False)
        self.bar.update(engine.state.iteration - self.bar.n)  # a stage may end early

    def _close(self, engine: ConSinGANTrainer, *error: BaseException) -> None:
        self.bar.close()
        for exception in error:
            raise exception
