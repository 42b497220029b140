"""What a clustering gave, in numbers: the `counts` and `clusters` of its `run.json`."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from discover.kinds.density import Clustering, Labels


def summarise(crops: pd.DataFrame, labels: Labels, found: Clustering) -> dict[str, Any]:
    """Return how many clusters there are, how large, how valid, and how much the dives explain.

    Args:
        crops: column `dive` of the crops that were clustered or placed.
        labels: int32 [n], theirs.
        found: what the method found.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    inside = labels >= 0
    ami = adjusted_mutual_info_score(crops["dive"][inside], labels[inside])
    sizes = np.bincount(labels[inside])
    told = min(crops["dive"][inside].nunique(), len(set(labels[inside].tolist()))) > 1
    return {
        "dives": int(crops["dive"].nunique()),
        "clusters": len(found.persistence),
        "noise": int((~inside).sum()),
        "largest_share": round(float(sizes.max() / len(labels)), 4) if len(sizes) else 0.0,
        "min_size": found.min_size,
        "validity": round(found.validity, 4),
        # Of one dive, or one cluster, it would be 1 or 0 whatever the clusters are.
        "ami_dive": round(float(ami), 4) if told else None,
    }


def agreements(curve: pa.Table) -> dict[str, float | None]:
    """Return how stable the chosen row of a sweep is; None where there was nothing to compare."""
    row = curve.filter(curve["chosen"]).to_pylist()[0]
    names = ("stability", "seeds_agree", "sizes_agree")
    return {n: None if row[n] is None else round(row[n], 4) for n in names}


def describe(
    crops: pd.DataFrame, labels: Labels, found: Clustering, traced: pa.Table
) -> list[dict[str, Any]]:
    """Return size, dives, persistence and lineage of each cluster, the largest first.

    Args:
        crops: column `dive`.
        labels: int32 [n].
        found: what the method found.
        traced: the table `lineages`.
    """
    lineage = dict(zip(traced["cluster"].to_pylist(), traced["lineage"].to_pylist(), strict=True))
    dives = crops["dive"].to_numpy()
    rows = [
        {
            "cluster": number,
            "size": int((labels == number).sum()),
            "dives": _distinct(dives[labels == number]),
            "persistence": round(persistence, 4),
            "lineage": lineage[number],
        }
        for number, persistence in found.persistence.items()
    ]
    return sorted(rows, key=lambda row: -int(row["size"]))


def _distinct(values: npt.NDArray[np.object_]) -> int:
    return len(set(values.tolist()))
