"""Rival clusterings of the same vectors, and their scores at equal coverage.

`clusterings(vectors)` gives labels by name, `score(...)` a row of scores; `cluster_kinds.py` prints
the table.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_mutual_info_score as ami
from sklearn.preprocessing import normalize

from discover.kinds.methods import finders
from discover.kinds.sweep import candidate_sizes, sweep
from discover.project import NeighbourGraph, ProjectConfig, nearest, reduce_linearly

Labels = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
Scores = dict[str, float]

OURS = "discover cluster"
ONE_LAYOUT = "one UMAP + HDBSCAN"


def clusterings(
    vectors: Vectors, *, seed: int = 0, groups: Sequence[int] = (50, 100)
) -> dict[str, Labels]:
    """Cluster vectors [n, d] by `discover cluster` and by its rivals.

    Args:
        vectors: float32 [n, d].
        seed: of everything that draws.
        groups: numbers of clusters for k-means and Ward, which do not choose it.

    Returns:
        int64 [n] by name, -1 = noise. EVoC is there where it is installed (`.[bench]`).
    """
    unit = normalize(vectors).astype(np.float32)
    found = {OURS: ours(vectors, seed=seed)}
    config = ProjectConfig(components=50, seed=seed)
    reduced = reduce_linearly(vectors, config)
    layout = NeighbourGraph(reduced, config).layout(dimensions=8, min_dist=0.0, seed=seed)
    found[ONE_LAYOUT] = HDBSCAN(min_cluster_size=10, copy=True).fit_predict(layout)
    found["PCA + HDBSCAN"] = ours(vectors, seed=seed, method="pca-hdbscan")
    for count in groups:
        model = KMeans(count, n_init=3, random_state=seed)
        found[f"k-means, {count}"] = model.fit_predict(unit)
        found[f"Ward, {count}"] = AgglomerativeClustering(count).fit_predict(unit)
    leaf = HDBSCAN(min_cluster_size=2, min_samples=1, cluster_selection_method="leaf", copy=True)
    found["HDBSCAN leaf 2/1, all dimensions (sdcat)"] = leaf.fit_predict(unit)
    return found | evoc(unit, seed)


def ours(vectors: Vectors, *, seed: int = 0, method: str = "umap") -> Labels:
    """Return the labels that `discover cluster` gives, without a survey."""
    config = ProjectConfig(components=50, neighbors=10, seed=seed)
    reduced = reduce_linearly(vectors, config)
    graph = NeighbourGraph(reduced, config)
    ways = finders(method, reduced, graph, config, min_samples=3, cap=True)
    return sweep(ways.find, ways.repeats, candidate_sizes(len(reduced)))[0].labels.astype(np.int64)


def evoc(unit: Vectors, seed: int) -> dict[str, Labels]:
    """Return EVoC's clusters, or nothing where it is not installed."""
    try:
        from evoc import EVoC
    except ImportError:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"EVoC": np.asarray(EVoC(random_state=seed).fit_predict(unit), np.int64)}


def certainty(unit: Vectors, labels: Labels) -> tuple[Labels, npt.NDArray[np.float64]]:
    """Give every vector a cluster, and say how certain it is, by one rule for all methods.

    Noise takes the cluster of its nearest clustered neighbour, and comes last. Otherwise a vector
    is the more certain, the nearer its own centroid is beside the next one.

    Returns:
        int64 [n] and float64 [n].
    """
    filled, noise = labels.copy(), labels < 0
    if noise.all():
        return np.zeros_like(labels), np.zeros(len(labels))
    rows, _ = nearest(unit[~noise], unit[noise], 1) if noise.any() else (np.zeros((0, 1), int), 0)
    filled[noise] = labels[~noise][rows[:, 0]]
    numbers, at = np.unique(filled, return_inverse=True)
    centres = np.stack([unit[at == n].mean(axis=0) for n in range(len(numbers))])
    distances = cdist(unit, centres)
    own = np.take_along_axis(distances, at[:, None], axis=1)[:, 0]
    np.put_along_axis(distances, at[:, None], np.inf, axis=1)
    return filled, np.where(noise, -10.0, 0.0) - own / np.maximum(distances.min(axis=1), 1e-9)


def score(
    vectors: Vectors,
    labels: Labels,
    types: npt.NDArray[np.object_],
    dives: npt.NDArray[np.object_] | None,
    *,
    coverages: Sequence[float] = (1.0, 0.9, 0.8),
) -> Scores:
    """Score a clustering against types that it has not seen.

    Args:
        vectors: float32 [n, d].
        labels: int64 [n], -1 = noise.
        types: [n]; None where a vector has no type, which leaves it out of the scores.
        dives: [n], or None where every vector is its own dive.
        coverages: shares of the typed vectors, the most certain first, at which AMI is taken.

    Returns:
        `clusters`, `coverage`, `type` (AMI of what is clustered), `dive` (likewise), and `at 0.9`
        (AMI with type of the most certain 90 %) for each of `coverages`.
    """
    typed = np.array([t is not None for t in types])
    inside = typed & (labels >= 0)
    kinds = types.astype(str)
    scores = {
        "clusters": float(len(set(labels.tolist()) - {-1})),
        "coverage": float(inside.sum() / typed.sum()),
        "type": float(ami(kinds[inside], labels[inside])),
        "dive": float("nan") if dives is None else float(ami(dives[inside], labels[inside])),
    }
    filled, certain = certainty(normalize(vectors).astype(np.float32), labels)
    order = np.flatnonzero(typed)[np.argsort(-certain[typed], kind="stable")]
    for coverage in coverages:
        kept = order[: round(coverage * len(order))]
        scores[f"at {coverage}"] = float(ami(kinds[kept], filled[kept]))
    return scores
