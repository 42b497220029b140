"""The figure of how a score falls when the images are worse."""

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from classify.page import COLOURS, plain, quiet, style

_PANELS = 4  # side by side, readable from 1000 pixels on
_CLEAN = "clean"  # the kind of change that is none
_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"}


def robustness_figure(table: pd.DataFrame) -> go.Figure:
    """Draw the score under each change, a panel for each kind; dashed: of unchanged images.

    Kinds with a single amount share the last panel, as bars.

    Args:
        table: `task, change, amount, score` as `classify.robustness.measure_robustness` returns
            them; the amounts are words, in the order in which they are drawn.
    """
    changed = table[table["change"] != _CLEAN].assign(
        amount=lambda rows: rows["amount"].astype(str)
    )
    clean = table[table["change"] == _CLEAN].set_index("task")["score"]
    amounts = changed.groupby("change", sort=False)["amount"].nunique()
    panels = [[str(kind)] for kind in amounts.index[amounts > 1]]
    single = [str(kind) for kind in amounts.index[amounts == 1]]
    panels += [single] if single else []
    figure, cells = _panels(panels)
    for number, (task, rows) in enumerate(changed.groupby("task", sort=False)):
        colour = COLOURS[number % len(COLOURS)]
        for kinds, (row, col) in zip(panels, cells, strict=True):
            part = rows[rows["change"].isin(kinds)]
            figure.add_trace(
                _bars(part, colour) if kinds is single else _line(part, colour), row=row, col=col
            )
            figure.data[-1].update(
                name=plain(task), legendgroup=str(task), showlegend=(row, col) == (1, 1)
            )
            if task in clean.index:
                figure.add_hline(
                    y=float(clean[task]),
                    line={"dash": "dash", "color": colour, "width": 1.2},
                    row=row,
                    col=col,
                )
    named = ", ".join(f"{plain(task)} {value:.3f}" for task, value in clean.items())
    style(
        figure,
        title="Score on changed images<br>" + quiet(f"dashed: unchanged ({named})"),
        height=130 + 230 * (cells[-1][0] if cells else 1),
        bargap=0.55,
        margin={"t": 84},
        showlegend=changed["task"].nunique() > 1,
        legend={**_LEGEND, "x": 1, "xanchor": "right", "y": 1.06},
    )
    figure.update_annotations(font={"size": 13})
    figure.update_xaxes(type="category", tickangle=0)
    figure.update_yaxes(range=(0, 1.04), tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".2f")
    return figure


def _panels(panels: list[list[str]]) -> tuple[go.Figure, list[tuple[int, int]]]:
    """Return a figure with a cell for each panel; the last one takes what its row has left."""
    columns = min(_PANELS, max(1, len(panels)))
    rows = math.ceil(len(panels) / columns) or 1
    cells = [(number // columns + 1, number % columns + 1) for number in range(len(panels))]
    specs: list[list[dict[str, int] | None]] = [[{} for _ in range(columns)] for _ in range(rows)]
    if cells:
        last = cells[-1][1] - 1
        specs[-1][last] = {"colspan": columns - last}
        specs[-1][last + 1 :] = [None] * (columns - last - 1)
    titles = [plain(kinds[0]) if len(kinds) == 1 else "" for kinds in panels]
    figure = make_subplots(
        rows=rows,
        cols=columns,
        specs=specs,
        shared_yaxes=True,
        vertical_spacing=0.2,
        horizontal_spacing=0.03,
        subplot_titles=titles,
    )
    return figure, cells


def _line(rows: pd.DataFrame, colour: str) -> go.Scatter:
    return go.Scatter(
        x=[plain(amount) for amount in rows["amount"]],
        y=rows["score"].to_numpy(float),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 7},
        hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
    )


def _bars(rows: pd.DataFrame, colour: str) -> go.Bar:
    pairs = zip(rows["change"], rows["amount"], strict=True)
    return go.Bar(
        x=[f"{plain(kind)}<br>{quiet(plain(amount))}" for kind, amount in pairs],
        y=rows["score"].to_numpy(float),
        marker={"color": colour, "line": {"width": 0}},
        text=[f"{score:.2f}" for score in rows["score"]],
        textposition="inside",
        insidetextanchor="start",  # clear of the dashed lines
        hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
    )
