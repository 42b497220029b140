"""How far the dives explain the clusters is said only where there is something to explain."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from discover.kinds.density import Clustering
from discover.kinds.outcome import summarise


@pytest.mark.parametrize(
    ("dives", "labels", "told"),
    [("aabb", [0, 0, 1, 1], 1.0), ("aaaa", [0, 0, 1, 1], None), ("aabb", [0, 0, 0, 0], None),
     ("aabb", [-1, -1, -1, -1], None)],
)  # fmt: skip
def test_one_dive_or_one_cluster_explains_nothing(
    dives: str, labels: list[int], told: float | None
) -> None:
    numbers = np.array(labels, np.int32)
    known = sorted(set(labels) - {-1})
    ones = np.ones(4, np.float32)
    found = Clustering(
        labels=numbers, probabilities=ones, exemplars=ones > 0, min_size=2, validity=0.5,
        persistence=dict.fromkeys(known, 0.5), tree=pa.table([], schema=pa.schema([])),
    )  # fmt: skip
    counts = summarise(pd.DataFrame({"dive": list(dives)}), numbers, found)
    assert counts["ami_dive"] == told
