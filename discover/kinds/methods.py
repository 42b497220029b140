"""Ways from vectors to clusters: consensus of UMAP layouts and HDBSCAN, and two plain baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discover.kinds.centres import centre_clusters
from discover.kinds.density import DensityTree
from discover.kinds.sweep import LARGEST_SHARE, Finder
from discover.project import NeighbourGraph, ProjectConfig, Vectors

METHODS = ("umap", "pca-hdbscan", "pca-kmeans")

_LAYOUTS = {500: 32, 2_000: 16, 10_000: 8}  # UMAP layouts of a consensus, up to so many vectors
_FEWEST_LAYOUTS = 4  # of more vectors, each of whose layouts holds better
_SEEDS = 3  # of k-means


@dataclass(frozen=True)
class Finders:
    """What finds the clusters for a size.

    Attributes:
        find: the method.
        repeats: the method with other seeds, which `find` does not depend on more than on others.
    """

    find: Finder
    repeats: Sequence[Finder]


def finders(
    method: str,
    reduced: Vectors,
    graph: NeighbourGraph,
    config: ProjectConfig,
    *,
    min_samples: int,
    cap: bool,
) -> Finders:
    """Prepare a method.

    Args:
        method: one of `METHODS`.
        reduced: float32 [n, k].
        graph: of the same vectors.
        config: how vectors are projected.
        min_samples: how dense a neighbourhood must be, for HDBSCAN.
        cap: open clusters that hold more than a fifth of all.

    Raises:
        ValueError: no such method.
    """
    share = LARGEST_SHARE if cap else 1.0

    def densities(vectors: Vectors) -> Finder:
        tree = DensityTree(vectors, min_samples)
        return lambda size: tree.cut(size, max_share=share)

    if method == "umap":
        layouts = _layouts(graph, config, len(reduced))
        # Two halves, to tell how far another seed would agree; the whole holds better than they.
        halves = [layouts[::2], layouts[1::2]]
        return Finders(
            densities(np.hstack(layouts)), [densities(np.hstack(half)) for half in halves]
        )
    if method == "pca-hdbscan":
        return Finders(densities(reduced), [])
    if method == "pca-kmeans":
        seeds = _seeds(config.seed, _SEEDS + 1)
        first, *others = [lambda size, s=s: centre_clusters(reduced, size, seed=s) for s in seeds]
        return Finders(first, others)
    raise ValueError(f"method {method!r} is none of {', '.join(METHODS)}")


def _layouts(graph: NeighbourGraph, config: ProjectConfig, vectors: int) -> list[Vectors]:
    """Draw layouts whose side-by-side coordinates make a consensus.

    UMAP's result depends on its seed; squared distances between points in the joined coordinates
    are the sums over the layouts, so that what one draw tears apart or pushes together counts for
    little (evidence accumulation, Fred and Jain 2005).
    """
    count = next((n for most, n in _LAYOUTS.items() if vectors <= most), _FEWEST_LAYOUTS)
    return [
        graph.layout(dimensions=config.dimensions, min_dist=0.0, seed=seed)
        for seed in _seeds(config.seed, count)
    ]


def _seeds(seed: int, count: int) -> list[int]:
    """Return seeds that no other `seed` gives."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]
