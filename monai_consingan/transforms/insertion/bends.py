"""What stands out from a host's tissue, and changes that bend as the host does but for that."""

from __future__ import annotations

import numpy as np

from monai_consingan.data.contrast import robust_spread
from monai_consingan.transforms.insertion.shells import Shells
from monai_consingan.transforms.stiffness import Stiffness

_UNSEEN, _SEEN = 1.25, 2.5  # of its profile, in spreads of the host's tissue, with which a source is no lesion, or is
_SLACK = 0.005  # share of the host's stiffness that is left for what is a lesion for sure


def stands_out(host: np.ndarray, profile: np.ndarray, ring: np.ndarray, mask: np.ndarray) -> float:
    """Whether a source is another thing than the host's tissue around, by its radial profile: from 0 to 1.

    Args:
        host: one channel.
        profile: mean of source less host at every distance from the mask's border.
        ring: the tissue around.
        mask: where the lesion is.
    """
    around = host[ring] if ring.any() else host
    spread = robust_spread(around)
    far = np.sqrt((profile[mask] ** 2).mean()) - _UNSEEN * spread
    share = float(np.clip(far / ((_SEEN - _UNSEEN) * spread), 0.0, 1.0)) if spread else 1.0
    return share * share * (3 - 2 * share)


def bent(
    change: np.ndarray,
    stiff: Stiffness,
    share: float,
    shells: Shells,
    free: np.ndarray,
    trust: np.ndarray,
    profile: np.ndarray | None = None,
) -> np.ndarray:
    """A change that bends as the host does, a share of its radial profile left as it is, the rest as far as it can.

    Args:
        change: what is to be added to the host, (\\*spatial).
        stiff: the host's stiffness.
        share: of the profile that is left, from 0 to 1 (:func:`stands_out`); the rest bends the more freely.
        shells: around the lesion's border.
        free: where the change may be other than 0, boolean.
        trust: how much it counts in each voxel, above 0.
        profile: the change's means at every distance from the border; None finds them.
    """
    if not stiff.axes:
        return change
    kept = share * (shells.means(change) if profile is None else profile) if share else np.zeros(change.shape)
    trust = trust / (1 - (1 - _SLACK) * share)
    result = kept + stiff.applied(change - kept, free, trust)
    lost = shells.means(change - result)
    result += share * lost
    if share < 1:
        result += (1 - share) * stiff.applied(lost, free, trust)
    return np.where(free, result, 0.0)
