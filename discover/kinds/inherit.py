"""Which crops stand for their burst, and from which of them the others take their cluster.

Nearly all nearest neighbours of a crop are its own object a second later, so that clusters of all
crops are dives. One frame of each burst is clustered, and the others follow.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def standing(crops: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which crops stand for their burst.

    Those of the keyframe do; where it shows none of these crops, those of the frame with the
    likeliest of them. A null burst is a burst of one frame.

    Args:
        crops: columns `frame_id, burst_id, keyframe, score`.

    Returns:
        bool [n].
    """
    table = crops.reset_index(drop=True)
    order = table.dropna(subset=["burst_id"]).sort_values(
        ["keyframe", "score", "frame_id"], ascending=[False, False, True]
    )
    chosen = order.drop_duplicates("burst_id").set_index("burst_id")["frame_id"]
    stands = table["burst_id"].isna() | (table["burst_id"].map(chosen) == table["frame_id"])
    return stands.to_numpy(bool)


def inheritance(crops: pd.DataFrame, vectors: Vectors) -> Rows:
    """Return for each crop the crop whose cluster it takes: itself, where it stands for its burst.

    Every other crop takes after the nearest of those that stand for its burst.

    Args:
        crops: columns `frame_id, burst_id, keyframe, score`.
        vectors: float32 [n, d], of the same crops.

    Returns:
        int64 [n], row numbers.
    """
    source = np.arange(len(crops))
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    stands = standing(crops)
    numbered = pd.Series(np.arange(len(crops)))
    for _, burst in numbered.groupby(crops["burst_id"].to_numpy()):
        rows = burst.to_numpy()
        others = rows[~stands[rows]]
        if len(others):
            those = rows[stands[rows]]
            source[others] = those[(unit[others] @ unit[those].T).argmax(axis=1)]
    return source
