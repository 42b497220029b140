"""What of a class a page shows, and a verdict is about: pure functions from a crop table to rows.

A selection is a dictionary that travels in addresses and in verdicts. Each key narrows it:
`group` ("7", "-1" for the noise, "s12"), `show` (one of `SHOWN`), `name` (a subcategory as a person
reads it), `state` (one of `STATES`), `flags` (see `has_flag`), `shape` (a polygon on the map),
`ranges` (column to least and most), `without` (column and values that are hidden), `crops` (ids).
Without any it is all crops.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.crops.state import group_number
from discover.kinds.clustered import UNLIKE

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Selection = Mapping[str, Any]

SHOWN = {
    "unlike": "Unlike anything named",
    "flagged": "Second look",
    "suggested": "Suggested by the learned head",
    "next": "Worth a look next",
    "all": "All",
}
STATES = {
    "": "All crops",
    "open": "Undecided",
    "done": "Decided",
    "suggested": "With a suggestion",
    "flagged": "Second look",
}
ORDERS = {
    "typical": "Typical first",
    "outlier": "Outlier first",
    "score": "Score",
    "size": "Size",
    "time": "Time",
    "file": "Dive and index",
}
RANGED = {
    "score": "Score",
    "probability": "Membership",
    "novelty": "Novelty",
    "confidence": "Confidence",
    "depth_m": "Depth (m)",
    "area": "Area (px)",
    "index": "Place in dive",
}
HIDEABLE = ("name", "suggested", "dive")
_SURE = 0.5  # confidence from which a suggestion is shown in "suggested"


def mask(crops: pd.DataFrame, what: Selection) -> Mask:
    """Return which crops a selection holds.

    Raises:
        ValueError: a key's value is none that it can have.
    """
    keep = np.ones(len(crops), bool)
    for key, narrow in _NARROWING.items():
        value = what.get(key)
        if value not in (None, "", "all"):
            keep &= narrow(crops, value)
    return keep


def decided(crops: pd.DataFrame) -> Mask:
    """Return which crops a person has labelled, rejected or called indeterminate."""
    return is_value(crops["origin"], "human")


def open_crops(crops: pd.DataFrame) -> Mask:
    """Return which crops wait for a verdict: no person decided on them or approved them."""
    return ~decided(crops) & ~crops["validated"].to_numpy()


def suggested(crops: pd.DataFrame) -> Mask:
    """Return which crops wait and have a suggestion that is shown: not those unlike all named."""
    known = crops["suggested"].notna() & ~(crops["novelty"] >= UNLIKE)
    return known.to_numpy() & open_crops(crops)


def is_value(column: pd.Series, text: str) -> Mask:
    """Return where a categorical column has a value."""
    if text not in column.cat.categories:
        return np.zeros(len(column), bool)
    return np.asarray(column.cat.codes == column.cat.categories.get_loc(text))


def has_flag(crops: pd.DataFrame, which: str) -> Mask:
    """Return the crops whose frame has the flag `which`, or has no flag where that is "none"."""
    codes = crops["flags"].cat.codes.to_numpy()
    if which == "none":
        return np.asarray(codes < 0)
    known = crops["flags"].cat.categories
    return np.isin(codes, [i for i, text in enumerate(known) if which in text.split(", ")])


def flags_of(crops: pd.DataFrame) -> dict[str, int]:
    """Return how many of the crops lie in frames with each flag, the most frequent first."""
    counts: dict[str, int] = {}
    for text, count in crops["flags"].value_counts().items():
        for flag in str(text).split(", "):
            counts[flag] = counts.get(flag, 0) + int(count)
    return dict(sorted(((f, n) for f, n in counts.items() if n), key=lambda item: -item[1]))


def inside(
    x: npt.ArrayLike, y: npt.ArrayLike, polygon_x: Sequence[float], polygon_y: Sequence[float]
) -> Mask:
    """Return which points lie inside a polygon, by the even-odd rule.

    Args:
        x: coordinates [n]; nan is outside.
        y: coordinates [n].
        polygon_x: corners [m], closed or not.
        polygon_y: corners [m].
    """
    px, py = np.asarray(x, np.float32), np.asarray(y, np.float32)
    hit = np.zeros(px.shape, bool)
    corners = np.column_stack([polygon_x, polygon_y]).astype(np.float64)
    (low_x, low_y), (high_x, high_y) = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((px >= low_x) & (px <= high_x) & (py >= low_y) & (py <= high_y))
    qx, qy = px[near].astype(np.float64), py[near].astype(np.float64)
    crossed = np.zeros(len(near), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:  # a level edge is never crossed by a level ray
            continue
        crosses = (y0 > qy) != (y1 > qy)
        crossed ^= crosses & (qx < (x1 - x0) * (qy - y0) / (y1 - y0) + x0)
    hit[near] = crossed
    return hit


def in_order(crops: pd.DataFrame, rows: Rows, order: str, typical: Rows) -> Rows:
    """Return the rows in one of `ORDERS`; ties and unknown orders keep dive and index.

    Args:
        crops: the crops of a run.
        rows: some of them, ascending.
        order: one of `ORDERS`.
        typical: all rows in order of how typical they are (`CropTable.typical`). Noise belongs to
            no cluster, so its typical crops are those of the highest score.
    """
    if order == "typical":
        chosen = np.zeros(len(crops), bool)
        chosen[rows] = True
        return typical[chosen[typical]]
    if order == "outlier":
        keys = crops["score"].to_numpy()[rows], crops["probability"].to_numpy()[rows]
        return rows[np.lexsort(keys)]
    if order in ("score", "size"):
        column = crops["score" if order == "score" else "area"].to_numpy()[rows]
        return rows[np.argsort(-column, kind="stable")]
    if order == "time":
        return rows[np.argsort(crops["time_utc"].to_numpy()[rows], kind="stable")]
    return rows


def _hidden(crops: pd.DataFrame, column: str, values: Sequence[str]) -> Mask:
    if column == "group":
        return np.isin(crops["group"].to_numpy(), [group_number(value) for value in values])
    if column not in HIDEABLE:
        raise ValueError(f"without: {column!r} is none of group, {', '.join(HIDEABLE)}")
    hidden = crops[column].isin(values).to_numpy()
    return np.asarray(hidden | crops[column].isna().to_numpy()) if "" in values else hidden


def _shown(crops: pd.DataFrame, show: str) -> Mask:
    if show == "unlike":
        return (crops["novelty"] >= UNLIKE).to_numpy() & open_crops(crops)
    if show == "flagged":
        return crops["flag"].notna().to_numpy()
    if show == "suggested":
        return suggested(crops) & (crops["confidence"] >= _SURE).to_numpy()
    if show == "next":
        return crops["next"].notna().to_numpy() & open_crops(crops)
    raise ValueError(f"show: {show!r} is none of {', '.join(SHOWN)}")


def _state(crops: pd.DataFrame, state: str) -> Mask:
    if state == "open":
        return open_crops(crops)
    if state == "done":
        return ~open_crops(crops)
    if state == "suggested":
        return suggested(crops)
    if state == "flagged":
        return crops["flag"].notna().to_numpy()
    raise ValueError(f"state: {state!r} is none of {', '.join(filter(None, STATES))}")


def _in_group(crops: pd.DataFrame, group: object) -> Mask:
    return np.asarray(crops["group"].to_numpy() == group_number(str(group)))


def _in_ranges(crops: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> Mask:
    keep = np.ones(len(crops), bool)
    for column, (least, most) in ranges.items():
        if column not in RANGED:
            raise ValueError(f"ranges: {column!r} is none of {', '.join(RANGED)}")
        keep &= crops[column].between(least, most).to_numpy()
    return keep


_NARROWING: dict[str, Callable[[pd.DataFrame, Any], Mask]] = {
    "group": _in_group,
    "show": _shown,
    "name": lambda crops, name: is_value(crops["label"], name),
    "state": _state,
    "flags": has_flag,
    "shape": lambda crops, shape: inside(crops["map_x"], crops["map_y"], shape["x"], shape["y"]),
    "ranges": _in_ranges,
    "without": lambda crops, hidden: ~_hidden(crops, hidden["column"], hidden["values"]),
    "crops": lambda crops, ids: crops["crop_id"].isin(ids).to_numpy(),
}
