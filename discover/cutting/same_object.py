"""Which crops show one object: in two frames of one burst, each the other's likest."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Vectors = npt.NDArray[np.float32]
Groups = npt.NDArray[np.int64]


def same_objects(crops: pd.DataFrame, vectors: Vectors) -> Groups:
    """Group the crops that show one object.

    A scene stays the same within a burst, so that the object of a crop is most likely in the other
    frames too; it is the crop there of the same class that looks most alike, if this one also looks
    most alike to that one. No label is needed, and no vector of another dive is ever compared.

    Args:
        crops: columns `frame_id, burst_id, class`; a null burst is a burst of one frame.
        vectors: float32 [n, d], of the same crops.

    Returns:
        int64 [n], the number of each crop's object; an object that is seen once has its own.
    """
    unit = vectors - vectors.mean(axis=0)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    pairs: list[tuple[int, int]] = []
    table = crops.reset_index(drop=True)
    for _, crops_there in table.dropna(subset=["burst_id"]).groupby(["burst_id", "class"]):
        frames = crops_there["frame_id"].to_numpy()
        pairs += _mutual(unit, crops_there.index.to_numpy(), frames)
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(a)), (a, b)), shape=(len(table), len(table)))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _mutual(
    unit: Vectors, rows: npt.NDArray[np.intp], frames: npt.NDArray[np.object_]
) -> list[tuple[int, int]]:
    """Return the pairs of rows in different frames that are each other's nearest there."""
    likeness = unit[rows] @ unit[rows].T
    of_frame = [np.flatnonzero(frames == frame) for frame in pd.unique(frames)]
    found: list[tuple[int, int]] = []
    for number, here in enumerate(of_frame):
        for there in of_frame[number + 1 :]:
            block = likeness[np.ix_(here, there)]
            forth, back = block.argmax(axis=1), block.argmax(axis=0)
            mutual = back[forth] == np.arange(len(here))
            found += zip(rows[here[mutual]], rows[there[forth[mutual]]], strict=True)
    return found
