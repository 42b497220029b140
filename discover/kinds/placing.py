"""Where crops belong that a clustering has not seen: on its map, and in its clusters, or nowhere.

Nothing that is there moves. A crop is placed by its nearest neighbours among those that were
clustered, in the space of the principal components, so that the result depends on no seed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discover.kinds.clustered import UNLIKE
from discover.project import Vectors, nearest

_NEIGHBOURS = 10  # vote for a crop's cluster
_CLOSEST = 3  # of them tell how far a crop is from anything known

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Placed:
    """Where vectors belong.

    Attributes:
        labels: int32 [n], -1 where a vector fits nowhere.
        probabilities: float32 [n], share of the neighbours, weighed by nearness, that agree.
        positions: float32 [n, 2] on the map.
        novelty: float32 [n], share of the clustered crops that are nearer to their own neighbours
            than this one to its: 0.99 is farther away than all but one in a hundred.
    """

    labels: Labels
    probabilities: npt.NDArray[np.float32]
    positions: Vectors
    novelty: npt.NDArray[np.float32]


class Landmarks:
    """Clustered vectors, which tell where others belong.

    The rule follows `hdbscan.approximate_predict` (a crop belongs where its neighbours do, unless
    it lies outside their density), with the density calibrated by leaving each member out in turn.

    Args:
        reduced: float32 [n, k], the output of a `Basis`.
        labels: int32 [n], -1 = noise.
        positions: float32 [n, 2].
    """

    def __init__(self, reduced: Vectors, labels: Labels, positions: Vectors) -> None:
        self._reduced, self._labels, self._positions = reduced, labels, positions
        _, distances = nearest(reduced, reduced, _CLOSEST + 1)
        self._own = distances[:, 1:].mean(axis=1)  # the first is the vector itself
        inside = labels >= 0
        self._known = np.sort(self._own[inside] if inside.any() else self._own)

    @property
    def novelty(self) -> npt.NDArray[np.float32]:
        """Novelty [n] of the clustered vectors themselves, each left out in turn."""
        return self._rank(self._own)

    def place(self, reduced: Vectors) -> Placed:
        """Place vectors [m, k]; none of them changes where the others belong."""
        rows, distances = nearest(self._reduced, reduced, _NEIGHBOURS)
        novelty = self._rank(distances[:, :_CLOSEST].mean(axis=1))
        weights = _weights(distances)
        labels, probabilities = _vote(self._labels[rows], weights)
        fits = (labels >= 0) & (novelty < UNLIKE)
        return Placed(
            np.where(fits, labels, -1).astype(np.int32),
            np.where(fits, probabilities, 0).astype(np.float32),
            np.einsum("nk,nkd->nd", weights, self._positions[rows]).astype(np.float32),
            novelty,
        )

    def _rank(self, distances: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        below = np.searchsorted(self._known, distances, side="left")
        return (below / len(self._known)).astype(np.float32)


def _weights(distances: Vectors) -> Vectors:
    """Return weights [n, k] that sum to 1 and fall with the square of distance (Shepard 1968)."""
    weights = 1.0 / (distances.astype(np.float64) ** 2 + 1e-9)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _vote(labels: Labels, weights: Vectors) -> tuple[Labels, npt.NDArray[np.float32]]:
    """Return the label [n] that has most of the weight in each row of [n, k], and its share."""
    same = labels[:, :, None] == labels[:, None, :]
    share = np.einsum("nij,nj->ni", same, weights)
    best = share.argmax(axis=1)
    row = np.arange(len(labels))
    return labels[row, best], share[row, best].astype(np.float32)
