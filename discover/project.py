"""Vectors to fewer dimensions: L2, PCA, L2, UMAP."""

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


@dataclass(frozen=True)
class ProjectConfig(Config):
    """How vectors are projected.

    Attributes:
        components: dimensions kept by PCA; makes UMAP several times faster at equal quality.
        dimensions: dimensions that UMAP leaves for clustering.
        neighbors: UMAP's neighbourhood: small keeps fine structure.
        seed: seed of PCA and UMAP. With a seed UMAP runs on one core, and repeats.
    """

    components: int = 20
    dimensions: int = 8
    neighbors: int = 15
    seed: int = 0


def reduce_linearly(vectors: Vectors, config: ProjectConfig) -> Vectors:
    """Scale vectors [n, d] to length 1, keep the first principal components, scale again.

    Returns:
        float32 [n, components], fewer where n or d is smaller.

    Raises:
        ValueError: a vector is not finite.
    """
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        raise ValueError(f"vectors: {bad} of {len(vectors)} are not finite")
    kept = min(config.components, *vectors.shape)
    pca = PCA(kept, random_state=config.seed, svd_solver="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # identical vectors have no variance
        components = pca.fit_transform(normalize(vectors))
    components[np.linalg.norm(components, axis=1) < _ROUNDING] = 0.0
    # Length 1 once more: after centring, angles tell kinds apart better than distances.
    return np.asarray(normalize(components), np.float32)


def umap_project(
    reduced: Vectors, *, dimensions: int, min_dist: float, config: ProjectConfig
) -> Vectors:
    """Project vectors [n, d] with UMAP (McInnes et al. 2018, arXiv:1802.03426).

    Args:
        reduced: the output of `reduce_linearly`.
        dimensions: of the result.
        min_dist: 0 packs neighbours tightly, for clustering; 0.1 and more spreads them, for a map.
        config: neighbourhood and seed.

    Returns:
        float32 [n, dimensions]; equal vectors get one position, where UMAP alone would make a cloud
        of them in which there are clusters of chance.
    """
    _, first, inverse = np.unique(reduced, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # of appearance, so that data without equal vectors are as they were
    distinct, place = reduced[first[order]], np.argsort(order)[inverse.ravel()]
    if len(distinct) < _NEIGHBOURHOOD:
        padded = np.zeros((len(reduced), max(dimensions, reduced.shape[1])), np.float32)
        padded[:, : reduced.shape[1]] = reduced
        return padded[:, :dimensions]
    return _umap(distinct, dimensions, min_dist, config)[place]


def _umap(reduced: Vectors, dimensions: int, min_dist: float, config: ProjectConfig) -> Vectors:
    from umap import UMAP

    few = len(reduced) <= dimensions + 2  # the spectral start needs more points than dimensions
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        warnings.filterwarnings("ignore", message=".*n_neighbors is larger.*")
        warnings.filterwarnings("ignore", message=".*force_all_finite.*")
        projected = UMAP(
            n_components=dimensions,
            n_neighbors=min(config.neighbors, len(reduced) - 1),
            min_dist=min_dist,
            init="random" if few else "spectral",
            random_state=config.seed,
        ).fit_transform(reduced)
    return np.asarray(projected, np.float32)


def map_positions(reduced: Vectors, config: ProjectConfig) -> Vectors:
    """Return the 2-D map, float32 [n, 2]."""
    return umap_project(reduced, dimensions=2, min_dist=0.15, config=config)
