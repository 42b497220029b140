"""The order of a dive's frames: told by names and times, or recovered from what frames share."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

_FEWEST = 6  # proven pairs, below which nothing can be said
_CLOSE = 0.5  # of the mean distance of two places at random
_SERIAL = 0.9  # of the file names that must be alike but for their digits
_DENSE = 1500  # frames, up to which all eigenvectors are computed

Places = npt.NDArray[np.float64]


def places(frames: pd.DataFrame, links: pd.DataFrame) -> Places:
    """Return the place of each frame in its dive, float64 [n]; NaN where it cannot be told.

    The index, where times, a video or serial names tell it, or where proven pairs lie close in it.
    Otherwise the frames that hang together by proof are put in order by what they share, forwards
    or backwards, and the others have no place.

    Args:
        frames: the frames of one dive: columns `index, time_utc, video_frame, path`.
        links: proven pairs of it: columns `a, b` (row numbers) and `weight`.
    """
    index = frames["index"].to_numpy(float)
    if is_told(frames) or follows_index(index, links):
        return index
    return recovered(len(frames), links)


def is_told(frames: pd.DataFrame) -> bool:
    """Whether the frames come with an order: times, a video, or names that count."""
    if frames["time_utc"].notna().all() or frames["video_frame"].notna().all():
        return True
    names = frames["path"].str.split("/").str[-1]
    shapes = names.map(lambda name: re.sub(r"\d+", "0", name))
    return bool(shapes.value_counts(normalize=True).iloc[0] >= _SERIAL)


def follows_index(index: Places, links: pd.DataFrame) -> bool:
    """Whether proven pairs lie much closer in the index than pairs at random."""
    if len(links) < _FEWEST:
        return False
    rank = index.argsort().argsort()
    apart = np.abs(rank[links["a"].to_numpy()] - rank[links["b"].to_numpy()])
    return bool(apart.mean() < _CLOSE * (len(index) + 1) / 3)


def recovered(count: int, links: pd.DataFrame) -> Places:
    """Order the largest set of frames that hang together, NaN for the others.

    By the second eigenvector of the normalised graph Laplacian (spectral seriation, Atkins et al.
    1998, doi 10.1137/S0097539795285771).

    Args:
        count: frames of the dive.
        links: columns `a, b, weight`; the weight is what two frames share.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components, laplacian

    place = np.full(count, np.nan)
    if len(links) < _FEWEST:
        return place
    a, b = links["a"].to_numpy(), links["b"].to_numpy()
    weight = np.concatenate([links["weight"].to_numpy(float)] * 2)
    at = np.concatenate([a, b]), np.concatenate([b, a])
    graph = coo_matrix((weight, at), shape=(count, count)).tocsr()
    _, part = connected_components(graph, directed=False)
    inside = np.flatnonzero(part == np.bincount(part).argmax())
    if len(inside) < 3:
        return place
    matrix = laplacian(graph[inside][:, inside], normed=True)
    along = _second_eigenvector(matrix) / np.sqrt(graph[inside][:, inside].sum(axis=1).A1)
    if along[0] > along[-1]:
        along = -along  # either way round is as good; the same input gives the same
    place[inside[np.argsort(along, kind="stable")]] = np.arange(len(inside))
    return place


def _second_eigenvector(matrix: "object") -> Places:
    from scipy.sparse.linalg import eigsh

    size = matrix.shape[0]  # type: ignore[attr-defined]
    if size <= _DENSE:
        return np.asarray(np.linalg.eigh(matrix.toarray())[1][:, 1])  # type: ignore[attr-defined]
    start = np.random.default_rng(0).standard_normal(size)
    _, vectors = eigsh(matrix, k=2, sigma=-1e-3, which="LM", v0=start)
    return np.asarray(vectors[:, 1])
