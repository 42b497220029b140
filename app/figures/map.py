"""The figure of the map: pure functions from a table of crops to a plotly figure, as a dictionary.

What is sent is bounded whatever the number of crops: up to `MOST_POINTS` marks as binary arrays,
and above that a picture of how dense the crops lie, with a sample of them; nearer, all show.
Colour and shape go by number, so that they stay when a group is hidden.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import palette
from app.crops.selection import Mask, Rows
from app.figures.map_pictures import Viewport, density

MOST_POINTS = 30_000  # a browser still pans smoothly
GROUPED = ("group", "name", "suggested", "dive")  # the others are continuous
COLOUR_BY = {
    "group": "Cluster",
    "name": "Subcategory",
    "suggested": "Suggestion",
    "dive": "Dive",
    "depth_m": "Depth (m)",
    "time_utc": "Time",
    "score": "Score",
    "probability": "Membership",
    "novelty": "Novelty",
}
_NUMBERS = {"f4": np.float32, "i1": np.int8, "u1": np.uint8, "i2": np.int16}


def crop_map(
    crops: pd.DataFrame,
    keep: Mask,
    view: Viewport,
    *,
    colour_by: str = "group",
    priority: npt.NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Draw crops as points; crop ids ride in `customdata`.

    Args:
        crops: the crops of a run as they stand.
        keep: which of them the filters leave.
        view: the part that is in sight.
        colour_by: one of `COLOUR_BY`.
        priority: float32 [n], which crops are drawn first where not all are; exemplars come before.
    """
    rows, everything = drawn_rows(crops, keep, view, priority)
    images = [] if everything else [density(crops, keep, view)]
    return {
        "data": [_points(crops, rows, colour_by), _ring()],
        "layout": {**_LAYOUT, **_axes(view), "images": images},
    }


def drawn_rows(
    crops: pd.DataFrame, keep: Mask, view: Viewport, priority: npt.NDArray[np.float32] | None = None
) -> tuple[Rows, bool]:
    """Return the rows that are drawn as marks, and whether they are all that is in sight."""
    placed = keep & crops["map_x"].notna().to_numpy()
    if placed.sum() <= MOST_POINTS:
        return np.flatnonzero(placed), True
    rows = np.flatnonzero(placed & view.holds(crops))
    if len(rows) <= MOST_POINTS:
        return rows, True
    order = np.zeros(len(crops), np.float32) if priority is None else priority
    rank = order[rows] - crops["exemplar"].to_numpy()[rows] * 2
    chosen = np.argpartition(rank, MOST_POINTS)[:MOST_POINTS]
    return np.sort(rows[chosen]), False


def ringed(crops: pd.DataFrame, rows: Rows) -> dict[str, Any]:
    """Draw rings around some crops, such as those that a search found."""
    rows = rows[:MOST_POINTS]
    return _ring() | {
        "x": binary(crops["map_x"].to_numpy()[rows], "f4"),
        "y": binary(crops["map_y"].to_numpy()[rows], "f4"),
    }


def outline(shape: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Draw the outline that a person drew, if there is one."""
    if not shape or not shape.get("shape"):
        return []
    corners = zip(shape["shape"]["x"], shape["shape"]["y"], strict=True)
    path = "L".join(f"{x:.6g},{y:.6g}" for x, y in corners)
    return [{"type": "path", "path": f"M{path}Z", **_LASSO}]


def legend(crops: pd.DataFrame, colour_by: str) -> list[tuple[str, str, str, int]]:
    """Return (value, colour, sign, crops) of each group, the largest first, those in none last."""
    if colour_by not in GROUPED:
        return []
    numbers, texts = grouping(crops, colour_by)
    least = int(numbers.min(initial=0))
    counts = np.bincount(numbers - least)  # numbers lie close, so that nothing need be sorted
    rows = []
    for place in np.flatnonzero(counts).tolist():
        number, count = place + least, int(counts[place])
        colour, symbol = palette.mark(number)
        value = texts(number)
        rows.append((value, colour, palette.SIGNS[symbol], count))
    return sorted(rows, key=lambda row: (row[0] in ("", "-1"), -row[3]))


def grouping(crops: pd.DataFrame, by: str) -> tuple[npt.NDArray[np.int64], Any]:
    """Return the number of each crop's group, negative for none, and what says its value."""
    if by == "group":
        numbers = crops["group"].to_numpy().astype(np.int64)
        # A group that was split off has a number below -1: it gets a mark of its own.
        marks = np.where(numbers < -1, -numbers + 200, numbers)
        return marks, lambda m: f"s{m - 201}" if m > 200 else str(m)
    column = crops[by]
    known = column.cat.categories
    return column.cat.codes.to_numpy().astype(np.int64), lambda m: "" if m < 0 else str(known[m])


def binary(values: npt.ArrayLike, dtype: str) -> dict[str, str]:
    """Return numbers as plotly's typed array: base64 of their bytes."""
    packed = np.ascontiguousarray(values, _NUMBERS[dtype])
    return {"dtype": dtype, "bdata": base64.b64encode(packed.tobytes()).decode()}


def _points(crops: pd.DataFrame, rows: Rows, colour_by: str) -> dict[str, Any]:
    exemplar = crops["exemplar"].to_numpy()[rows]
    marker = {"line": {"width": 0}, "opacity": 0.85}
    if colour_by in GROUPED:
        numbers = grouping(crops, colour_by)[0][rows]
        order = np.argsort(numbers >= 0, kind="stable")  # what is in no group lies below
        rows, numbers, exemplar = rows[order], numbers[order], exemplar[order]
        marker |= _marks(numbers, exemplar)
    else:
        marker |= _shades(crops[colour_by].iloc[rows], COLOUR_BY[colour_by])
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": binary(crops["map_x"].to_numpy()[rows], "f4"),
        "y": binary(crops["map_y"].to_numpy()[rows], "f4"),
        "customdata": crops["crop_id"].to_numpy()[rows].tolist(),
        "hoverinfo": "none",  # the page draws its own card
        "showlegend": False,
        "marker": marker,
    }


def _marks(numbers: npt.NDArray[np.int64], exemplar: Mask) -> dict[str, Any]:
    colours = (palette.NOISE, *palette.COLOURS)
    n = len(colours)
    index = np.where(numbers < 0, 0, 1 + numbers % len(palette.COLOURS))
    shape = (numbers // len(palette.COLOURS)) % len(palette.SYMBOLS)
    shapes = np.where(numbers < 0, 0, shape)
    names = palette.SYMBOLS
    symbol: Any = [names[i] for i in shapes.tolist()] if shapes.any() else "circle"
    steps = [[(i + side) / n, colour] for i, colour in enumerate(colours) for side in (0, 1)]
    return {
        "color": binary(index, "u1"), "cmin": -0.5, "cmax": n - 0.5, "colorscale": steps,
        "symbol": symbol,
        "size": binary(np.where(numbers < 0, 4, np.where(exemplar, 10, 7)), "u1"),
        "showscale": False,
    }  # fmt: skip


def _shades(values: pd.Series, title: str) -> dict[str, Any]:
    if values.dtype.kind == "M":
        numbers = values.astype("int64").to_numpy() / 86_400e6  # microseconds to days
        numbers = np.where(values.isna(), np.nan, numbers - np.nanmin(numbers))
        title = "Days"
    else:
        numbers = values.to_numpy(np.float32)
    return {
        "color": binary(numbers, "f4"), "colorscale": palette.SCALE, "size": 7,
        "colorbar": {"title": {"text": title}, "thickness": 10, "len": 0.5, "outlinewidth": 0},
    }  # fmt: skip


def _ring() -> dict[str, Any]:
    return {
        "type": "scattergl", "mode": "markers", "x": [], "y": [], "hoverinfo": "skip",
        "showlegend": False,
        "marker": {"size": 15, "symbol": "circle-open", "color": "#c78a00",
                   "line": {"width": 2, "color": "#c78a00"}},
    }  # fmt: skip


def _axes(view: Viewport) -> dict[str, Any]:
    return {
        "xaxis": {"visible": False, "range": list(view.x)},
        "yaxis": {"visible": False, "range": list(view.y)},
    }


_LASSO: dict[str, Any] = {
    "line": {"color": palette.OCEAN[6], "width": 2},
    "fillcolor": "rgba(24,142,167,0.10)",
    "editable": False,
}
_LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    "font": {"family": palette.THEME["fontFamily"], "size": 12.5},
    "dragmode": "drawclosedpath",
    "newshape": {key: value for key, value in _LASSO.items() if key != "editable"},
    "hovermode": "closest",
    "uirevision": "keep",  # new colours keep zoom and selection
    "showlegend": False,
}
