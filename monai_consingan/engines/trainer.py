"""Training of ConSinGAN as a MONAI trainer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys

from monai_consingan.data.pyramid import image_pyramid
from monai_consingan.engines.draws import DrawnSlices, TrainingDraws, read_slices
from monai_consingan.engines.handlers import StageSettling
from monai_consingan.engines.optimizers import decay_rates, discriminator_optimizer, generator_optimizer, start_stage
from monai_consingan.engines.steps import training_steps
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings
from monai_consingan.tasks import get_task
from monai_consingan.transforms import training_augmentation


class ConSinGANTrainer(Trainer):
    """Train a generator on one slice, or on several, stage by stage (Hinz et al., WACV 2021).

    **A stage is an epoch**, so MONAI's and Ignite's handlers for checkpoints, statistics, TensorBoard, MLflow and
    progress work unchanged. The data loader is read once, when the training starts; every iteration then draws one of
    its slices, and in harmonization and editing the reconstruction target is that slice. With one slice this is
    ConSinGAN as published.

    ``engine.state.output`` is a list of one dictionary, as MONAI's decollated outputs are, but numbers stay tensors:
    reading one waits for the device. It has ``image`` (the slice at the stage's size), ``pred`` (generated),
    ``reconstruction``, ``loss`` (the generator's, whole) and its parts ``adversarial`` and ``reconstruction_loss``,
    ``critic_real``, ``critic_fake`` and ``penalty`` of the last discriminator step.

    Everything random depends on the seed and the iteration only (:py:class:`TrainingDraws`). A checkpoint of
    :py:meth:`checkpoint_objects`, made at any iteration, resumes to the bytes of an uninterrupted training.

    Args:
        device: where to train.
        train_data_loader: iterable of batches with ``image``, (N, C, H, W) in [-1, 1], all of one size.
        generator: a new generator, whose sizes are those of the slices' pyramid.
        discriminator: a new discriminator.
        settings: what the training depends on besides; its sizes and the shape of its networks are those of the given
            ones. Its augmentation is :py:func:`monai_consingan.transforms.training_augmentation`, its ``settle`` a
            :py:class:`StageSettling`.
        seed: seed of everything that is random here; the initial weights are the networks' own.
        first_stage: the stage to begin with; the networks must then be trained up to it.
        warm_start: keep the weights, noise and amplitudes that the generator has, instead of making each stage from
            the one before it.
        stage_input: images at full size, one for each slice, to train on as stage-0 input instead of the augmented
            slice: with ``first_stage`` the last stage and ``warm_start``, the published fine-tuning on naive images.
        fast: whether to compute with the compiled functions for the CPU
            (:py:func:`~monai_consingan.networks.fast_networks`), which give the same numbers up to rounding; by
            default where they can and pay.
        compile: arguments of :py:func:`torch.compile` to use it; ``{"mode": "reduce-overhead"}`` makes CUDA graphs
            (:py:class:`TrainingSteps`).
        check_every: iterations between checks for NaN and infinity; by default 1, on a GPU 50: each waits for it.
        draws: source of the random numbers, such as :py:class:`TrainingDraws` with another augmentation.
        max_epochs: number of stages to train, by default all; the last one trained is then that of the generator.
        epoch_length: iterations a stage, by default those of the settings.
        train_handlers: handlers of MONAI or Ignite.
        **kwargs: of :py:class:`monai.engines.Trainer`, such as ``postprocessing``, ``key_metric`` (or, as in bundles,
            ``key_train_metric``) and ``additional_metrics``.

    Raises:
        ConSinGANError: settings out of range; when run: slices of different sizes, or of another size than the
            generator's; a loss that is NaN or infinite, before it reaches the weights; weights that are, after a stage.

    Example::

        settings = preset_settings("quick", "harmonization")
        generator, discriminator = new_networks(settings, (96, 96), seed=0)
        loader = DataLoader(Dataset([{"image": host_slice}]), batch_size=1)
        ConSinGANTrainer("cpu", loader, generator, discriminator, settings).run()
    """

    generator_steps = 3
    """Adam steps of the generator with one and the same gradient."""
    reconstruction_weight = 10.0
    """Factor of the reconstruction's mean squared error."""
    penalty_weight = 0.1
    """Factor of the gradient penalty."""
    noise_amplitude = 0.1
    """Factor of a stage's reconstruction error in the amplitude of its noise."""

    def __init__(
        self,
        device: torch.device | str,
        train_data_loader: Iterable[Any],
        generator: ConSinGANGenerator,
        discriminator: ConSinGANDiscriminator,
        settings: TrainingSettings,
        *,
        seed: int = 0,
        first_stage: int = 0,
        warm_start: bool = False,
        stage_input: torch.Tensor | None = None,
        fast: bool | None = None,
        compile: dict[str, Any] | None = None,
        check_every: int | None = None,
        draws: TrainingDraws | None = None,
        max_epochs: int | None = None,
        epoch_length: int | None = None,
        train_handlers: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if epoch_length is not None:
            settings = replace(settings, iterations=epoch_length)
        if check_every is None:
            check_every = 1 if torch.device(device).type == "cpu" else 50
        check_least(1, check_every=check_every)
        check_least(0, seed=seed)
        if not 0 <= first_stage < generator.num_stages:
            raise ConSinGANError(f"first stage is {first_stage}, but the stages are 0 to {generator.num_stages - 1}.")
        stages = generator.num_stages - first_stage
        if max_epochs is not None and not 1 <= max_epochs <= stages:
            raise ConSinGANError(
                f"max epochs is {max_epochs}, but an epoch is a stage and the stages to train are {stages}: give 1 to "
                f"{stages}."
            )
        if "key_train_metric" in kwargs:
            kwargs["key_metric"] = kwargs.pop("key_train_metric")
        super().__init__(
            device=device,
            max_epochs=stages if max_epochs is None else max_epochs,
            data_loader=(),  # below, as it hangs on the state
            epoch_length=settings.iterations,
            decollate=False,  # would read numbers from the device
            **kwargs,
        )
        self.train_data_loader = train_data_loader
        self.generator = generator.to(self.state.device)
        self.discriminator = discriminator.to(self.state.device)
        self.settings = settings
        self.task = get_task(settings.task)
        self.first_stage = first_stage
        self.warm_start = warm_start
        self.stage_input = stage_input
        self.check_every = check_every
        if draws is None:
            augments = settings.augment and self.task.image_input
            draws = TrainingDraws(self.task, training_augmentation(settings.task) if augments else None)
        self.draws = draws
        self.steps = training_steps(
            self.generator,
            self.discriminator,
            concurrent_stages=settings.concurrent_stages,
            penalty_weight=self.penalty_weight,
            plain=settings.plain,
            fast=fast,
            precision=settings.precision,
            compile=compile,
        )
        self.generator_optimizer = generator_optimizer(generator, settings.learning_rate)
        self.discriminator_optimizer = discriminator_optimizer(discriminator, settings.learning_rate)
        self.data_loader = self._drawn = DrawnSlices(self.draws, self.state)
        self.pyramid: list[torch.Tensor] = []
        self.inputs = torch.empty(0)
        self.state.seed = seed
        self.state_dict_user_keys.append("seed")
        self.add_event_handler(Events.STARTED, ConSinGANTrainer._read_slices)
        self.add_event_handler(Events.EPOCH_STARTED, ConSinGANTrainer._start_stage)
        self.add_event_handler(Events.EPOCH_COMPLETED, ConSinGANTrainer._check_weights)
        if settings.settle is not None:
            StageSettling(settings.settle).attach(self)
        self._register_handlers(list(train_handlers or ()))

    def run(self) -> None:  # type: ignore[override]
        """Train; a training that a checkpoint brought to its end already is left as it is."""
        epochs, length = self.state.max_epochs, self.state.epoch_length
        if self.state.iteration < (epochs or 0) * (length or 0):
            super().run()

    @property
    def stage(self) -> int:
        """The stage in training."""
        return self.first_stage + max(self.state.epoch, 1) - 1

    @property
    def slices(self) -> torch.Tensor:
        """The slices, (S, C, H, W) or (S, C, H, W, D), once the training has begun."""
        return self._drawn.slices

    @property
    def is_finite(self) -> bool:
        """Whether all weights are numbers, neither NaN nor infinite."""
        weights = (*self.generator.parameters(), *self.discriminator.parameters())
        return all(bool(torch.isfinite(weight).all()) for weight in weights)

    def checkpoint_objects(self) -> dict[str, Any]:
        """What a checkpoint must hold for an exact resume, as ``save_dict`` or ``load_dict`` of MONAI's handlers."""
        return {
            "trainer": self,
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def _read_slices(self) -> None:
        self._drawn.slices = read_slices(self.train_data_loader, self.generator).to(self.state.device)
        self.pyramid = image_pyramid(self.slices, self.generator.stage_sizes)
        if self.stage_input is None:
            self.inputs = self.pyramid[0]
        elif self.stage_input.shape == self.slices.shape:
            self.inputs = image_pyramid(self.stage_input.to(self.slices), self.generator.stage_sizes)[0]
        else:
            raise ConSinGANError(
                f"stage_input has shape {tuple(self.stage_input.shape)}, but the slices have "
                f"{tuple(self.slices.shape)}: give an image for each slice."
            )

    def _start_stage(self) -> None:
        stage = self.stage
        begins = self.state.iteration == (self.state.epoch - 1) * self.state.epoch_length
        self.steps.forget()
        self.generator.stage.fill_(stage)
        if begins and not self.warm_start:
            body = self.generator.body[stage]
            if stage > 0:
                self.generator.start_stage(stage)
            body.fixed_noise.copy_(self.draws.fixed_noise(self.state.seed, stage, body.fixed_noise))
            body.noise_amplitude.fill_(1.0)
            if stage > 0:
                body.noise_amplitude.fill_(0.0)
                body.noise_amplitude.copy_(self.noise_amplitude * self._reconstruction_error(stage))
        start_stage(self.generator_optimizer, self.discriminator_optimizer, stage, self.settings, fresh=begins)

    @torch.no_grad()
    def _reconstruction_error(self, stage: int) -> torch.Tensor:
        with self.steps.arithmetic():
            errors = [
                torch.nn.functional.mse_loss(self._reconstruct(index, stage), self.pyramid[stage][index : index + 1])
                for index in range(len(self.slices))
            ]
        return torch.stack(errors).mean().sqrt()

    def _reconstruct(self, index: int, stage: int) -> torch.Tensor:
        image = self.pyramid[0][index : index + 1]
        fixed = self.task.fixed_input(image, self.generator.body[0].fixed_noise)
        return self.steps.generate(fixed, None, stage, index)

    def _failure(self, why: str) -> ConSinGANError:
        return ConSinGANError(
            f"Training ended at stage {self.stage}, iteration {self.state.iteration}: {why}; lower the learning rate "
            f"({self.settings.learning_rate}) or look at the intensities."
        )

    def _check(self, loss: torch.Tensor, name: str) -> None:
        if self.state.iteration % self.check_every == 0 and not bool(torch.isfinite(loss)):
            raise self._failure(f"the {name} loss is {float(loss.detach())}")

    def _check_weights(self) -> None:
        if not self.is_finite:
            raise self._failure("weights are NaN or infinite")

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> Any:
        with self.steps.arithmetic():
            return self._train(engine, batchdata)

    def _train(self, engine: Engine, batchdata: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
        state, stage, index = self.state, self.stage, int(batchdata["index"])
        done = state.iteration - 1 - (state.epoch - 1) * state.epoch_length
        if done - 1 < 0.8 * state.epoch_length <= done:
            decay_rates(self.generator_optimizer, self.discriminator_optimizer)
        self.generator.train()
        self.discriminator.train()
        real = self.pyramid[stage][index : index + 1]
        image = self.inputs[index : index + 1]
        if self.stage_input is None:
            image = self.draws.stage_input(state.seed, state.iteration, image)
        noise = [
            self.draws.noise(state.seed, state.iteration, level, self.generator.body[level].fixed_noise)
            for level in range(1, stage + 1)
        ]
        fake = self.steps.generate(image, noise, stage)
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)

        critic = self._train_discriminator(real, fake.detach())

        reconstruction = self._reconstruct(index, stage)
        adversarial = self.steps.adversarial_loss(fake)
        error = self.reconstruction_weight * torch.nn.functional.mse_loss(reconstruction, real)
        loss = adversarial + error
        engine.fire_event(IterationEvents.LOSS_COMPLETED)
        self._check(loss, "generator")
        self.generator_optimizer.zero_grad()
        loss.backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        for _ in range(self.generator_steps):
            self.generator_optimizer.step()

        state.batch = [{Keys.IMAGE: real[0], "index": index}]
        state.output = [
            {
                Keys.IMAGE: real[0],
                Keys.PRED: fake[0].detach(),
                "reconstruction": reconstruction[0].detach(),
                Keys.LOSS: loss.detach(),
                "adversarial": adversarial.detach(),
                "reconstruction_loss": error.detach(),
                **critic,
            }
        ]
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return state.output

    def _train_discriminator(self, real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        for step in range(self.settings.discriminator_steps):
            alpha = self.draws.alpha(self.state.seed, self.state.iteration, step, real)
            self.discriminator_optimizer.zero_grad()
            losses = self.steps.critic_losses(real, fake, alpha)
            self._check(losses.real + losses.fake + losses.penalty, "discriminator")
            self.discriminator_optimizer.step()
        return {"critic_real": losses.real, "critic_fake": losses.fake, "penalty": losses.penalty}
