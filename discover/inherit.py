"""Which crops stand for their burst, and from which of them the others take their cluster.

Nearly all nearest neighbours of a crop are its own object a second later, so that clusters of all
crops are dives. One frame of each burst is clustered, and the others follow.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def inheritance(crops: pd.DataFrame, vectors: Vectors) -> Rows:
    """Return for each crop the crop whose cluster it takes: itself, where it stands for its burst.

    The keyframe stands for its burst; where it shows none of these crops, the frame with the
    likeliest of them does. Every other crop takes after the nearest crop of that frame.

    Args:
        crops: columns `frame_id, burst_id, keyframe, score`; a null burst is a burst of one frame.
        vectors: float32 [n, d], of the same crops.

    Returns:
        int64 [n], row numbers.
    """
    source = np.arange(len(crops))
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    table = crops.reset_index(drop=True)
    for _, burst in table.dropna(subset=["burst_id"]).groupby("burst_id"):
        order = burst.sort_values(["keyframe", "score", "frame_id"], ascending=[False, False, True])
        stands = burst["frame_id"].to_numpy() == order["frame_id"].iloc[0]
        rows = burst.index.to_numpy()
        nearest = (unit[rows[~stands]] @ unit[rows[stands]].T).argmax(axis=1)
        source[rows[~stands]] = rows[stands][nearest]
    return source
