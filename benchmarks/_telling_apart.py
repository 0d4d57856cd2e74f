"""Can a classifier tell one kind of case from another in patients that it has not seen? Its AUC, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from _intervals import DRAWS
from monai.networks.layers.factories import Conv, Norm
from torch import nn

from monai_consingan.errors import ConSinGANError

Pair = tuple[str, str]
_BATCH = 128
_BLOCKS = 6


def pair_folds(pairs: Sequence[Pair]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Folds that leave patients out: what is tested shares no patient with what is trained on.

    Patients are put into at most 6 blocks (each into its own, if there are few); a fold tests the pairs between two
    blocks, and trains on those without any patient of the two. Pairs within a block are never tested.

    Args:
        pairs: the two patients of every case.

    Yields:
        Indices to train on, and to test.
    """
    names = sorted({name for pair in pairs for name in pair})
    if len(names) < 4:
        raise ConSinGANError(f"There are {len(names)} patients, but leaving two out needs four or more: give more.")
    block = {name: k % _BLOCKS for k, name in enumerate(names)}
    held = np.array([sorted((block[a], block[b])) for a, b in pairs])
    for first in range(min(_BLOCKS, len(names))):
        for second in range(first):
            test = (held == (second, first)).all(axis=1)
            train = ~np.isin(held, (first, second)).any(axis=1)
            if test.any() and train.any():
                yield np.flatnonzero(train), np.flatnonzero(test)


def partner_folds(pairs: Sequence[Pair]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Folds that leave a pair out, both ways round: its patients may be trained on, but with other partners.

    Args:
        pairs: the two patients of every case.

    Yields:
        Indices to train on, and to test.
    """
    from sklearn.model_selection import LeaveOneGroupOut

    names = ["/".join(sorted(pair)) for pair in pairs]
    if len(set(names)) > 1:
        yield from LeaveOneGroupOut().split(names, groups=names)


FOLDS: dict[str, Callable[[Sequence[Pair]], Iterator[tuple[np.ndarray, np.ndarray]]]] = {
    "pair left out": partner_folds,
    "patients left out": pair_folds,
}
"""Ways to cross-validate."""


def require_forest() -> None:
    """Refuse to go on without scikit-learn.

    Raises:
        ConSinGANError: it is not installed.
    """
    if find_spec("sklearn") is None:
        raise ConSinGANError("A random forest needs scikit-learn: pip install scikit-learn.")


def forest_scores(
    features: np.ndarray, truth: np.ndarray, pairs: Sequence[Pair], folds: str, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a random forest for cases of unseen patients, NaN where there are none, and features' importances."""
    from sklearn.ensemble import RandomForestClassifier

    scores, importances = np.full(len(truth), np.nan), []
    for train, test in FOLDS[folds](pairs):
        forest = RandomForestClassifier(400, min_samples_leaf=2, random_state=seed)
        forest.fit(features[train], truth[train])
        scores[test] = forest.predict_proba(features[test])[:, 1]
        importances.append(forest.feature_importances_)
    return scores, np.mean(importances, axis=0)


def cnn_scores(
    patches: np.ndarray, truth: np.ndarray, pairs: Sequence[Pair], folds: str, seed: int = 0, epochs: int = 12
) -> np.ndarray:
    """Scores of a small convolutional network, in the plane or in space, the mean over a case's patches.

    Args:
        patches: of the border, (cases, patches, C, *spatial), in two or three dimensions.
        truth: 1 for a paste, 0 for a control.
        pairs: the two patients of every case.
        folds: key of :data:`FOLDS`.
        seed: of weights and order.
        epochs: passes over the patches.
    """
    images, dims = torch.from_numpy(patches), patches.ndim - 3
    convolution, norm = Conv["conv", dims], Norm["batch", dims]
    labels = torch.from_numpy(truth.astype(np.float32))[:, None].expand(images.shape[:2])
    scores = np.full(len(truth), np.nan)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for train, test in FOLDS[folds](pairs):
            network = nn.Sequential(
                *(convolution(images.shape[2], 12, 3), norm(12), nn.ReLU()),
                *(convolution(12, 24, 3, stride=2), norm(24), nn.ReLU()),
                *(convolution(24, 24, 3, stride=2), norm(24), nn.ReLU()),
                *(nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(1)),
            )
            given, wanted = images[train].flatten(0, 1), labels[train].flatten()
            with torch.no_grad():
                network(given[:2])  # tells the last layer its size
            optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, 4e-3, total_steps=epochs * -(-len(given) // _BATCH)
            )
            for _ in range(epochs):
                for batch in torch.randperm(len(given)).split(_BATCH):
                    image = given[batch].flip(-1) if torch.rand(()) < 0.5 else given[batch]
                    optimizer.zero_grad()
                    nn.functional.binary_cross_entropy_with_logits(network(image)[:, 0], wanted[batch]).backward()
                    optimizer.step()
                    schedule.step()
            network.eval()
            with torch.no_grad():
                found = network(images[test].flatten(0, 1))[:, 0]
            scores[test] = found.reshape(len(test), -1).mean(dim=1).numpy()
    return scores


def told_apart(made: Sequence[Any], real: Sequence[Any], groups: Sequence[str], seed: int) -> dict[str, Any]:
    """AUC, with its interval, of a forest that has to tell what was made from what is real, in patients left out.

    Args:
        made: features of what was made, a row for each.
        real: of what it was made of, in the same order.
        groups: the patient of each.
        seed: of the forest and of the interval.
    """
    truth, pairs = np.repeat([1, 0], len(made)), [(group, group) for group in groups] * 2
    scores, _ = forest_scores(np.array([*made, *real]), truth, pairs, "pair left out", seed)
    return auc_interval([scores], truth, pairs, seed=seed)


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Chance that a positive scores higher than a negative (Mann-Whitney)."""
    from scipy.stats import rankdata

    positive = truth > 0
    count = int(positive.sum())
    other = len(truth) - count
    if not count or not other:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - count * (count + 1) / 2) / (count * other))


def auc_interval(
    scores: Sequence[np.ndarray],
    truth: np.ndarray,
    pairs: Sequence[Pair],
    measure: Callable[[list[float]], float] = lambda values: values[0],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """A measure of the AUCs of one or several classifiers with its 95% interval: pairs are drawn anew, host and donor
    either way round together.

    Args:
        scores: of every classifier, for the same cases.
        truth: 1 for a paste, 0 for a control.
        pairs: the two patients of every case.
        measure: of the AUCs; by default the first.
        seed: of the bootstrap.
    """
    groups: dict[Pair, list[int]] = {}
    known = np.isfinite(np.sum(scores, axis=0))
    for index in np.flatnonzero(known):
        first, second = sorted(pairs[index])
        groups.setdefault((first, second), []).append(int(index))
    members = list(groups.values())
    random = np.random.default_rng(seed)
    values = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[k] for k in random.integers(len(members), size=len(members))])
        values.append(measure([auc(score[drawn], truth[drawn]) for score in scores]))
    low, high = np.percentile(values, [2.5, 97.5])
    value = measure([auc(score[known], truth[known]) for score in scores])
    return {"value": value, "low": float(low), "high": float(high), "n": int(known.sum())}
