"""A trained model as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.config import NdarrayOrTensor

from monai_consingan import __version__
from monai_consingan.data import named_sequences
from monai_consingan.errors import ConSinGANError, is_out_of_memory
from monai_consingan.methods import BlendSettings
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator, draw_weights
from monai_consingan.settings import Training, TrainingByScan, TrainingSettings, training_preset
from monai_consingan.state_file import load_state, save_state
from monai_consingan.tasks import get_task

MODEL_NAME = "model.pt"
_MODEL_FORMAT = "monai-consingan model 1"


def new_networks(
    settings: TrainingSettings, image_size: Sequence[int], seed: int, in_channels: int = 1
) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    """Untrained networks for slices (or boxes) of a size; their initial weights depend on the seed only.

    Args:
        settings: settings of their training.
        image_size: height and width (and depth).
        seed: the seed.
        in_channels: channels of the images.

    Raises:
        ConSinGANError: the settings do not fit the size.
    """
    with torch.random.fork_rng(devices=[]):
        networks = _networks(settings, settings.sizes(image_size), in_channels)
    return draw_weights(*networks, seed)


def _networks(
    settings: TrainingSettings, sizes: Sequence[Sequence[int]], in_channels: int
) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    kind = get_task(settings.task)
    shape: dict[str, Any] = {"spatial_dims": settings.spatial_dims, "in_channels": in_channels}
    generator = ConSinGANGenerator(
        sizes,
        **shape,
        channels=settings.channels,
        num_layers=settings.num_layers,
        negative_slope=settings.slope,
        norm=kind.norm,
        border=kind.border,
    )
    discriminator = ConSinGANDiscriminator(
        **shape, channels=settings.channels, num_layers=settings.num_layers, negative_slope=settings.slope
    )
    return generator, discriminator


def model_file(path: str | Path) -> Path:
    """The file of a model that is given by itself or as the folder of a run.

    Raises:
        ConSinGANError: it is a folder with a model for each fold.
    """
    if files := fold_models(path):
        one = next(iter(files.values())).parent
        raise ConSinGANError(f"model {path} holds a model for each fold: give one of them, such as {one}.")
    return Path(path) / MODEL_NAME if Path(path).is_dir() else Path(path)


def fold_models(path: str | Path) -> dict[int, Path]:
    """The files of the models in a folder with one for each fold, by fold; empty for anything else."""
    files = Path(path).glob(f"fold-*/{MODEL_NAME}") if not (Path(path) / MODEL_NAME).exists() else ()
    found = {file.parent.name.removeprefix("fold-"): file for file in files}
    return {int(number): found[number] for number in sorted(filter(str.isdecimal, found), key=int)}


def model_for_fold(path: str | Path, fold: int | None) -> Path:
    """The file of the model that redraws what is made of a fold's scans: the fold's, or the one that is given for all.

    Args:
        path: a model, the folder of a run, or a folder with a model for each fold.
        fold: the fold; ``None`` for scans without one.

    Raises:
        ConSinGANError: there are models for other folds only.
    """
    if not (files := fold_models(path)):
        return model_file(path)
    if fold not in files:
        which = "scans without a fold" if fold is None else f"fold {fold}"
        raise ConSinGANError(
            f"model {path} holds a model for each of the folds {', '.join(map(str, files))}, but none for {which}: "
            "make them of this data set, by cohort --each-fold."
        )
    return files[fold]


@dataclass
class TrainedModel:
    """Networks with what is needed to use them again.

    Args:
        generator: the trained generator.
        discriminator: the trained discriminator.
        settings: what they were trained with.
        seed: seed of the training.
        sequences: names of the sequences that it was trained on, where they are known.
        sources: of a cohort's model, and of those that a training started from it made, the SHA-256 of the files of all
            scans that it has seen; no names.
    """

    generator: ConSinGANGenerator
    discriminator: ConSinGANDiscriminator
    settings: TrainingSettings
    seed: int
    sequences: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def image_size(self) -> tuple[int, ...]:
        """Height and width of the slices (and depth of the boxes) it was trained on."""
        return tuple(self.generator.stage_sizes[-1])

    @property
    def in_channels(self) -> int:
        """Number of the sequences that it was trained on."""
        return self.generator.in_channels

    @property
    def weights(self) -> list[torch.Tensor]:
        """All that both networks hold, by which trainings that start from them are told apart."""
        return [*self.generator.state_dict().values(), *self.discriminator.state_dict().values()]

    def check_sequences(self, image: NdarrayOrTensor) -> None:
        """Refuse an image of other sequences than those that the model was trained on.

        Args:
            image: (C, \\*spatial); where its metadata do not name its sequences, their number has to do.

        Raises:
            ConSinGANError: other sequences, or another number of them.
        """
        self.require_sequences(named_sequences(image), image.shape[0])

    def require_sequences(self, names: Sequence[str], count: int) -> None:
        """Refuse sequences that are not those that the model was trained on.

        Args:
            names: their names; empty where they are not known.
            count: their number.

        Raises:
            ConSinGANError: other sequences, or another number of them.
        """
        unlike = bool(names and self.sequences) and tuple(names) != self.sequences
        if count != self.in_channels or unlike:
            own = ", ".join(self.sequences) or f"{self.in_channels} of unknown names"
            raise ConSinGANError(
                f"The model was trained on the sequences {own}, but the image has "
                f"{', '.join(names) or f'{count} of unknown names'}: give these sequences in this order, or another "
                "model."
            )

    def save(self, path: str | Path) -> None:
        """Write the model, which loads with ``torch.load(path, weights_only=True)``; the file appears whole or not."""
        save_state(
            {
                "format": _MODEL_FORMAT,
                "version": __version__,
                "settings": self.settings.as_dict(),
                "image_size": list(self.image_size),
                "seed": self.seed,
                **{name: list(told) for name in ("sequences", "sources") if (told := getattr(self, name))},
                "generator": self.generator.state_dict(),
                "discriminator": self.discriminator.state_dict(),
            },
            path,
        )

    @classmethod
    def load(cls, path: str | Path, *, task: str | None = None) -> TrainedModel:
        """Read a model.

        Args:
            path: the file, or the folder of a run that holds ``model.pt``.
            task: the task that it must be for.

        Raises:
            ConSinGANError: missing, truncated, not a model, of another version or task, or with weights that do not
                fit its settings.
        """
        path = model_file(path)
        state = load_state(path, _MODEL_FORMAT)
        try:
            settings = TrainingSettings.from_dict(state["settings"])
            sizes = state["generator"]["sizes"].tolist()
            if len(sizes) != settings.stages:
                raise ValueError(f"{len(sizes)} stages instead of {settings.stages}")
            with torch.random.fork_rng(devices=[]):
                generator, discriminator = _networks(settings, sizes, state["generator"]["head.conv.weight"].shape[1])
            generator.load_state_dict(state["generator"])
            discriminator.load_state_dict(state["discriminator"])
            told = [tuple(str(word) for word in state.get(name, ())) for name in ("sequences", "sources")]
            model = cls(generator.eval(), discriminator.eval(), settings, int(state["seed"]), *told)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            if is_out_of_memory(error):
                raise
            reason = str(error).strip().splitlines()[-1].strip(" \t.")  # torch sums up, then gives the reasons
            raise ConSinGANError(f"model {path} does not fit its own settings ({reason}): train it anew.") from error
        model._check_task(task, f"model {path}")
        return model

    def _check_task(self, task: str | None, name: str) -> None:
        if task is not None and self.settings.task != task:
            raise ConSinGANError(
                f"{name} was trained for task {self.settings.task!r}, but {task!r} is needed: give another model."
            )


def given_model(model: str | Path | TrainedModel, task: str) -> TrainedModel:
    """A model that is given itself, as its file or as the folder of a run.

    Raises:
        ConSinGANError: no model, or one for another task.
    """
    if not isinstance(model, TrainedModel):
        return TrainedModel.load(model, task=task)
    model._check_task(task, "The model")
    return model


@dataclass(frozen=True)
class ModelRequest:
    """What a user asks for of a model that redraws; ``None`` where nothing.

    Args:
        training: settings of a training.
        blend: where the redrawn image is used.
        model: model, or folder of a run, to use as it is.
        start: model, or folder of a run, whose weights the training starts from.
        bank: folder of models that the training is spared by.
    """

    training: Training | None = None
    blend: BlendSettings | None = None
    model: str | Path | None = None
    start: str | Path | None = None
    bank: str | Path | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())

    def load(self, task: str, dims: int | None = None) -> tuple[Training, TrainedModel | None, TrainedModel | None]:
        """What a workflow trains with, or uses instead.

        Args:
            task: the task.
            dims: 2 for slices, 3 for work in space, if that is asked for.

        Returns:
            The settings, which are those of a model unless others are asked for, and both models. Where neither dims,
            a model nor settings say so, they are for either kind of scan.

        Raises:
            ConSinGANError: a model that is used as it is comes with another model or a bank, or one cannot be used, or
                settings are for other dims than those that are asked for.
        """
        model, start, bank = self.model, self.start, self.bank
        if model is not None and start is not None:
            raise ConSinGANError(
                f"model {model} is used as it is, and {start} to start a training from: give one of them."
            )
        if model is not None and bank is not None:
            raise ConSinGANError(
                f"model {model} is used as it is, so nothing is taken from bank {bank}: give one of them."
            )
        used, begun = (None if path is None else TrainedModel.load(path, task=task) for path in (model, start))
        if used is not None:
            return used.settings.for_dims(dims), used, begun
        return settings_to_train(task, self.training, begun, dims), used, begun


def dims_to_train(training: Training, image: torch.Tensor) -> int | None:
    """The dims that a training is for: 2 or 3, or ``None`` where the scan decides.

    A volume that has fewer voxels along an axis than a network in space needs is worked on by slices, unless the
    training is for space.

    Args:
        training: settings of the training.
        image: the scan, (C, \\*spatial).
    """
    return 2 if too_thin(training, image) else training.spatial_dims


def too_thin(training: Training, image: torch.Tensor) -> str:
    """Why a volume is not redrawn in space by a training that leaves that to the scan: a sentence, or nothing.

    Args:
        training: settings of the training.
        image: the scan, (C, \\*spatial).
    """
    if not isinstance(training, TrainingByScan) or image.ndim == 3:
        return ""
    least, has = max(training.space.field_of_view, training.space.min_size or 0), min(image.shape[1:])
    if has >= least:
        return ""
    return f"{has} voxels along an axis are too few for a network in space, which needs {least}: it redrew each slice"


def settings_to_train(
    task: str, asked: Training | None, start: TrainedModel | None = None, dims: int | None = None
) -> Training:
    """Settings of a training: those that are asked for, those of the model that it starts from, or ``quick``.

    Args:
        task: the task.
        asked: settings that are asked for.
        start: model that the training starts from, whose dims hold.
        dims: 2 for slices, 3 for work in space, if that is asked for.

    Raises:
        ConSinGANError: settings for another task, or for other dims than those that are asked for.
    """
    settings = asked or (training_preset("quick", task) if start is None else start.settings)
    if settings.task != task:
        raise ConSinGANError(f"The settings are for task {settings.task!r}, but the task is {task!r}: make them agree.")
    if isinstance(settings, TrainingSettings):
        return settings.for_dims(dims)
    decided = start.settings.spatial_dims if dims is None and start is not None else dims
    return settings if decided is None else settings.for_dims(decided)
