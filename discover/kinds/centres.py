"""Clusters round centres: k-means, the plain baseline."""

import numpy as np

from discover.kinds.density import Clustering, Labels, Vectors
from discover.survey import concat_rows
from discover.tables import SCHEMAS

_TYPICAL = 4  # times the smallest size is a cluster's mean size: kinds differ much in number
_EXEMPLARS = 5
_SAMPLE = 2000  # vectors that the silhouette is taken of; it needs all their distances


def centre_clusters(vectors: Vectors, min_size: int, *, seed: int) -> Clustering:
    """Cluster vectors by k-means; nothing is noise.

    Args:
        vectors: float32 [n, d].
        min_size: sets the number of clusters: n / (4 x min_size), at least 2.
        seed: of the centres' start.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    distinct = len(np.unique(vectors, axis=0))
    count = min(max(2, round(len(vectors) / (_TYPICAL * min_size))), distinct)
    model = KMeans(count, n_init=3, random_state=seed).fit(vectors)
    labels: Labels = model.labels_.astype(np.int32)
    distances = model.transform(vectors)
    own = np.take_along_axis(distances, labels[:, None], axis=1)[:, 0]
    validity = -1.0
    if 1 < count < len(vectors):
        validity = float(
            silhouette_score(
                vectors, labels, sample_size=min(_SAMPLE, len(vectors)), random_state=seed
            )
        )
    return Clustering(
        labels,
        _probabilities(distances, own),
        _closest(own, labels),
        dict.fromkeys(range(count), 0.0),
        concat_rows({name: [] for name in SCHEMAS["trees"].names}, "trees"),
        validity,
        min_size,
    )


def _probabilities(distances: Vectors, own: Vectors) -> Vectors:
    """Return 1 at a cluster's centre, 0.5 half way to the next."""
    if distances.shape[1] < 2:
        return np.ones(len(own), np.float32)
    second = np.partition(distances, 1, axis=1)[:, 1]
    return (second / np.maximum(own + second, 1e-12)).astype(np.float32)


def _closest(own: Vectors, labels: Labels) -> np.ndarray:
    """Mark the members of each cluster that are nearest to its centre."""
    order = np.lexsort((own, labels))
    starts = np.r_[0, np.cumsum(np.bincount(labels))[:-1]]
    chosen = np.zeros(len(labels), bool)
    rank = np.arange(len(labels)) - starts[labels[order]]
    chosen[order[rank < _EXEMPLARS]] = True
    return chosen
