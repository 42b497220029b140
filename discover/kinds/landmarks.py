"""The crops that a large survey is clustered by; the others are placed among them."""

import numpy as np
import numpy.typing as npt

from discover.project import Vectors, nearest

Rows = npt.NDArray[np.int64]

MOST = 20_000  # crops clustered at once: a minute on a laptop


def spread_over(groups: npt.NDArray[np.object_], count: int, seed: int) -> Rows:
    """Return `count` random rows, in each group in proportion to its size; all where fewer.

    Args:
        groups: the group of each row, such as its dive.
        count: how many rows.
        seed: of the draw.
    """
    if len(groups) <= count:
        return np.arange(len(groups))
    _, number = np.unique(groups.astype(str), return_inverse=True)
    order = np.lexsort((np.random.default_rng(seed).random(len(groups)), number.ravel()))
    every = np.linspace(0, len(groups), count, endpoint=False).astype(np.int64)
    return np.sort(order[every])


def choose_landmarks(
    reduced: Vectors, dives: npt.NDArray[np.object_], *, seed: int, count: int = MOST
) -> Rows:
    """Return the rows to cluster: all of them, up to `count`.

    Of more, half are drawn from each dive in proportion; the other half by their squared distance
    from the nearest of those (one round of k-means||, Bahmani et al. 2012), so that a kind too rare
    for a random draw is there too.

    Args:
        reduced: float32 [n, k].
        dives: the dive of each row.
        seed: of the draws.
        count: the most that are clustered at once.

    Returns:
        int64 [min(n, count)], ascending.
    """
    if len(reduced) <= count:
        return np.arange(len(reduced))
    first = spread_over(dives, count // 2, seed)
    rest = np.setdiff1d(np.arange(len(reduced)), first)
    _, distances = nearest(reduced[first], reduced[rest], 1)
    weights = distances[:, 0].astype(np.float64) ** 2 + 1e-12
    draw = np.random.default_rng(seed).choice(
        rest, count - len(first), replace=False, p=weights / weights.sum()
    )
    return np.sort(np.concatenate([first, draw]))
