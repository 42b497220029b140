"""Figures of the overview and of the subcategories: pure functions from a table to a figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import palette

MOST_DIVES = 18
MOST_KINDS = 30  # rows of the confusion that can still be read
_GRID = "rgba(127,146,156,0.22)"


def classes_by_dive(rows: pd.DataFrame) -> go.Figure:
    """Draw how many crops of each class each dive has, the richest dives first.

    Args:
        rows: `dive, class, crops`; dives past the first `MOST_DIVES` are left out.
    """
    totals = rows.groupby("dive")["crops"].sum().sort_values(ascending=False)
    rows = rows[rows["dive"].isin(totals.index[:MOST_DIVES])]
    order = [str(d) for d in totals.index[:MOST_DIVES]]
    figure = go.Figure()
    for number, (name, group) in enumerate(rows.groupby("class")):
        crops = group.groupby("dive")["crops"].sum()
        figure.add_trace(
            go.Bar(
                x=crops.to_numpy(),
                y=crops.index.astype(str),
                name=plain(str(name)),
                orientation="h",
                marker=_of_class(number),
                hovertemplate="dive %{y}: %{x} crops<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        _stacked(max(180, 64 + 22 * len(order))),
        xaxis=_axis("crops"),
        yaxis={
            "categoryorder": "array",
            "categoryarray": order[::-1],
            "type": "category",
            "automargin": True,
            "ticksuffix": "  ",
        },
    )
    return figure


def classes_by_depth(rows: pd.DataFrame) -> go.Figure:
    """Draw how many crops of each class lie how deep, the surface above.

    Args:
        rows: `class, value, crops, step`, as `app.overview.data.classes_by_depth` returns them.
    """
    figure = go.Figure()
    for number, (name, group) in enumerate(rows.groupby("class")):
        figure.add_trace(
            go.Bar(
                x=group["crops"].to_numpy(),
                y=group["value"].to_numpy(),
                width=group["step"].to_numpy() * 0.86,
                name=plain(str(name)),
                orientation="h",
                marker=_of_class(number),
                hovertemplate="%{y:.6~g} m: %{x} crops<extra>%{fullData.name}</extra>",
            )
        )
    depth = {**_axis("depth (m)"), "autorange": "reversed", "automargin": True}
    figure.update_layout(_stacked(430), xaxis=_axis("crops"), yaxis=depth)
    return figure


def classes_by_time(rows: pd.DataFrame) -> go.Figure:
    """Draw how many crops of each class are of what time.

    Args:
        rows: `class, value, crops, step`, as `app.overview.data.classes_by_time` returns them.
    """
    figure = go.Figure()
    for number, (name, group) in enumerate(rows.groupby("class")):
        milliseconds = group["step"].to_numpy() * 1000.0
        figure.add_trace(
            go.Bar(
                x=group["value"].to_numpy(),
                y=group["crops"].to_numpy(),
                width=milliseconds * 0.9,
                offset=milliseconds * 0.05,
                name=plain(str(name)),
                marker=_of_class(number),
                hovertemplate="%{x|%Y-%m-%d %H:%M}: %{y} crops<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        _stacked(340),
        xaxis={**_axis("time (UTC)"), "type": "date", "automargin": True},
        yaxis=_axis("crops"),
    )
    return figure


def confusion(kinds: Sequence[str], counts: Sequence[Sequence[int]]) -> go.Figure:
    """Draw what a head takes for what, on crops that it was not taught, with counts.

    Args:
        kinds: names; of more than `MOST_KINDS` the rarest are left out.
        counts: [true kind][said kind].
    """
    table = np.asarray(counts, dtype=np.int64).reshape(len(kinds), len(kinds))
    kept = np.sort(np.argsort(-table.sum(axis=1), kind="stable")[:MOST_KINDS])
    table, names = table[np.ix_(kept, kept)], [plain(kinds[place]) for place in kept]
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=names,
            y=names,
            customdata=table,
            text=np.where(table > 0, table.astype(str), ""),
            texttemplate="%{text}",
            colorscale=[[0, "rgba(7,124,147,0.06)"], [1, "rgba(7,124,147,0.6)"]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y}, taken for %{x}: %{customdata} crops (%{z:.0%})<extra></extra>",
        )
    )
    figure.update_layout(
        _bare(),
        height=max(220, 130 + 30 * len(names)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={**_axis("the head says"), "showgrid": False, "automargin": True, "type": "category"},
        yaxis={
            **_axis("people say"),
            "showgrid": False,
            "automargin": True,
            "autorange": "reversed",
            "type": "category",
        },
    )
    return figure


def pace(rows: pd.DataFrame) -> go.Figure:
    """Draw how many crops each annotator had decided by what time.

    Args:
        rows: `annotator, time, crops`, the running sum, as `app.names.data.pace` returns them.
    """
    figure = go.Figure()
    for number, (name, group) in enumerate(rows.groupby("annotator", sort=True)):
        colour, symbol = palette.mark(number)
        figure.add_trace(
            go.Scatter(
                x=group["time"].to_numpy(),
                y=group["crops"].to_numpy(),
                name=plain(str(name)),
                mode="lines+markers",
                line={"shape": "hv", "color": colour, "width": 2},
                marker={"symbol": symbol, "size": 5},
                hovertemplate="%{x|%Y-%m-%d %H:%M}: %{y} crops<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        _bare(),
        height=260,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        margin={"l": 8, "r": 8, "t": 28, "b": 30},
        xaxis={**_axis("time (UTC)"), "type": "date", "automargin": True},
        yaxis={**_axis("crops named"), "rangemode": "tozero", "automargin": True},
    )
    return figure


def plain(text: str) -> str:
    """Return text that plotly shows as it is: it would read `<b>` as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _of_class(number: int) -> dict[str, object]:
    return {"color": palette.COLOURS[number % len(palette.COLOURS)], "line_width": 0}


def _axis(title: str) -> dict[str, object]:
    return {
        "title": {"text": title, "font": {"size": 12.5}},
        "gridcolor": _GRID,
        "zeroline": False,
    }


def _bare() -> go.Layout:
    return go.Layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": palette.THEME["fontFamily"], "size": 12.5},
    )


def _stacked(height: int) -> go.Layout:
    layout = _bare()
    layout.update(
        barmode="stack",
        bargap=0.28,
        height=height,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 8, "r": 8, "t": 36, "b": 36},
    )
    return layout
