"""The size of the smallest cluster, chosen by what holds: a sweep over sizes and seeds. Light."""

import logging
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from discover.kinds.density import Clustering, Labels
from discover.tables import SCHEMAS

log = logging.getLogger(__name__)

Finder = Callable[[int], Clustering]

LARGEST_SHARE = 0.2  # of the crops: a larger cluster is opened into its children
_LITTLE = 1e-6  # worth of several clusters however poor, which is more than that of one
STABLE = 0.85  # agreement (AMI) of two seeds, or two neighbouring sizes, that can be relied on


def candidate_sizes(crops: int) -> list[int]:
    """Return the cluster sizes that "auto" tries, each a quarter more than the last.

    From 4 to 6, and on up to 200 as long as sixty clusters of that size are possible: kinds are
    many, and one that is cut in two costs a person less than two that are one.
    """
    sizes = [4]
    largest = min(max(6, crops / 60), 200)
    while (following := max(sizes[-1] + 1, round(sizes[-1] * 1.25))) <= largest:
        sizes.append(following)
    return sizes


def agreement(first: Labels, second: Labels) -> float:
    """Return the adjusted mutual information of two clusterings, noise as a cluster of its own.

    1 is the same clustering, 0 what chance gives (Vinh et al. 2010).
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(first, second))


def sweep(
    find: Finder, repeats: Sequence[Finder], sizes: Sequence[int]
) -> tuple[Clustering, pa.Table]:
    """Try sizes, and take the one whose clusters are valid, cover the crops, and hold.

    A size is worth validity x coverage x stability. Validity and coverage are means over the seeds.
    Stability is how well the result agrees with what other seeds give at the same size, and the
    same seed at the neighbouring sizes. The best size alone would change with the seed wherever the
    curve is flat; the one at the middle of what is worth something does not.

    Args:
        find: gives the clusters for a size.
        repeats: give them from other seeds, independently; fewer than two say nothing of seeds.
        sizes: ascending.

    Returns:
        The clusters, and the curve: the table `sweeps`, a row for each size.
    """
    found = [find(size) for size in sizes]
    again = [[other(size) for other in repeats] for size in sizes]
    rows = pd.DataFrame(
        {
            "min_size": [result.min_size for result in found],
            "clusters": [len(result.persistence) for result in found],
            "coverage": [result.coverage for result in found],
            "largest_share": [result.largest_share for result in found],
            "validity": [result.validity for result in found],
            "seeds_agree": [_seeds_agree(others) for others in again],
            "sizes_agree": _sizes_agree(found),
        }
    )
    rows["stability"] = rows[["seeds_agree", "sizes_agree"]].mean(axis=1)
    valid = [_valid_share([one, *others]) for one, others in zip(found, again, strict=True)]
    worth = np.maximum(valid * rows["stability"].fillna(1.0), _LITTLE)
    rows["worth"] = np.where(rows["clusters"] > 1, worth, 0.0)  # one cluster says nothing
    best = _middle(rows["min_size"].to_numpy(), rows["worth"].to_numpy())
    rows["chosen"] = rows.index == best
    log.info("sizes tried:\n%s", rows.round(2).to_string(index=False))
    return found[best], pa.Table.from_pandas(rows, SCHEMAS["sweeps"], preserve_index=False)


def _seeds_agree(results: Sequence[Clustering]) -> float:
    pairs = [agreement(a.labels, b.labels) for a, b in combinations(results, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def _sizes_agree(found: Sequence[Clustering]) -> list[float]:
    """Return how well each result agrees with those of the sizes before and after."""
    steps = [agreement(a.labels, b.labels) for a, b in pairwise(found)]
    sides = [steps[max(i - 1, 0) : i + 1] for i in range(len(found))]
    return [float(np.mean(side)) if side else float("nan") for side in sides]


def _valid_share(results: Sequence[Clustering]) -> float:
    return float(np.mean([max(result.validity, 0.0) * result.coverage for result in results]))


def _middle(sizes: npt.NDArray[np.int64], worth: npt.NDArray[np.float64]) -> int:
    """Return the row nearest to the geometric mean of sizes, weighted by the square of their worth.

    It is taken from those that are worth half as much as the best.
    """
    if not worth.any():
        return 0
    weights = worth**2 / (worth**2).sum()
    away = np.abs(np.log(sizes) - weights @ np.log(sizes))
    return int(np.where(worth >= worth.max() / 2, away, np.inf).argmin())
