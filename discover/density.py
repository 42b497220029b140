"""Groups of vectors by their density: HDBSCAN, with a size chosen by the validity of the result."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from discover.survey import concat_rows

log = logging.getLogger(__name__)

Labels = npt.NDArray[np.int32]
Vectors = npt.NDArray[np.float32]

_LARGEST_SHARE = 0.2  # of the crops; "auto" opens a larger cluster into its children


@dataclass(frozen=True)
class Clustering:
    """What HDBSCAN finds (Campello et al. 2013; McInnes et al. 2017, doi 10.21105/joss.00205).

    Attributes:
        labels: int32 [n], -1 = noise.
        probabilities: float32 [n], strength of membership, 0..1.
        exemplars: bool [n], the densest members of each cluster.
        persistence: float by cluster, 0..1: how long the cluster lives in the tree.
        tree: the condensed tree, as the table `trees` has it.
        validity: relative DBCV (Moulavi et al. 2014), -1..1.
        min_size: the smallest group that was taken for a cluster.
    """

    labels: Labels
    probabilities: npt.NDArray[np.float32]
    exemplars: npt.NDArray[np.bool_]
    persistence: dict[int, float]
    tree: pa.Table
    validity: float
    min_size: int

    @property
    def largest_share(self) -> float:
        """Share of all crops that are in the largest cluster."""
        members = self.labels[self.labels >= 0]
        return float(np.bincount(members).max() / len(self.labels)) if len(members) else 0.0


def find_clusters(vectors: Vectors, *, min_size: int = 0, min_samples: int = 0) -> Clustering:
    """Cluster vectors with HDBSCAN.

    Args:
        vectors: float32 [n, d].
        min_size: smallest cluster; 0 tries a range and takes the most valid result: relative DBCV
            times the share that is not noise. Clusters of more than a fifth of all crops are then
            opened into their children, since excess of mass likes one cluster that swallows most.
        min_samples: HDBSCAN's density parameter; 0 = `min_size`, at most 10.
    """
    if min_size:
        return _hdbscan(vectors, min_size, min_samples or min(min_size, 10))
    tried = []
    for size in candidate_sizes(len(vectors)):
        largest = max(size + 1, int(_LARGEST_SHARE * len(vectors)))
        result = _hdbscan(vectors, size, min_samples or min(size, 10), largest)
        log.info(
            "min_size %d: %d clusters, %.0f %% noise, largest %.0f %%, validity %.2f",
            size,
            len(result.persistence),
            100 * (result.labels < 0).mean(),
            100 * result.largest_share,
            result.validity,
        )
        tried.append(result)
    several = [result for result in tried if len(result.persistence) > 1]
    return max(several or tried, key=_worth)


def _worth(result: Clustering) -> float:
    """Validity times the share that is not noise; noise never excuses an invalid result."""
    return result.validity * (float((result.labels >= 0).mean()) if result.validity > 0 else 1.0)


def candidate_sizes(crops: int) -> list[int]:
    """Return the cluster sizes that "auto" tries: from 4 up, half as much more each time."""
    sizes = [4]
    while sizes[-1] * 1.5 <= min(crops / 6, 200):
        sizes.append(round(sizes[-1] * 1.5))
    return sizes


def _hdbscan(vectors: Vectors, min_size: int, min_samples: int, max_size: int = 0) -> Clustering:
    from hdbscan import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside hdbscan; 0/0 for identical vectors
        model = HDBSCAN(
            min_cluster_size=min_size,
            min_samples=min(min_samples, len(vectors) - 1),
            max_cluster_size=max_size,
            gen_min_span_tree=True,
            prediction_data=True,
            core_dist_n_jobs=1,
        ).fit(vectors.astype(np.float64))
        validity = float(np.nan_to_num(model.relative_validity_))
    labels = model.labels_.astype(np.int32)
    return Clustering(
        labels,
        np.nan_to_num(model.probabilities_).astype(np.float32),
        _exemplar_rows(vectors, labels, model.exemplars_),
        {i: float(np.nan_to_num(p)) for i, p in enumerate(model.cluster_persistence_)},
        _tree_rows(model),
        validity,
        min_size,
    )


def _exemplar_rows(
    vectors: Vectors, labels: Labels, exemplars: list[npt.NDArray[np.float64]]
) -> npt.NDArray[np.bool_]:
    """Mark the rows that hdbscan's `exemplars_`, which it gives as coordinates, stand for."""
    chosen = np.zeros(len(vectors), bool)
    rows = vectors.astype(np.float64)
    for number, points in enumerate(exemplars):
        members = np.flatnonzero(labels == number)
        wanted = {point.tobytes() for point in np.ascontiguousarray(points)}
        chosen[[row for row in members if rows[row].tobytes() in wanted]] = True
    return chosen


def _tree_rows(model: Any) -> pa.Table:  # noqa: ANN401 - an HDBSCAN estimator
    tree = model.condensed_tree_
    edges = pd.DataFrame(tree._raw_tree)
    number = {int(node): i for i, node in enumerate(tree._select_clusters())}
    return concat_rows(
        {
            "parent": edges["parent"].tolist(),
            "child": edges["child"].tolist(),
            "lambda": edges["lambda_val"].tolist(),
            "size": edges["child_size"].tolist(),
            "cluster": [number.get(int(child)) for child in edges["child"]],
        },
        "trees",
    )
