"""Training a model on slices: the one place where device, networks, trainer, checkpoint and progress come together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from monai.data import DataLoader, Dataset

from monai_consingan.errors import ConSinGANError
from monai_consingan.models.model import TrainedModel, new_networks
from monai_consingan.progress_bar import progress_bar
from monai_consingan.settings import TrainingSettings

if TYPE_CHECKING:
    from monai_consingan.engines import ConSinGANTrainer


def fingerprint(slices: torch.Tensor, settings: TrainingSettings, seed: int, *more: torch.Tensor) -> str:
    """Hash of all that a training depends on: two trainings with the same one end in the same bytes."""
    digest = hashlib.sha256(json.dumps([settings.as_dict(), seed], sort_keys=True).encode())
    for tensor in (slices, *more):
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def train_model(
    slices: torch.Tensor,
    settings: TrainingSettings,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    checkpoint: str | Path | None = None,
    start: TrainedModel | None = None,
    stage_input: torch.Tensor | None = None,
    sequences: Sequence[str] = (),
    sources: Sequence[str] = (),
    handlers: Sequence[Any] = (),
    progress: bool = False,
) -> TrainedModel:
    """Train a ConSinGAN on one slice or several, or on boxes of volumes.

    Args:
        slices: (S, C, H, W) in [-1, 1], or (S, C, H, W, D) with settings of 3 spatial dims.
        settings: settings of the training.
        seed: seed of the weights and of everything random.
        device: where to train.
        checkpoint: file that is kept up to date, and from which a killed training goes on if it exists.
        start: an earlier model to start from; its settings must have the same networks.
        stage_input: images like ``slices``, such as naive or painted ones, of which the input of stage 0 is made
            instead of the augmented slice. With ``start`` only the last stage is trained, once more: the published
            fine-tuning.
        sequences: names of the channels, which the model keeps, where they are known.
        sources: hashes of the scans of a cohort, which the model keeps, beside those of ``start``.
        handlers: more handlers of MONAI or Ignite for the trainer.
        progress: whether to show a progress bar on the standard error stream.

    Returns:
        The trained model, on the CPU.

    Raises:
        ConSinGANError: slices of NaN or too small for the settings, an earlier model with other networks or of other
            sequences, a checkpoint of another training, or a training that does not stay finite.
    """
    from monai_consingan.engines import ConSinGANTrainer, TrainingCheckpoint  # Ignite, which is slow to import

    if not bool(torch.isfinite(slices).all()):
        raise ConSinGANError("The slices to train on hold NaN or infinite values: give slices of finite numbers.")
    generator, discriminator = new_networks(settings, slices.shape[2:], seed, slices.shape[1])
    more = [] if stage_input is None else [stage_input]
    if start is not None:
        start.require_sequences(sequences, slices.shape[1])
        _copy_weights(start, generator, discriminator)
        more += start.weights
    if checkpoint is not None:
        handlers = [*handlers, TrainingCheckpoint(checkpoint, fingerprint(slices, settings, seed, *more), resume=True)]
    ConSinGANTrainer(
        device,
        DataLoader(Dataset([{"image": image} for image in slices]), batch_size=1, generator=torch.Generator()),
        generator,
        discriminator,
        settings,
        seed=seed,
        warm_start=start is not None,
        first_stage=0 if start is None or stage_input is None else settings.stages - 1,
        stage_input=stage_input,
        train_handlers=[*handlers, TrainingProgress()] if progress else handlers,
    ).run()
    seen = dict.fromkeys([*sources, *(() if start is None else start.sources)])
    return TrainedModel(
        generator.cpu().eval(), discriminator.cpu().eval(), settings, seed, tuple(sequences), tuple(seen)
    )


def _copy_weights(start: TrainedModel, generator: torch.nn.Module, discriminator: torch.nn.Module) -> None:
    try:
        generator.load_state_dict(start.generator.state_dict())
        discriminator.load_state_dict(start.discriminator.state_dict())
    except (RuntimeError, ConSinGANError) as error:
        raise ConSinGANError(
            f"The model to start from has other networks ({start.settings.stages} stages, {start.settings.channels} "
            f"channels, slices of {start.image_size}) than the settings and slices ask for: make them agree."
        ) from error


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


def check_device(device: str | torch.device) -> torch.device:
    """The device of a name, if this machine has it.

    Args:
        device: such as ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises:
        ConSinGANError: an unknown name, or a device that is not there.
    """
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConSinGANError(f"device is {str(device)!r}, which this machine does not have: give 'cpu'.") from error
    if found.type == "meta":
        raise ConSinGANError(f"device is {str(device)!r}, which cannot compute: give 'cpu'.")
    return found
