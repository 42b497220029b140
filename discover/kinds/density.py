"""Groups of vectors by their density: HDBSCAN's hierarchy, built once and cut at several sizes."""

import warnings
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from discover.survey import concat_rows

Labels = npt.NDArray[np.int32]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clustering:
    """Groups of vectors, and what stood in none.

    Attributes:
        labels: int32 [n], -1 = noise.
        probabilities: float32 [n], strength of membership, 0..1.
        exemplars: bool [n], the most typical members of each cluster.
        persistence: float by cluster, 0..1: how long the cluster lives in the tree.
        tree: the condensed tree, as the table `trees` has it; empty where the method has none.
        validity: how well clusters are apart, -1..1: relative DBCV (Moulavi et al. 2014) of
            densities, the silhouette (Rousseeuw 1987) of k-means.
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

    @property
    def coverage(self) -> float:
        """Share of the crops that are in a cluster."""
        return float((self.labels >= 0).mean())


class DensityTree:
    """HDBSCAN (Campello et al. 2013; McInnes et al. 2017, doi 10.21105/joss.00205) of vectors.

    The spanning tree, which takes the time, is kept between cuts, so that a sweep over sizes costs
    little more than one.

    Args:
        vectors: float32 [n, d].
        min_samples: how dense a neighbourhood must be.
    """

    def __init__(self, vectors: Vectors, min_samples: int) -> None:
        self._vectors = vectors.astype(np.float64)
        self._min_samples = min(min_samples, len(vectors) - 1)
        self._kept = TemporaryDirectory(prefix="discover-tree-", ignore_cleanup_errors=True)

    def cut(self, min_size: int, *, max_share: float = 1.0) -> Clustering:
        """Take the clusters that live longest in the tree.

        Args:
            min_size: the smallest group that is a cluster.
            max_share: clusters of more than this share of all vectors are opened into their
                children, since excess of mass likes one cluster that swallows most.
        """
        from hdbscan import HDBSCAN

        largest = max(min_size + 1, int(max_share * len(self._vectors))) if max_share < 1 else 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside hdbscan; 0/0 of identical vectors
            model = HDBSCAN(
                min_cluster_size=min_size,
                min_samples=self._min_samples,
                max_cluster_size=largest,
                gen_min_span_tree=True,
                core_dist_n_jobs=1,
                memory=self._kept.name,
            ).fit(self._vectors)
            validity = float(np.nan_to_num(model.relative_validity_))
        labels = model.labels_.astype(np.int32)
        edges = pd.DataFrame(model.condensed_tree_._raw_tree)
        number = {int(n): i for i, n in enumerate(model.condensed_tree_._select_clusters())}
        return Clustering(
            labels,
            np.nan_to_num(model.probabilities_).astype(np.float32),
            _exemplars(edges, labels),
            {i: float(np.nan_to_num(p)) for i, p in enumerate(model.cluster_persistence_)},
            _tree_rows(edges, number),
            validity,
            min_size,
        )


def _exemplars(edges: pd.DataFrame, labels: Labels) -> npt.NDArray[np.bool_]:
    """Mark the points that outlive all others in their leaf of the tree."""
    chosen = np.zeros(len(labels), bool)
    is_point = edges["child"] < len(labels)
    inner = edges.loc[~is_point, "parent"]
    points = edges[is_point & ~edges["parent"].isin(inner)]
    last = points.groupby("parent")["lambda_val"].transform("max")
    chosen[points.loc[points["lambda_val"] == last, "child"]] = True
    return chosen & (labels >= 0)


def _tree_rows(edges: pd.DataFrame, number: dict[int, int]) -> pa.Table:
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
