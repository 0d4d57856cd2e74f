"""The checks of results in MONAI's evaluators: a warning where one does not pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.metrics.case import insertion_measures, removal_measures
from monai_consingan.metrics.checks import Checks, check_insertion, check_removal


class CheckInsertiond(Transform):
    """Add :func:`check_insertion` to a case, after its result was blended back; warn where the result does not pass.

    A warning (:class:`~monai_consingan.errors.ConSinGANWarning`) is one sentence that names the case. So is that of a
    result that cannot be checked, whose checks are ``None``.

    Args:
        pred_key: key of the result.
        host_key: key of the scan before.
        lesion_key: key of the new lesion's mask.
        donor_key: key of the donor; may be missing from the data.
        donor_lesion_key: key of the donor's lesion.
        others_key: key of the mask of the host's own lesions; may be missing.
        checks_key: key of the checks, a dictionary (:meth:`Checks.as_dict`).
        case_key: key of the case's name.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        lead: the sequence that the lesion is measured in; ``None`` finds it.
        dims: 2 measures within the slices, 3 in space.
    """

    def __init__(
        self,
        pred_key: Hashable = "pred",
        host_key: Hashable = "host",
        lesion_key: Hashable = "lesion",
        donor_key: Hashable = "donor",
        donor_lesion_key: Hashable = "donor_lesion",
        others_key: Hashable = "others",
        checks_key: Hashable = "checks",
        case_key: Hashable = "case",
        axis: int | None = None,
        lead: int | str | None = None,
        dims: int = 2,
    ) -> None:
        self.keys = (pred_key, host_key, lesion_key)
        self.donor_keys = (donor_key, donor_lesion_key)
        self.others_key, self.checks_key, self.case_key = others_key, checks_key, case_key
        self.lead = lead
        self.where: dict[str, Any] = {"axis": axis, "dims": dims}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the checks."""
        result, host, lesion = (data[key] for key in self.keys)
        donor, donor_lesion = (data.get(key) for key in self.donor_keys)
        where = {**self.where, "others": data.get(self.others_key)}

        def check() -> Checks:
            measures: Mapping[str, Any] = {"lead": self.lead}
            if donor is not None and donor_lesion is not None:
                measures = insertion_measures({"": result}, lesion, donor, donor_lesion, lead=self.lead, **where)
            return check_insertion(result, host, lesion, donor, donor_lesion, measures, **where)

        return {**data, self.checks_key: _told(check, data.get(self.case_key))}


class CheckRemovald(Transform):
    """Add :func:`check_removal` to a case, after its result was blended back; warn where the result does not pass.

    Args:
        pred_key: key of the result.
        host_key: key of the scan with the lesion.
        filled_key: key of the mask of what was filled.
        lesion_key: key of the mask of the lesion that was removed; where it is missing, that is all that was filled.
        others_key: key of the label of the lesions that stay; may be missing.
        checks_key, case_key, axis, lead, dims: see :class:`CheckInsertiond`, whose warnings these are too.
    """

    def __init__(
        self,
        pred_key: Hashable = "pred",
        host_key: Hashable = "host",
        filled_key: Hashable = "lesion",
        lesion_key: Hashable = "removed",
        others_key: Hashable = "label",
        checks_key: Hashable = "checks",
        case_key: Hashable = "case",
        axis: int | None = None,
        lead: int | str | None = None,
        dims: int = 2,
    ) -> None:
        self.keys = (pred_key, host_key, filled_key)
        self.lesion_key = lesion_key
        self.others_key, self.checks_key, self.case_key = others_key, checks_key, case_key
        self.lead = lead
        self.where: dict[str, Any] = {"axis": axis, "dims": dims}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the checks."""
        result, host, filled = (data[key] for key in self.keys)
        lesion = data.get(self.lesion_key, filled)
        where = {**self.where, "others": data.get(self.others_key)}

        def check() -> Checks:
            measures = removal_measures({"": result}, filled, lesion, host, lead=self.lead, **where)
            return check_removal(result, host, filled, lesion, measures, **where)

        return {**data, self.checks_key: _told(check, data.get(self.case_key))}


def _told(check: Callable[[], Checks], case: str | None) -> dict[str, Any] | None:
    """The checks for reports, and a warning unless they passed."""
    name = "" if case is None else f"Case {case}: "
    try:
        checks = check()
    except ConSinGANError as error:
        warnings.warn(f"{name}the result cannot be checked: {error}", ConSinGANWarning, 3)
        return None
    if checks.failed:
        warnings.warn(f"{name}{checks.sentence()}", ConSinGANWarning, 3)
    return checks.as_dict()
