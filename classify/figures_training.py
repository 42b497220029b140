"""Figures of a training: what was tried, and what it was trained on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from classify.page import COLOURS, GREY, plain, quiet, shortened, style

MOST_DIVES = 40  # more bars than these cannot be told apart
_GAP = "\u00a0\u00a0"  # between a label and its bar; plain spaces are dropped


def history_figure(history: pd.DataFrame, *, tuned_epochs: int | None = None) -> go.Figure:
    """Draw what was tried: the heads' penalties, and the epochs of the whole network.

    Args:
        history: `phase` ("head", "network"), `loss`, `score`, and `strength` for the heads' rows,
            `epoch` for the network's; a phase that is not there has no panel.
        tuned_epochs: the epoch that was kept, which is marked; 0 where tuning brought nothing.

    Raises:
        ValueError: there is nothing to draw.
    """
    phases = [p for p in ("head", "network") if p in set(history.get("phase", ()))]
    if not phases:
        raise ValueError("the history is empty: no strength was tried and no epoch run")
    network = "Whole network, by epoch"
    if tuned_epochs == 0:
        network += ": it brought nothing"
    titles = {"head": "Heads, by strength of the penalty (least loss wins)", "network": network}
    figure = make_subplots(
        rows=2,
        cols=len(phases),
        shared_xaxes=True,
        vertical_spacing=0.1,
        horizontal_spacing=0.09,
        subplot_titles=[titles[phase] for phase in phases],
    )
    style(figure, height=400, showlegend=False, margin={"t": 40})
    for title, axis in zip(figure.layout.annotations, figure.select_xaxes(row=1), strict=True):
        title.update(x=axis.domain[0], xanchor="left", font={"size": 15})
    for column, phase in enumerate(phases, 1):
        rows = history[history["phase"] == phase].reset_index(drop=True)
        x = "strength" if phase == "head" else "epoch"
        chosen = _chosen(rows, phase, tuned_epochs)
        for row, what in enumerate(("loss", "score"), 1):
            if what in rows:
                _add_path(
                    figure, rows[x], rows[what], chosen, (row, column), COLOURS[(0, 2)[row - 1]]
                )
            figure.update_yaxes(title_text=what, row=row, col=column)
        axis = {"tickvals": rows[x], "ticktext": [f"{value:g}" for value in rows[x]]}
        axis |= {"type": "log"} if phase == "head" else {}
        figure.update_xaxes(**axis, row=1, col=column)
        figure.update_xaxes(title_text=x, **axis, row=2, col=column)
    return figure


def _chosen(rows: pd.DataFrame, phase: str, tuned_epochs: int | None) -> int | None:
    """Return the number of the row that was taken, None where none was."""
    if phase == "head":
        return int(rows["loss"].argmin()) if "loss" in rows else None
    found = np.flatnonzero(rows["epoch"] == tuned_epochs)
    return int(found[0]) if len(found) else None


def _add_path(
    figure: go.Figure,
    x: pd.Series,
    y: pd.Series,
    chosen: int | None,
    cell: tuple[int, int],
    colour: str,
) -> None:
    row, col = cell
    figure.add_scatter(
        x=x.to_numpy(float),
        y=y.to_numpy(float),
        mode="lines+markers",
        name=str(y.name),
        line={"color": colour, "width": 2},
        marker={"size": 6},
        hovertemplate=f"{x.name} %{{x}}: {y.name} %{{y:.3f}}<extra></extra>",
        row=row,
        col=col,
    )
    if chosen is not None:
        figure.add_scatter(
            x=[float(x[chosen])],
            y=[float(y[chosen])],
            mode="markers",
            name="chosen",
            marker={
                "size": 14,
                "symbol": "circle-open",
                "color": COLOURS[5],
                "line": {"width": 2.5},
            },
            hovertemplate=f"chosen: {x.name} %{{x}}, {y.name} %{{y:.3f}}<extra></extra>",
            row=row,
            col=col,
        )


def split_figure(split: pd.DataFrame, task: str) -> go.Figure:
    """Draw the images by dive and class; what is held out is hatched.

    Args:
        split: `dive` (null where unknown), `validation` (bool) and the task's labels, several
            parted by "|", null where unknown. Past `MOST_DIVES` dives, and past as many classes as
            there are colours, the others are summed.
        task: the column of labels.
    """
    rows = split[split[task].notna()]
    rows = pd.DataFrame(
        {
            "dive": rows["dive"].astype(object).where(rows["dive"].notna(), "no dive").astype(str),
            "held_out": rows["validation"].astype(bool),
            "class": rows[task].astype(str).str.split("|"),
        }
    ).explode("class")
    totals = rows["dive"].value_counts(sort=False).sort_index()
    totals = totals.sort_values(ascending=False, kind="stable")
    order, rest = totals.index[:MOST_DIVES], totals.index[MOST_DIVES:]
    others = f"{len(rest):,} smaller dives"
    whole = rows.groupby("dive")["held_out"].all()
    held_out = set(whole.index[whole])
    common = list(rows["class"].value_counts().index)
    few, past = common[: len(COLOURS)], common[len(COLOURS) :]
    if past:
        rows["class"] = rows["class"].where(rows["class"].isin(few), f"{len(past)} rarer classes")
    colours = dict(zip(few, COLOURS, strict=False))
    colours |= dict.fromkeys(set(rows["class"]) - set(few), GREY)
    figure = make_subplots(
        rows=2 if len(rest) else 1,
        cols=1,
        vertical_spacing=0.07,
        row_heights=[len(order), 2] if len(rest) else None,  # others on a scale of their own
    )
    style(
        figure,
        title=f"The images of {plain(task)}, by dive<br>"
        + quiet("hatched: held out, dives in bold as a whole"),
        barmode="stack",
        bargap=0.2,
        height=150 + 17 * max(len(order), len(colours)) + (70 if len(rest) else 0),
        legend={"x": 1.01, "y": 1, "traceorder": "normal"},  # any number of classes fits
    )
    for panel, dives in enumerate((order, rest)[: 2 if len(rest) else 1], 1):
        part = rows[rows["dive"].isin(dives)]
        part = part if panel == 1 else part.assign(dive=others)
        labels = list(order) if panel == 1 else [others]
        for name, colour in colours.items():
            _add_counts(figure, part[part["class"] == name], labels, name, colour, panel)
        figure.update_yaxes(
            type="category",
            categoryorder="array",
            categoryarray=[plain(d) for d in labels],
            range=(len(labels) - 0.4, -0.6),
            tickvals=[plain(d) for d in labels],
            ticktext=[_dive(d, held_out) for d in labels],
            tickfont={"size": 11},
            row=panel,
            col=1,
        )
    several = split[task].astype(str).str.contains("|", regex=False).any()
    figure.update_xaxes(
        title_text="labels" if several else "images", row=2 if len(rest) else 1, col=1
    )
    return figure


def _add_counts(
    figure: go.Figure, rows: pd.DataFrame, dives: Sequence[str], name: str, colour: str, panel: int
) -> None:
    """Stack a class's bars, those of the images trained on and, hatched, those held out."""
    for held_out, side in ((False, "trained on"), (True, "held out")):
        counts = rows[rows["held_out"] == held_out].groupby("dive").size()
        counts = counts.reindex(list(dives), fill_value=0)
        figure.add_bar(
            x=counts.to_numpy(int),
            y=[plain(dive) for dive in dives],
            name=shortened(name),
            meta=side,
            legendgroup=name,
            showlegend=panel == 1 and not held_out,
            orientation="h",
            marker={
                "color": colour,
                "line": {"width": 0},
                "pattern": {
                    "shape": "/" if held_out else "",
                    "fillmode": "overlay",
                    "fgcolor": "white",
                    "size": 6,
                    "solidity": 0.35,
                },
            },
            hovertemplate=f"%{{y}}: %{{x:,}} images, {side}<extra>%{{fullData.name}}</extra>",
            row=panel,
            col=1,
        )


def _dive(name: str, held_out: set[str]) -> str:
    """Return the label of a dive: bold where it was held out."""
    label = shortened(name)
    return (f"<b>{label}</b>" if name in held_out else label) + _GAP
