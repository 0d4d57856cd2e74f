"""A trainer of nnU-Net that puts lesions into its patches."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from monai_consingan.data.slices import THICK_SLICES
from monai_consingan.errors import ConSinGANError
from monai_consingan.nnunet.donors import bank_donors, fold_donors
from monai_consingan.nnunet.transform import LesionTransform
from monai_consingan.transforms import RandLesion


class nnUNetTrainerLesions(nnUNetTrainer):  # nnU-Net finds trainers by such names
    """nnU-Net's trainer, whose patches get lesions of the fold's other training cases, before all other augmentation.

    Each attribute can also be given by an environment variable, such as ``nnUNet_lesions_probability=0.3`` or
    ``nnUNet_lesions_number=1,3``.

    Attributes:
        lesions_probability: share of the patches that get lesions.
        lesions_number: fewest and most lesions that such a patch gets.
        lesions_scale: smallest and largest factor of a lesion's size.
        lesions_method: how lesions are put in, a method without a model
            (:data:`monai_consingan.workflows.INSERTION_METHODS`).
        lesions_match: how their intensities are fitted; empty for ``"none"``, as scans are z-scored, and for
            ``"mean_std"`` with a bank, as its lesions are not.
        lesions_labels: label values that make a part of the label a lesion; empty for all.
        lesions_bank: folder of a bank of new lesions (``monai-consingan lesions``), or several, which are taken instead
            of the fold's.
    """

    lesions_probability: float = 0.5
    lesions_number: tuple[int, ...] = (1, 2)
    lesions_scale: tuple[float, ...] = (0.8, 1.2)
    lesions_method: str = "tissue"
    lesions_match: str = ""
    lesions_labels: tuple[int, ...] = ()
    lesions_bank: tuple[str, ...] = ()

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> Any:
        """nnU-Net's transforms, with that of the lesions in front.

        Raises:
            ConSinGANError: the configuration is 2D or a cascade, a setting cannot be used, or there is no lesion.
        """
        transforms = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        spacing = tuple(float(size) for size in self.configuration_manager.spacing)
        if len(self.configuration_manager.patch_size) != 3 or self.is_cascaded:
            raise ConSinGANError(
                f"nnUNetTrainerLesions trains 3d_fullres and 3d_lowres, but not {self.configuration_name}: choose "
                "another configuration or trainer."
            )
        axis = int(np.argmax(spacing)) if max(spacing) > THICK_SLICES * min(spacing) else None
        labels = self._asked("labels", int) or None
        ignored = self.label_manager.ignore_label
        training, validation = self.get_tr_and_val_datasets()
        banks = self._asked("bank", str)
        if banks:
            channels = self.dataset_json.get("channel_names") or self.dataset_json["modality"]
            axes = [2 - number for number in self.plans_manager.transpose_forward]  # nnU-Net reads files as (z, y, x)
            given = validation.identifiers, axes, list(channels.values())
            donors = [donor for bank in banks for donor in bank_donors(bank, *given)]
            told = f"lesions of {', '.join(banks)}, none made of a validation case,"
        else:
            donors = fold_donors(training, spacing, axis=axis, lesion_labels=labels, ignore_label=ignored)
            told = f"lesions of {len(training.identifiers)} training cases"
        lesions = RandLesion(
            donors,
            number=self._asked("number", int),
            scale_range=self._asked("scale", float),
            method=self._asked("method", str)[0],
            match=(self._asked("match", str) or ("mean_std" if banks else "none",))[0],
            axis=axis,
            spacing=spacing,
            lesion_labels=labels,
        )
        share = self._asked("probability", float)[0]
        self.print_to_log_file(f"nnUNetTrainerLesions: {len(donors)} {told} go into {share:g} of the patches")
        transforms.transforms.insert(0, RandomTransform(LesionTransform(lesions), apply_probability=share))
        return transforms

    def _asked(self, name: str, kind: type) -> tuple[Any, ...]:
        """The values of a setting: the environment's or the attribute's."""
        variable = f"nnUNet_lesions_{name}"
        given = os.environ.get(variable)
        if given is None:
            value = getattr(self, f"lesions_{name}")
            return tuple(value) if isinstance(value, (tuple, list)) else (value,) if value != "" else ()
        try:
            return tuple(kind(part.strip()) for part in given.split(",") if part.strip())
        except ValueError as error:
            raise ConSinGANError(
                f"{variable} is {given!r}: give {kind.__name__} values, separated by commas."
            ) from error
