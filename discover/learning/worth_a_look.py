"""Which crops would teach a head most if a person named them next."""

import numpy as np
import numpy.typing as npt

from discover.project import nearest

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_NEIGHBOURS = 10


def worth_a_look(
    unit: Vectors, probabilities: Vectors, dives: npt.NDArray[np.object_], *, count: int
) -> Rows:
    """Choose crops that are uncertain, common and of many dives, one after another.

    Uncertain: the margin of the two likeliest kinds is small (Scheffer et al. 2001). Common: it has
    near neighbours, so that its name tells of many (information density, Settles & Craven 2008). A
    crop like one that is chosen already, or of a dive that has given many, comes later.

    Args:
        unit: float32 [n, d], vectors of length 1 of crops without a name.
        probabilities: float32 [n, kinds].
        dives: [n].
        count: how many to choose at most.

    Returns:
        int64 [<= count], rows, the first to look at first.
    """
    if not len(unit):
        return np.zeros(0, np.int64)
    worth = _uncertainty(probabilities) * _density(unit)
    _, dive = np.unique(dives, return_inverse=True)
    given = np.zeros(dive.max() + 1)
    likest = np.zeros(len(unit), np.float32)
    chosen: list[int] = []
    for _ in range(min(count, len(unit))):
        now = worth * (1 - likest) / (1 + given[dive])
        now[chosen] = -1
        best = int(now.argmax())
        chosen.append(best)
        given[dive[best]] += 1
        likest = np.maximum(likest, np.clip(unit @ unit[best], 0, 1))
    return np.array(chosen, np.int64)


def _uncertainty(probabilities: Vectors) -> Vectors:
    if probabilities.shape[1] == 1:
        return 1 - probabilities[:, 0] + 1e-6
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0]) + 1e-6


def _density(unit: Vectors) -> Vectors:
    """Return the mean cosine with the nearest neighbours, 0..1."""
    _, distances = nearest(unit, unit, _NEIGHBOURS + 1)
    near = distances[:, 1:] if distances.shape[1] > 1 else distances
    return np.clip(1 - (near**2).mean(axis=1) / 2, 0, 1).astype(np.float32) + 1e-6
