from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from monai_consingan.errors import ConSinGANWarning
from monai_consingan.metrics import (
    CheckInsertiond,
    CheckRemovald,
    Where,
    check_insertion,
    check_removal,
    insertion_measures,
    removal_measures,
)

LESION = np.zeros((1, 36, 36, 12), np.uint8)
LESION[:, 14:22, 14:22, 3:9] = 1
NONE = np.zeros_like(LESION)


def tissue(seed: int, lesion: float = 0.0, channels: int = 1) -> np.ndarray:
    image = np.random.RandomState(seed).normal(100, 3, (channels, *LESION.shape[1:]))
    image[:, :3] = 0
    return image + lesion * LESION


def loudly(check: Any, case: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return check(case)["checks"]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_result_passes_in_silence(dims: int, channels: int) -> None:
    host, where = tissue(0, 0, channels), {"axis": 2, "dims": dims}
    donor = tissue(1, 50, channels)
    result = np.where(LESION > 0, host + 50, host)
    case = {"pred": result, "host": host, "lesion": LESION, "donor": donor, "donor_lesion": LESION, "others": NONE}
    measures = insertion_measures({"": result}, LESION, donor, LESION, Where(**where, others=NONE))
    expected = check_insertion(result, host, LESION, donor, LESION, measures, Where(**where, others=NONE))
    assert loudly(CheckInsertiond(**where), case) == expected.as_dict() and not expected.failed
    case = {"pred": host, "host": result, "lesion": LESION, "removed": LESION, "label": NONE}
    measures = removal_measures({"": host}, LESION, LESION, result, Where(**where, others=NONE))
    removed = check_removal(host, result, LESION, LESION, measures, Where(**where, others=NONE))
    assert loudly(CheckRemovald(**where), case) == removed.as_dict() and not removed.failed


@pytest.mark.parametrize("dims", [2, 3])
def test_a_result_that_does_not_pass_is_told_by_its_name(dims: int) -> None:
    host, where = tissue(0), {"axis": 2, "dims": dims}
    donor = {"donor": tissue(1, 50), "donor_lesion": LESION}
    case = {"case": "a", "pred": host - 70 * LESION, "host": host, "lesion": LESION}
    with pytest.warns(
        ConSinGANWarning, match=r"^Case a: the result does not pass its checks: contrast kept is -1"
    ) as one:
        checks = CheckInsertiond(**where)({**case, **donor})["checks"]
    assert len(one) == 1 and not checks["passed"]
    with pytest.warns(ConSinGANWarning, match="visibility is 0"):  # nobody knows the donor
        CheckInsertiond(**where)({**case, "pred": host})
    assert loudly(CheckInsertiond(**where), {**case, "pred": host + 5 * LESION})["passed"]
    lesion = {"pred": tissue(0, 50), "host": tissue(0, 50), "lesion": LESION}
    with pytest.warns(ConSinGANWarning, match="contrast kept is 1.00, not -0.50 to 0.50"):
        CheckRemovald(**where)(lesion)


def test_what_cannot_be_checked_is_told() -> None:
    host = np.full(LESION.shape, 100.0)
    everywhere = np.ones_like(LESION)
    case = {"case": "a", "pred": host + 1, "host": host, "lesion": everywhere}
    for check in (CheckInsertiond(axis=2), CheckRemovald(axis=2)):
        with pytest.warns(ConSinGANWarning, match="Case a: the result cannot be checked: "):
            assert check({**case, "donor": host, "donor_lesion": everywhere})["checks"] is None


@pytest.mark.parametrize("donor", [True, False])
def test_a_case_chooses_its_lead(donor: bool) -> None:
    host = tissue(0, 0, 2)
    case = {"pred": host + np.array([[60], [20]])[..., None, None] * LESION, "host": host, "lesion": LESION}
    if donor:
        case |= {"donor": tissue(1, 40, 2), "donor_lesion": LESION}
    own, given, other = (
        CheckInsertiond(axis=2, lead=lead)({**case, **choice})["checks"]["visibility"]
        for lead, choice in ((0, {"lead": 1}), (1, {}), (0, {}))
    )
    assert own == given != other
