"""Vectors to fewer dimensions: L2, PCA, L2; then UMAP, several times on one graph."""

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from classify.runs import Config

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]

_ROUNDING = 1e-6  # of unit vectors: shorter ones differ from the mean by rounding only
_NEIGHBOURHOOD = 4  # distinct vectors: of fewer, UMAP has nothing to learn; they stay as they are
_EPOCHS = 200  # of UMAP's descent; more changes the result less than another seed does
_JITTER = 1e-4  # of unit vectors: parts what the first components cannot tell apart
_MAP_DISTANCE = 0.15  # UMAP's min_dist for a map: room between the points


@dataclass(frozen=True)
class ProjectConfig(Config):
    """How vectors are projected.

    Attributes:
        components: dimensions kept by PCA; makes UMAP several times faster at equal quality.
        dimensions: dimensions that UMAP leaves for clustering.
        neighbors: UMAP's neighbourhood: small keeps fine structure.
        seed: seed of UMAP. With a seed UMAP runs on one core, and repeats.
    """

    components: int = 20
    dimensions: int = 8
    neighbors: int = 15
    seed: int = 0


@dataclass(frozen=True)
class Basis:
    """The linear part of the projection, so that vectors that come later land in the same space.

    Attributes:
        mean: float32 [d], of the unit vectors.
        components: float32 [k, d], the first principal components.
    """

    mean: Vectors
    components: Vectors

    def __call__(self, vectors: Vectors) -> Vectors:
        """Project vectors [n, d] to unit vectors [n, k]; what equals the mean becomes 0."""
        projected = (normalize(vectors) - self.mean) @ self.components.T
        projected[np.linalg.norm(projected, axis=1) < _ROUNDING] = 0.0
        # Length 1 once more: after centring, angles tell kinds apart better than distances.
        return np.asarray(normalize(projected), np.float32)


def fit_basis(vectors: Vectors, config: ProjectConfig) -> Basis:
    """Learn the principal components of unit vectors.

    Args:
        vectors: float32 [n, d].
        config: how many components, fewer where n or d is smaller.

    Raises:
        ValueError: a vector is not finite.
    """
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        raise ValueError(f"vectors: {bad} of {len(vectors)} are not finite")
    # Exact, so that neither the seed nor the order of the crops matters.
    pca = PCA(min(config.components, *vectors.shape), svd_solver="covariance_eigh")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # identical vectors have no variance
        pca.fit(normalize(vectors))
    return Basis(pca.mean_.astype(np.float32), pca.components_.astype(np.float32))


def reduce_linearly(vectors: Vectors, config: ProjectConfig) -> Vectors:
    """Scale vectors [n, d] to length 1, keep the first principal components, scale again.

    Returns:
        float32 [n, components], fewer where n or d is smaller.

    Raises:
        ValueError: a vector is not finite.
    """
    return fit_basis(vectors, config)(vectors)


def nearest(
    reference: Vectors, queries: Vectors, count: int
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Return rows of the `count` nearest of `reference` to each query, and their distances.

    Exact, by faiss; at most as many as there are. A query that is in the reference finds itself
    (or its equal) first.

    Returns:
        int64 [m, count] and float32 [m, count], the nearest first.
    """
    import faiss

    index = faiss.IndexFlatL2(reference.shape[1])
    index.add(np.ascontiguousarray(reference, np.float32))
    count = min(count, len(reference))
    squared, rows = index.search(np.ascontiguousarray(queries, np.float32), count)
    return rows, np.sqrt(np.maximum(squared, 0.0))


class NeighbourGraph:
    """UMAP's fuzzy graph of vectors (McInnes et al. 2018, arXiv:1802.03426), made once.

    Layouts are then drawn from it as often as wanted. Equal vectors are one node, and so get one
    position, where UMAP alone would make a cloud of them in which there are clusters of chance.

    Args:
        reduced: float32 [n, d], the output of a `Basis`.
        config: neighbourhood and seed.
    """

    def __init__(self, reduced: Vectors, config: ProjectConfig) -> None:
        _, first, inverse = np.unique(reduced, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)  # of appearance, so that without equals nothing moves
        self._nodes, self._place = reduced[first[order]], np.argsort(order)[inverse.ravel()]
        self._graph = self._fuzzy(config) if len(self._nodes) >= _NEIGHBOURHOOD else None

    def _fuzzy(self, config: ProjectConfig) -> object:
        from umap.umap_ import fuzzy_simplicial_set

        count = min(config.neighbors, len(self._nodes) - 1)
        rows, distances = nearest(self._nodes, self._nodes, count)
        return fuzzy_simplicial_set(
            self._nodes,
            count,
            np.random.RandomState(config.seed),
            "euclidean",
            knn_indices=rows,
            knn_dists=distances,
        )[0]

    def layout(self, *, dimensions: int, min_dist: float, seed: int) -> Vectors:
        """Lay the graph out.

        Args:
            dimensions: of the result.
            min_dist: 0 packs neighbours tightly, for clustering; more spreads them, for a map.
            seed: of UMAP's random draws; the same seed gives the same positions.

        Returns:
            float32 [n, dimensions].
        """
        if self._graph is None:
            return _padded(self._nodes, dimensions)[self._place]
        from umap.umap_ import find_ab_params, simplicial_set_embedding

        random = np.random.RandomState(seed)
        a, b = find_ab_params(1.0, min_dist)
        positions, _ = simplicial_set_embedding(
            data=self._nodes,
            graph=self._graph,
            n_components=dimensions,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=_EPOCHS,
            init=self._start(dimensions, random),
            random_state=random,
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
        )
        return np.asarray(positions, np.float32)[self._place]

    def _start(self, dimensions: int, random: np.random.RandomState) -> Vectors:
        """Return where a layout starts: the first principal components.

        They keep what lies far apart apart (Kobak and Linderman 2021, doi
        10.1038/s41587-020-00809-z), the same for every seed; UMAP's own start, the graph's
        spectrum, may take for ever where groups hardly touch.
        """
        start = _padded(self._nodes, dimensions)
        return start + random.normal(scale=_JITTER, size=start.shape).astype(np.float32)

    def map_positions(self, seed: int) -> Vectors:
        """Return the 2-D map, float32 [n, 2]."""
        return self.layout(dimensions=2, min_dist=_MAP_DISTANCE, seed=seed)


def _padded(rows: Vectors, dimensions: int) -> Vectors:
    """Return the first `dimensions` columns, zeros where there are fewer."""
    padded = np.zeros((len(rows), max(dimensions, rows.shape[1])), np.float32)
    padded[:, : rows.shape[1]] = rows
    return padded[:, :dimensions]
