"""Pairs of frames that may show the same scene: close in order, or alike wherever they lie."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discover.scenes.looks import Floats

Pairs = npt.NDArray[np.int64]

_EXACT = 20_000  # vectors, up to which every pair is compared
_PROBES = 12  # cells of the index that are searched, beyond that


@dataclass(frozen=True)
class Window:
    """What is close in order.

    Attributes:
        frames: frames ahead in the dive.
        seconds: time ahead instead, for dives whose frames all have times; None = frames always.
    """

    frames: int = 5
    seconds: float | None = None


def pairs_in_window(frames: pd.DataFrame, window: Window) -> Pairs:
    """Return the pairs of a dive's frames that are close in order, int64 [n, 2], as row numbers.

    Args:
        frames: columns `dive, index, time_utc`, in any order.
        window: what is close.
    """
    found = [np.zeros((0, 2), np.int64)]
    for _, dive in frames.reset_index(drop=True).groupby("dive", sort=True):
        found.append(_ahead(dive.sort_values("index", kind="stable"), window))
    return distinct(np.concatenate(found))


def _ahead(dive: pd.DataFrame, window: Window) -> Pairs:
    rows = dive.index.to_numpy()
    if window.seconds is not None and dive["time_utc"].notna().all():
        timed = dive.sort_values("time_utc", kind="stable")
        rows = timed.index.to_numpy()
        seconds = (timed["time_utc"] - timed["time_utc"].iloc[0]).dt.total_seconds().to_numpy()
        last = np.searchsorted(seconds, seconds + window.seconds, side="right")
        found = [
            np.stack([np.full(stop - start - 1, rows[start]), rows[start + 1 : stop]], 1)
            for start, stop in enumerate(last)
        ]
    else:
        found = [np.stack([rows[:-k], rows[k:]], 1) for k in range(1, window.frames + 1)]
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def pairs_alike(vectors: Floats, dives: list[str], neighbours: int) -> Pairs:
    """Return each frame and the frames whose vectors are nearest, int64 [n, 2], as row numbers.

    The mean of its dive is taken off each vector, so that water and vehicle count for nothing;
    nearness is the cosine. Up to 20,000 frames are compared with all, more through cells (inverted
    file of faiss, Douze et al. 2024), whose seed is fixed.

    Args:
        vectors: float32 [n, d].
        dives: the dive of each.
        neighbours: of each frame.
    """
    neighbours = min(neighbours, len(vectors) - 1)
    if neighbours < 1:
        return np.zeros((0, 2), np.int64)
    unit = centred(vectors, dives)
    _, nearest = _index(unit).search(unit, neighbours + 1)
    rows = np.repeat(np.arange(len(unit)), neighbours + 1)
    pairs = np.stack([rows, nearest.ravel()], 1)
    return distinct(pairs[pairs[:, 1] >= 0])


def centred(vectors: Floats, dives: list[str]) -> Floats:
    """Return the vectors without the mean of their dive, of length 1."""
    table = pd.Series(dives)
    result = vectors.copy()
    for rows in table.groupby(table).indices.values():
        result[rows] -= result[rows].mean(axis=0)
    return np.asarray(result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-6))


def distinct(pairs: Pairs) -> Pairs:
    """Return each pair of two frames once, the smaller row first, in order."""
    ordered = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(ordered, axis=0) if len(ordered) else ordered.reshape(-1, 2)


def _index(unit: Floats) -> Any:  # noqa: ANN401 - an index of faiss
    import faiss

    size, dim = unit.shape
    flat = faiss.IndexFlatIP(dim)
    if size <= _EXACT:
        flat.add(unit)
        return flat
    cells = round(4 * size**0.5)
    index = faiss.IndexIVFFlat(flat, dim, cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = _PROBES
    index.train(unit[np.linspace(0, size - 1, min(size, 40 * cells)).round().astype(int)])
    index.add(unit)
    return index
