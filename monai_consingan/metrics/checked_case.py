"""The checks of results in MONAI's evaluators: a warning where one does not pass."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.metrics.case import CaseTransform, insertion_measures, removal_measures
from monai_consingan.metrics.checks import Checks, check_insertion, check_removal


@dataclass(eq=False)
class CheckInsertiond(CaseTransform):
    """Add :func:`check_insertion` to a case, after its result was blended back; warn where the result does not pass.

    The case has the result ``pred``, the scan before as ``host``, and the new lesion's mask ``lesion``; it may have
    ``donor`` with its ``donor_lesion``, and ``others``, the mask of the host's own lesions. The checks come under
    ``checks``, as a dictionary (:meth:`Checks.as_dict`).

    A warning (:class:`~monai_consingan.errors.ConSinGANWarning`) is one sentence that names the ``case``. So is that of
    a result that cannot be checked, whose checks are ``None``. Arguments are those of
    :class:`~monai_consingan.metrics.CaseTransform`.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the checks."""
        name = "" if data.get("case") is None else f"Case {data['case']}: "
        checks = None
        try:
            checks = self.check(data)
        except ConSinGANError as error:
            warnings.warn(f"{name}the result cannot be checked: {error}", ConSinGANWarning, 2)
        if checks is not None and checks.failed:
            warnings.warn(f"{name}{checks.sentence()}", ConSinGANWarning, 2)
        return {**data, "checks": None if checks is None else checks.as_dict()}

    def check(self, data: Mapping[Hashable, Any]) -> Checks:
        """The checks of a case.

        Raises:
            ConSinGANError: it cannot be checked.
        """
        result, host, lesion = (data[key] for key in ("pred", "host", "lesion"))
        donor, donor_lesion = (data.get(key) for key in ("donor", "donor_lesion"))
        where, measures = self.where(data, "others"), {"lead": self.lead}
        if donor is not None and donor_lesion is not None:
            measures = insertion_measures({"": result}, lesion, donor, donor_lesion, where)
        return check_insertion(result, host, lesion, donor, donor_lesion, measures, where)


@dataclass(eq=False)
class CheckRemovald(CheckInsertiond):
    """Add :func:`check_removal` to a case, after its result was blended back; warn where the result does not pass.

    The case has the result ``pred``, the scan with the lesion as ``host``, and the mask ``lesion`` of what was filled;
    it may have ``removed``, the mask of the lesion, which is all that was filled otherwise, and ``label``, that of the
    lesions that stay. Arguments, checks and warnings are those of :class:`CheckInsertiond`.
    """

    def check(self, data: Mapping[Hashable, Any]) -> Checks:
        """The checks of a case.

        Raises:
            ConSinGANError: it cannot be checked.
        """
        result, host, filled = (data[key] for key in ("pred", "host", "lesion"))
        lesion = data.get("removed", filled)
        where = self.where(data, "label")
        return check_removal(
            result, host, filled, lesion, removal_measures({"": result}, filled, lesion, host, where), where
        )
