"""Training of ConSinGAN as a MONAI trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys

from monai_consingan.data.pyramid import image_pyramid
from monai_consingan.engines.draws import TrainingDraws
from monai_consingan.engines.optimizers import decay_rates, discriminator_optimizer, generator_optimizer, start_stage
from monai_consingan.engines.slices import DrawnSlices, read_slices
from monai_consingan.engines.steps import training_steps
from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.tasks import get_task

__all__ = ["ConSinGANTrainer"]


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
        task: ``harmonization``, ``editing``, ``generation``, ``retarget`` or ``animation``.
        iterations: iterations a stage.
        concurrent_stages: how many of the newest stages are trained together.
        learning_rate: learning rate of the newest stage, the tail and the discriminator.
        lr_scale: factor of the learning rate for every stage below the newest.
        discriminator_steps: steps of the discriminator an iteration.
        generator_steps: Adam steps of the generator with one and the same gradient.
        reconstruction_weight: factor of the reconstruction's mean squared error.
        penalty_weight: factor of the gradient penalty.
        noise_amplitude: factor of a stage's reconstruction error in the amplitude of its noise.
        augmentation: random transform of the stage-0 input (:py:class:`TrainingDraws`).
        seed: seed of everything that is random here; the initial weights are the networks' own.
        first_stage: the stage to begin with; the networks must then be trained up to it.
        warm_start: keep the weights, noise and amplitudes that the generator has, instead of making each stage from
            the one before it.
        stage_input: images at full size, one for each slice, to train on as stage-0 input instead of the augmented
            slice: with ``first_stage`` the last stage and ``warm_start``, the published fine-tuning on naive images.
        plain: take the textbook's path instead of the faster exact one. For comparisons.
        fast: whether to compute with the compiled functions for the CPU
            (:py:func:`~monai_consingan.networks.fast_networks`), which give the same numbers up to rounding; by
            default where they can and pay.
        precision: ``"float32"``, or less exact and faster on a GPU ``"tf32"`` or ``"bf16"``.
        compile: whether to use :py:func:`torch.compile`.
        compile_kwargs: its arguments; ``{"mode": "reduce-overhead"}`` makes CUDA graphs (:py:class:`TrainingSteps`).
        check_every: iterations between checks for NaN and infinity; by default 1, on a GPU 50: each waits for it.
        draws: source of the random numbers.
        max_epochs: number of stages to train, by default all; the last one trained is then that of the generator.
        handlers: handlers of MONAI or Ignite.
        train_handlers: more of them, under the name that MONAI's bundles use.
        **kwargs: of :py:class:`monai.engines.Trainer`, such as ``postprocessing``, ``key_metric`` (or, as in bundles,
            ``key_train_metric``) and ``additional_metrics``.

    Raises:
        ConSinGANError: settings out of range; when run: slices of different sizes, or of another size than the
            generator's; a loss that is NaN or infinite, before it reaches the weights; weights that are, after a stage.

    Example::

        sizes = stage_sizes((96, 96), min_size=48, max_size=250, num_stages=3, task="harmonization")
        generator, discriminator = ConSinGANGenerator(sizes, channels=32), ConSinGANDiscriminator(channels=32)
        loader = DataLoader(Dataset([{"image": host_slice}]), batch_size=1)
        ConSinGANTrainer("cpu", loader, generator, discriminator, task="harmonization", iterations=200).run()
    """

    def __init__(
        self,
        device: torch.device | str,
        train_data_loader: Iterable[Any],
        generator: ConSinGANGenerator,
        discriminator: ConSinGANDiscriminator,
        *,
        task: str,
        iterations: int = 1000,
        concurrent_stages: int = 3,
        learning_rate: float = 5e-4,
        lr_scale: float = 0.1,
        discriminator_steps: int = 3,
        generator_steps: int = 3,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 0.1,
        noise_amplitude: float = 0.1,
        augmentation: Callable[[torch.Tensor], torch.Tensor] | None = None,
        seed: int = 0,
        first_stage: int = 0,
        warm_start: bool = False,
        stage_input: torch.Tensor | None = None,
        plain: bool = False,
        fast: bool | None = None,
        precision: str = "float32",
        compile: bool = False,
        compile_kwargs: dict[str, Any] | None = None,
        check_every: int | None = None,
        draws: TrainingDraws | None = None,
        max_epochs: int | None = None,
        handlers: Sequence[Any] | None = None,
        train_handlers: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if check_every is None:
            check_every = 1 if torch.device(device).type == "cpu" else 50
        for name, value in (
            ("iterations", iterations),
            ("concurrent stages", concurrent_stages),
            ("discriminator steps", discriminator_steps),
            ("generator steps", generator_steps),
            ("check every", check_every),
        ):
            if value < 1:
                raise ConSinGANError(f"{name} is {value}, but must be 1 or more.")
        if seed < 0:
            raise ConSinGANError(f"seed is {seed}, but must be 0 or more.")
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
            data_loader=DrawnSlices(self),
            epoch_length=iterations,
            decollate=False,  # would read numbers from the device
            **kwargs,
        )
        self.train_data_loader = train_data_loader
        self.generator = generator.to(self.state.device)
        self.discriminator = discriminator.to(self.state.device)
        self.task = get_task(task)
        self.concurrent_stages = concurrent_stages
        self.learning_rate = learning_rate
        self.lr_scale = lr_scale
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.reconstruction_weight = reconstruction_weight
        self.noise_amplitude = noise_amplitude
        self.first_stage = first_stage
        self.warm_start = warm_start
        self.stage_input = stage_input
        self.check_every = check_every
        self.draws = draws if draws is not None else TrainingDraws(self.task, augmentation)
        self.steps = training_steps(
            self.generator,
            self.discriminator,
            concurrent_stages=concurrent_stages,
            penalty_weight=penalty_weight,
            plain=plain,
            fast=fast,
            precision=precision,
            compile=(compile_kwargs or {}) if compile else None,
        )
        self.generator_optimizer = generator_optimizer(generator, learning_rate)
        self.discriminator_optimizer = discriminator_optimizer(discriminator, learning_rate)
        self.slices = torch.empty(0)
        self.pyramid: list[torch.Tensor] = []
        self.inputs = torch.empty(0)
        self.state.seed = seed
        self.state_dict_user_keys.append("seed")
        self.add_event_handler(Events.STARTED, ConSinGANTrainer._read_slices)
        self.add_event_handler(Events.EPOCH_STARTED, ConSinGANTrainer._start_stage)
        self.add_event_handler(Events.EPOCH_COMPLETED, ConSinGANTrainer._check_weights)
        self._register_handlers([*(handlers or ()), *(train_handlers or ())])

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
        self.slices = read_slices(self.train_data_loader, self.generator).to(self.state.device)
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
        generator = self.generator
        self.steps.forget()
        generator.stage.fill_(stage)
        if begins and not self.warm_start:
            body = generator.body[stage]
            if stage > 0:
                generator.start_stage(stage)
            body.fixed_noise.copy_(self.draws.fixed_noise(self.state.seed, stage, body.fixed_noise))
            body.noise_amplitude.fill_(1.0)
            if stage > 0:
                body.noise_amplitude.fill_(0.0)
                body.noise_amplitude.copy_(self.noise_amplitude * self._reconstruction_error(stage))
        start_stage(
            self.generator_optimizer,
            self.discriminator_optimizer,
            stage,
            self.concurrent_stages,
            self.learning_rate,
            self.lr_scale,
            fresh=begins,
        )

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

    def _check(self, loss: torch.Tensor, name: str) -> None:
        if self.state.iteration % self.check_every == 0 and not bool(torch.isfinite(loss)):
            raise ConSinGANError(
                f"Training ended at stage {self.stage}, iteration {self.state.iteration}: the {name} loss is "
                f"{float(loss.detach())}; lower the learning rate ({self.learning_rate}) or look at the intensities."
            )

    def _check_weights(self) -> None:
        if not self.is_finite:
            raise ConSinGANError(
                f"Training ended at stage {self.stage}, iteration {self.state.iteration}: weights are NaN or infinite; "
                f"lower the learning rate ({self.learning_rate}) or look at the intensities."
            )

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
        for step in range(self.discriminator_steps):
            alpha = self.draws.alpha(self.state.seed, self.state.iteration, step, real)
            self.discriminator_optimizer.zero_grad()
            losses = self.steps.critic_losses(real, fake, alpha)
            self._check(losses.real + losses.fake + losses.penalty, "discriminator")
            self.discriminator_optimizer.step()
        return {"critic_real": losses.real, "critic_fake": losses.fake, "penalty": losses.penalty}
