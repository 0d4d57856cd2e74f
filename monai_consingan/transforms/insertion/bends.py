"""What stands out from a host's tissue, and changes that bend as the host does but for that."""

from __future__ import annotations

import numpy as np

from monai_consingan.data.contrast import robust_spread
from monai_consingan.transforms.insertion.shells import Shells
from monai_consingan.transforms.stiffness import Stiffness

_UNSEEN, _SEEN = 1.25, 2.5  # spreads of the host's tissue by which a source differs that is no lesion, or is one
_SLACK = 0.005  # share of the host's stiffness that is left for what is a lesion for sure


def stands_out(host: np.ndarray, change: np.ndarray, profile: np.ndarray, ring: np.ndarray, parts: np.ndarray) -> float:
    """Whether a source is another thing than the host's tissue around, as a whole or a part of it: from 0 to 1.

    As a whole it is by its radial profile, in which a bright rim and a dark core count both; a part is by its mean.

    Args:
        host: one channel.
        change: source less host.
        profile: mean of that at every distance from the mask's border.
        ring: the tissue around.
        parts: the mask, a value above 0 for each part that is told apart.
    """
    spread = robust_spread(host[ring] if ring.any() else host)
    means = [float(change[parts == value].mean()) for value in np.unique(parts[parts > 0])]
    far = max(float(np.sqrt((profile[parts > 0] ** 2).mean())), *map(abs, means)) - _UNSEEN * spread
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
