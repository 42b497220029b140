"""Figures: pure functions from a table to a plotly figure."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import palette
from app.queries import names_of

MOST_POINTS = 30_000  # on the map at once: a browser still pans smoothly
GROUPED = ("cluster", "name", "dive")  # the others are continuous
COLOUR_BY = {
    "cluster": "Cluster",
    "name": "Subcategory",
    "dive": "Dive",
    "depth_m": "Depth",
    "score": "Score",
}


def crop_map(crops: pd.DataFrame, *, colour_by: str = "cluster") -> go.Figure:
    """Draw crops as points; crop ids ride in `customdata`, beside what the hover card says.

    Args:
        crops: with `crop_id, cluster, map_x, map_y, dive, name, exemplar` and the column that
            colours; rows without a place on the map are left out.
        colour_by: one of `COLOUR_BY`.
    """
    crops = crops.dropna(subset=["map_x", "map_y"])
    figure = go.Figure()
    if colour_by in GROUPED:
        for number, label, rows in _groups(crops, colour_by):
            figure.add_trace(_points(rows, number, label))
    else:
        figure.add_trace(_shaded(crops, colour_by))
    figure.update_layout(
        _bare_layout(),
        dragmode="lasso",
        hovermode="closest",
        uirevision="keep",  # new colours keep zoom and selection
        legend={
            "itemsizing": "constant",
            "itemclick": False,  # a lasso holds every crop inside it, so none may be hidden
            "itemdoubleclick": False,
            "font": {"size": 12},
            "tracegroupgap": 0,
            "y": 0.94,  # below the tools
        },
        xaxis={"visible": False},
        yaxis={"visible": False},
    )
    return figure


def _bare_layout() -> go.Layout:
    return go.Layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        font={"family": palette.THEME["fontFamily"], "size": 12.5},
    )


def _groups(crops: pd.DataFrame, by: str) -> Iterable[tuple[int, str, pd.DataFrame]]:
    """Yield (number of the mark, label, rows), the grey ones first so that they lie below."""
    value: Any
    if by == "cluster":
        for value, rows in crops.groupby("cluster", sort=True):
            names = names_of(rows)[:1] if value >= 0 else []
            label = "noise" if value < 0 else f"cluster {value}"
            yield int(value), " · ".join([label, *(n for n, _, _ in names)]), rows
        return
    missing = crops[by].isna()
    if missing.any():
        yield -1, "unnamed" if by == "name" else f"no {by}", crops[missing]
    for number, (value, rows) in enumerate(crops[~missing].groupby(by, sort=True)):
        yield number, str(value), rows


def _points(rows: pd.DataFrame, number: int, label: str) -> go.Scattergl:
    colour, symbol = palette.mark(number)
    grey = number < 0
    size = np.where(rows["exemplar"].to_numpy(bool), 9.5, 6.5)
    return go.Scattergl(
        **_where(rows),
        name=_plain(label),
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 4 if grey else size,
            "line": {"width": 0},
            "opacity": 0.45 if grey else 0.85,
        },
        unselected={"marker": {"opacity": 0.12}},
    )


def _shaded(rows: pd.DataFrame, by: str) -> go.Scattergl:
    title = {"depth_m": "depth (m)"}.get(by, by)
    return go.Scattergl(
        **_where(rows),
        name=title,
        showlegend=False,
        marker={
            "color": rows[by].to_numpy(np.float32),
            "colorscale": palette.SCALE,
            "size": 6.5,
            "opacity": 0.85,
            "colorbar": {"title": {"text": title}, "thickness": 10, "len": 0.5, "outlinewidth": 0},
        },
        unselected={"marker": {"opacity": 0.12}},
    )


def _where(rows: pd.DataFrame) -> dict[str, object]:
    cluster = ["noise" if c < 0 else f"cluster {c}" for c in rows["cluster"]]
    dive = rows["dive"].fillna("").astype(str)
    name = rows["name"].astype(object).where(rows["name"].notna(), None)
    return {
        "x": rows["map_x"].to_numpy(np.float32),
        "y": rows["map_y"].to_numpy(np.float32),
        "mode": "markers",
        "customdata": list(zip(rows["crop_id"], cluster, dive, name, strict=True)),
        "hoverinfo": "none",  # the page draws its own card
    }


def _plain(text: str) -> str:
    """Return text that plotly shows as it is: it would read `<b>` as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
