"""Pure functions from a table of crops (`Explorer.crops`) to what a page shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

ORDERS = {
    "typical": "Typical first",
    "outlier": "Outlier first",
    "score": "Score",
    "size": "Size",
    "file": "Dive and index",
}


def ordered(crops: pd.DataFrame, order: str) -> pd.DataFrame:
    """Return the crops in one of `ORDERS`; ties and unknown orders keep dive and index.

    Noise belongs to no cluster, so its typical crops are those of the highest score.
    """
    if order == "typical":
        by = ["exemplar", "probability", "score"]
        return crops.sort_values(by, ascending=False, kind="stable")
    if order == "outlier":
        return crops.sort_values(["probability", "score"], kind="stable")
    if order == "score":
        return crops.sort_values("score", ascending=False, kind="stable")
    if order == "size":
        area = crops["w"].astype("int64") * crops["h"]
        return crops.loc[area.sort_values(ascending=False, kind="stable").index]
    return crops


def by_flag(crops: pd.DataFrame, which: str | None) -> pd.DataFrame:
    """Return the crops whose frame has no flag ("none"), or the flag `which`; else all of them."""
    if which == "none":
        return crops[crops["flags"].isna()]
    if which in flags_of(crops):
        return crops[crops["flags"].map(lambda text: which in str(text).split(", "))]
    return crops


def flags_of(crops: pd.DataFrame) -> dict[str, int]:
    """Return how many of the crops lie in frames with each flag, the most frequent first."""
    counts = crops["flags"].dropna().astype(str).str.split(", ").explode().value_counts()
    return {str(flag): int(count) for flag, count in counts.items()}


def names_of(crops: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Return (name, crops, origin) of the names given in `crops`, the most frequent first.

    The origin is "human" as soon as a person gave the name to one of the crops.
    """
    named = crops.dropna(subset=["name"])
    by_name = named.groupby("name")["origin"]
    groups = pd.DataFrame(
        {"crops": by_name.size(), "human": by_name.agg(lambda o: "human" in set(o))}
    )
    groups = groups.sort_values("crops", ascending=False, kind="stable")
    rows: list[Any] = list(groups.itertuples(name=None))
    return [(str(n), int(c), "human" if human else "machine") for n, c, human in rows]


def queue(crops: pd.DataFrame, *, exemplars: int = 6) -> list[dict[str, Any]]:
    """Return the clusters in the order that names the most crops; noise is last.

    Args:
        crops: the crops of one run.
        exemplars: how many crops stand for a cluster.

    Returns:
        One dictionary a cluster: `cluster, size, unnamed, dives, frames, probability, names,
        exemplars` (crop ids).
    """
    rows: list[dict[str, Any]] = []
    cluster: Any
    for cluster, group in crops.groupby("cluster", sort=True):
        rows.append(
            {
                "cluster": int(cluster),
                "size": len(group),
                "unnamed": int(group["name"].isna().sum()),
                "dives": group["dive"].nunique(),
                "frames": group["frame_id"].nunique(),
                "probability": float(group["probability"].mean()),
                "names": names_of(group),
                "exemplars": ordered(group, "typical")["crop_id"].head(exemplars).tolist(),
            }
        )
    return sorted(rows, key=lambda row: (row["cluster"] < 0, -row["unnamed"], row["cluster"]))


def neighbours(crops: pd.DataFrame, cluster: int) -> tuple[int | None, int | None]:
    """Return the clusters before and after, the largest first and noise last.

    By size, not by what is unnamed: naming one must not change which is next.
    """
    sizes = crops.groupby("cluster").size()
    line = sorted((int(c) for c in sizes.index), key=lambda c: (c < 0, -sizes[c], c))
    if cluster not in line:
        return None, None
    at = line.index(cluster)
    return (line[at - 1] if at else None, line[at + 1] if at + 1 < len(line) else None)


def share_named(crops: pd.DataFrame) -> tuple[int, int]:
    """Return how many crops have a name, and how many there are."""
    return int(crops["name"].notna().sum()), len(crops)


def inside(
    x: npt.ArrayLike, y: npt.ArrayLike, polygon_x: Sequence[float], polygon_y: Sequence[float]
) -> npt.NDArray[np.bool_]:
    """Return which points lie inside a polygon, by the even-odd rule.

    Args:
        x: coordinates [n]; nan is outside.
        y: coordinates [n].
        polygon_x: corners [m], closed or not.
        polygon_y: corners [m].
    """
    px, py = np.asarray(x, np.float64), np.asarray(y, np.float64)
    corners = np.column_stack([polygon_x, polygon_y]).astype(np.float64)
    hit = np.zeros(px.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:  # a level edge is never crossed by a level ray
            continue
        crosses = (y0 > py) != (y1 > py)
        hit ^= crosses & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    return hit


def within(crops: pd.DataFrame, shape: dict[str, Any]) -> pd.DataFrame:
    """Return the crops that a shape on the map holds.

    Args:
        crops: the crops of one run.
        shape: `{"x": [..], "y": [..]}`, corners of a lasso in map coordinates, or
            `{"cluster": n}`.
    """
    if "cluster" in shape:
        return crops[crops["cluster"] == int(shape["cluster"])]
    return crops[inside(crops["map_x"], crops["map_y"], shape["x"], shape["y"])]


def sample(crops: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Return at most `limit` crops (more only if the exemplars alone are more), exemplars kept.

    The same crops each time, so that the map does not flicker.
    """
    if len(crops) <= limit:
        return crops
    keep = crops["exemplar"].to_numpy(bool, copy=True)
    rest = np.flatnonzero(~keep)
    room = max(0, limit - int(keep.sum()))
    keep[np.random.default_rng(0).choice(rest, room, replace=False)] = True
    return crops[keep]
