"""The parts that a cluster falls into in HDBSCAN's condensed tree. Light."""

import numpy as np
import numpy.typing as npt

from discover.kinds.clustered import ALL
from discover.survey import Survey

Nodes = npt.NDArray[np.int64]


def branches(survey: Survey, run: str, cluster: int) -> list[list[str]]:
    """Return the crops of each part that a cluster falls into first, the largest part first.

    The cluster was chosen since it lives longer than its parts; they are what a person may split it
    into. Crops that fall out before the parts come apart are in none of them.

    Args:
        survey: the survey.
        run: the clustering run.
        cluster: the cluster's number.

    Returns:
        Ids of the clustered crops of each part; empty where the cluster does not come apart, or
        its method has no tree.
    """
    edges = survey.table("trees", run).read(units=[ALL]).to_pandas()
    node = edges.loc[edges["cluster"] == cluster, "child"]
    if node.empty:
        return []
    ids = _clustered_crops(survey, run)
    parents, children = edges["parent"].to_numpy(), edges["child"].to_numpy()
    parts = children[(parents == node.iloc[0]) & (children >= len(ids))].tolist()
    found = [[ids[i] for i in _points(parents, children, part, len(ids))] for part in parts]
    return sorted(found, key=len, reverse=True)


def opening(survey: Survey, run: str) -> set[int]:
    """Return the clusters that come apart in the tree."""
    edges = survey.table("trees", run).read(units=[ALL]).to_pandas()
    inner = set(edges["parent"])
    own = edges.dropna(subset=["cluster"])
    apart = set(edges.loc[edges["child"].isin(inner), "parent"])
    return {int(c) for c, child in zip(own["cluster"], own["child"], strict=True) if child in apart}


def _clustered_crops(survey: Survey, run: str) -> list[str]:
    """Return the crops that the tree was built of, in the order that it counts them."""
    rows = survey.table("clusters", run).read(["crop_id", "inherited_from", "placed"], units=[ALL])
    table = rows.to_pandas()
    own = table["inherited_from"].isna() & ~table["placed"].fillna(value=False).astype(bool)
    return [str(crop) for crop in table.loc[own, "crop_id"]]


def _points(parents: Nodes, children: Nodes, node: int, points: int) -> list[int]:
    found: list[int] = []
    todo = [node]
    while todo:
        below = children[np.isin(parents, todo)]
        found += below[below < points].tolist()
        todo = below[below >= points].tolist()
    return found
