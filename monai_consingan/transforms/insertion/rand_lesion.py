"""Lesions on the fly: pasted at random and redrawn by models that were trained in advance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor

from monai_consingan.arrays import image_and_label
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.paste import PastedLesion, PasteLesion
from monai_consingan.transforms.insertion.rand_paste import RandPasteLesion, RandPasteLesiond

if TYPE_CHECKING:
    from monai_consingan.methods import BlendSettings
    from monai_consingan.models import HostModels, ModelBank, TrainedModel

__all__ = ["RandLesion", "RandLesionD", "RandLesionDict", "RandLesiond"]


class RandLesion(RandPasteLesion):
    """Paste lesions at random as :class:`RandPasteLesion` does, and let the host's ConSinGAN redraw each of them.

    The host's model comes from a bank that :func:`monai_consingan.models.prepare_bank` filled. It is found by the
    host's voxels: this transform has to get what the bank was prepared with, so it is the first of a pipeline's random
    transforms. One model redraws lesions at any place of its host. A lesion whose host has no model, or that the model
    cannot redraw, is pasted with ``fallback`` instead. What is not within the reach of a lesion's redrawn border keeps
    its bits.

    Args:
        donors: see :class:`RandPasteLesion`.
        bank: the bank, its folder, or :class:`monai_consingan.models.HostModels` that name settings and crops too.
        prob: probability that anything is put in.
        number: number of lesions, or a pair to draw it from (both ends included).
        method: how lesions are pasted and redrawn, a key of :data:`monai_consingan.workflows.INSERTION_METHODS` that
            uses a model.
        fallback: a key of a method without a model. None leaves a lesion out that the model cannot redraw, and refuses
            hosts without a model.
        redrawn: where the redrawn image is used, if not as is usual for the method.
        spacing: mm per spatial axis of hosts, and of donors without an affine; None takes it from a MetaTensor's
            affine, and 1 mm for other arrays.
        kwargs: the other arguments of :class:`RandPasteLesion`, but for ``blend`` and ``match``.

    Attributes:
        log: one dictionary per lesion of the last call, as that of :class:`RandPasteLesion`; ``how`` is the method or
            the fallback, and ``not_redrawn`` the reason, where there is a model that could not redraw it.

    Raises:
        ConSinGANError: when there are no donors, or an argument is out of range.
    """

    def __init__(
        self,
        donors: Sequence[Any],
        bank: str | Path | ModelBank | HostModels,
        prob: float = 1.0,
        number: int | Sequence[int] = 1,
        method: str = "tissue-consingan",
        fallback: str | None = "tissue",
        redrawn: BlendSettings | None = None,
        spacing: Sequence[float] | float | None = None,
        **kwargs: Any,
    ) -> None:
        from monai_consingan.methods import insertion_method
        from monai_consingan.models import HostModels

        how, instead = insertion_method(method), insertion_method("naive" if fallback is None else fallback)
        for name, wrong, what in ((method, how.redrawn is None, "no"), (fallback, instead.redrawn is not None, "a")):
            if wrong:
                raise ConSinGANError(f"method {name!r} uses {what} model: choose another.")
        super().__init__(
            donors, prob=prob, number=number, blend=how.paste_blend, match=how.match, spacing=spacing, **kwargs
        )
        self.models = HostModels.of(bank, "harmonization", axis=self.axis, spacing=spacing)
        self.blend = redrawn or how.redrawn
        self.method, self.fallback_method = method, fallback
        paste = self.paste
        self.fallback = PasteLesion(
            instead.paste_blend, paste.feather_mm, instead.match, paste.ring_mm, paste.axis, paste.spacing
        )
        self._model: TrainedModel | None = None

    def __call__(
        self,
        img: NdarrayOrTensor,
        label: NdarrayOrTensor | None = None,
        region: NdarrayOrTensor | None = None,
        randomize: bool = True,
    ) -> PastedLesion:
        """Put lesions in; the arguments are those of :meth:`RandPasteLesion.__call__`.

        Returns:
            Image, label (int16 when no label was given) and the mask of all new lesions.

        Raises:
            ConSinGANError: the host has no model and there is no fallback.
        """
        if randomize:
            self.randomize()
        if not self._do_transform:
            return super().__call__(img, label, region, randomize=False)
        self._model = self.models.find(img)
        if self._model is None and self.fallback_method is None:
            raise ConSinGANError(
                f"The bank {self.models.bank.folder} has no model of this host with these settings: prepare it, or "
                "give a fallback."
            )
        try:
            return super().__call__(img, label, region, randomize=False)
        finally:
            self._model = None  # which the cache of the models keeps, and no pickle needs

    def _put(
        self, image: Any, labels: Any, donor: np.ndarray, label: np.ndarray, valid: np.ndarray
    ) -> tuple[PastedLesion, dict[str, Any]]:
        told = {"how": self.fallback_method}
        if self._model is not None and self.blend is not None:
            naive = self.paste(image, donor, label, host_label=labels, donor_valid=valid)
            try:
                redrawn = self.models.redraw(naive.image, naive.mask, image, self._model, self.blend)
                return naive._replace(image=redrawn), {"how": self.method}
            except ConSinGANError as error:
                if self.fallback_method is None:
                    raise
                told["not_redrawn"] = str(error)
        return self.fallback(image, donor, label, host_label=labels, donor_valid=valid), told


class RandLesiond(RandPasteLesiond):
    """Dictionary version of :class:`RandLesion`.

    Args:
        keys: key of the host's image, and then that of its labels, if that is not ``"label"``; both are replaced, and
            labels are made where the data have none.
        donors, bank: see :class:`RandLesion`.
        mask_key: key for the mask of the new lesions.
        region_key: key of a mask that lesions have to lie in; None finds the head.
        prob: probability that anything is put in.
        allow_missing_keys: leave data without the host as it is.
        kwargs: the other arguments of :class:`RandLesion`.

    Example::

        prepare_bank(Dataset(cases, load), "bank")
        transform = Compose([load, RandLesiond(["image", "label"], donors=cases, bank="bank", prob=0.5)])
    """

    _array = RandLesion

    def __init__(
        self,
        keys: KeysCollection,
        donors: Sequence[Any],
        bank: str | Path | ModelBank | HostModels,
        mask_key: Hashable = "lesion_mask",
        region_key: Hashable | None = None,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
        **kwargs: Any,
    ) -> None:
        image, label = image_and_label(keys)
        super().__init__(image, donors, label, mask_key, region_key, prob, allow_missing_keys, bank=bank, **kwargs)


RandLesionD = RandLesionDict = RandLesiond
