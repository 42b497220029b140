"""Figures of a training run: pure functions from scores or tables to a plotly figure, and the page.

The colours follow Okabe and Ito (2008, "Color Universal Design"), with the yellow darkened for a
white background and a purple added. Text from data is escaped: plotly would read `<b>` as markup.
"""

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from classify.runs import write_atomic

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89500", "#7b52ab",
)  # fmt: skip
MOST_DIVES = 40  # more bars than these cannot be told apart
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_INK, _QUIET, _GREY, _GRID, _BAD = "#1a2f3b", "#5f7a89", "#9fb4bf", "#e6ecef", "#c0392b"
_HEIGHT = 340  # pixels of a figure that stands beside another one
_PANELS = 4  # side by side, readable from 1000 pixels on
_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"}
_AXIS = {
    "gridcolor": _GRID,
    "zeroline": False,
    "automargin": True,
    "linecolor": "#c3cfd5",
    "title": {"font": {"size": 12}, "standoff": 8},
    "tickfont": {"size": 12},
}
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": _INK},
        "title": {
            "font": {"size": 15},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 16},
        },
        "colorway": COLOURS,
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 12, "r": 16, "t": 72, "b": 12},
        "bargap": 0.3,
        "hoverlabel": {"font": {"family": FONT}},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)
_GAP = "\u00a0\u00a0"  # between a label and its bar; plain spaces are dropped
_CLEAN = "clean"  # the kind of change that is none


def confusion_figure(scores: Mapping[str, Any]) -> go.Figure:
    """Draw which classes are taken for which: counts as text, shares of the true class as colour.

    Args:
        scores: one task's, from `classify.evaluate.score`: `recall` by name and `confusion`
            [true][predicted].
    """
    counts = np.asarray(scores["confusion"], int)
    true = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, true, out=np.full(counts.shape, np.nan), where=true > 0)
    names = [_plain(name) for name in scores["recall"]]
    short = [_short(name) for name in scores["recall"]]
    figure = _figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            text=counts,
            texttemplate="%{text:,}" if len(names) <= 20 else None,  # more would not fit
            colorscale=[[0, "#f4f8fa"], [0.5, "#6fb0d6"], [1, COLOURS[0]]],
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=False,
            hoverongaps=False,
            hovertemplate="true %{y}, named %{x}: %{text} images, %{z:.0%} of the true"
            "<extra></extra>",
        ),
        title="What is taken for what<br>"
        + _note("images; colour: share of the true class, by row"),
        height=_height(len(names)),
    )
    named = {"type": "category", "tickvals": names, "ticktext": short, "showgrid": False}
    figure.update_xaxes(title_text="named", **named)
    figure.update_yaxes(title_text="true", autorange="reversed", **named)
    return figure


def recall_figure(scores: Mapping[str, Any], images: Mapping[str, int] | None = None) -> go.Figure:
    """Draw recall and precision of each class; average precision too where there is one.

    Args:
        scores: one task's, with `recall` and `precision` by name, null where undefined.
        images: held-out images by class, said beside its name; None takes them from the confusion
            matrix, and with several labels an image leaves them out.
    """
    if images is None and "confusion" in scores:
        rows = np.asarray(scores["confusion"], int).sum(axis=1)
        images = dict(zip(scores["recall"], rows.tolist(), strict=True))
    names = list(scores["recall"])
    figure = _figure(
        title="Each class<br>" + _note("recall: share found; precision: share rightly so named"),
        height=_height(len(names)),
    )
    for number, kind in enumerate(("recall", "precision", "average_precision")):
        if kind not in scores:
            continue
        values = [scores[kind][name] for name in names]
        figure.add_bar(
            x=[value or 0 for value in values],  # without a bar the text would go too
            y=[_plain(name) for name in names],
            name=kind.replace("_", " "),
            orientation="h",
            marker={"color": (COLOURS[0], COLOURS[4], COLOURS[2])[number], "line": {"width": 0}},
            text=["undefined" if value is None else f"{value:.2f}" for value in values],
            textposition="auto",
            textangle=0,
            insidetextanchor="end",
            hovertemplate="%{y}: %{x:.3f}<extra>%{fullData.name}</extra>",
        )
    labels = [_short(n) + (f" ({images[n]:,})" if images else "") + _GAP for n in names]
    figure.update_layout(barmode="group", legend={**_LEGEND, "x": 1, "xanchor": "right"})
    figure.update_xaxes(range=(0, 1.02), tickformat=".1f")
    figure.update_yaxes(
        type="category",
        autorange="reversed",
        tickvals=[_plain(name) for name in names],
        ticktext=labels,
    )
    return figure


def calibration_figure(scores: Mapping[str, Any]) -> go.Figure:
    """Draw how often predictions are right against how sure they are; area: share of the images.

    Args:
        scores: one task's, with `calibration`: `error`, `error_before` and `bins` of (middle,
            share of all, mean confidence, share right).
    """
    found = scores["calibration"]
    _, share, confidence, right = np.asarray(found["bins"], float).reshape(-1, 4).T
    diagonal = go.Scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": _QUIET, "dash": "dash", "width": 1.2},
        hoverinfo="skip",
    )
    bins = go.Scatter(
        x=confidence,
        y=right,
        mode="lines+markers",
        customdata=share,
        line={"color": COLOURS[0], "width": 1.2},
        marker={
            "size": share,
            "sizemode": "area",
            "sizeref": float(share.max(initial=0.01)) / 30**2,
            "sizemin": 4,
            "color": COLOURS[0],
            "opacity": 0.75,
            "line": {"width": 0},
        },
        cliponaxis=False,
        hovertemplate="says %{x:.2f}, is right %{y:.2f}<br>%{customdata:.0%} of the images"
        "<extra></extra>",
    )
    figure = _figure(
        diagonal,
        bins,
        title=f"Are its probabilities right? ECE {found['error']:.3f}<br>"
        + _note(f"{found['error_before']:.3f} before the temperature; area: images"),
        showlegend=False,
    )
    figure.update_xaxes(title_text="probability that it gives", range=(0, 1.02), tickformat=".1f")
    figure.update_yaxes(title_text="share that is right", range=(0, 1.04), tickformat=".1f")
    return figure


def leak_figure(counts: Mapping[str, Any]) -> go.Figure:
    """Draw what a random split of the same images claims, and how much of it is leak.

    Args:
        counts: of a run, with `head_alone` and `head_alone_on_a_random_split`, scores of the same
            kind of heads on the frozen trunk.
    """
    honest, random = counts["head_alone"], counts["head_alone_on_a_random_split"]
    leak = random - honest
    names = ["this split", "random split"]
    bars = go.Bar(
        x=[honest, random],
        y=names,
        orientation="h",
        marker={"color": [COLOURS[0], _GREY], "line": {"width": 0}},
        text=[f"{honest:.3f}", f"{random:.3f}"],
        textposition="inside",
        insidetextanchor="start",
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    difference = go.Bar(
        x=[max(leak, 0)],
        y=names[1:],
        base=[honest],
        name="leak",
        orientation="h",
        marker={"color": _BAD, "opacity": 0.8, "line": {"width": 0}},
        hovertemplate=f"leak: {leak:+.3f}<extra></extra>",
    )
    figure = _figure(
        bars,
        difference,
        title=f"Leak {leak:+.3f}<br>"
        + _note("heads on the frozen trunk; a random split has the same scenes on both sides"),
        barmode="overlay",
        showlegend=False,
        height=210,
    )
    figure.add_annotation(
        x=max(honest, random),
        y=names[1],
        text=f"leak {leak:+.3f}",
        xanchor="left",
        xshift=6,
        showarrow=False,
        font={"color": _BAD if leak > 0 else _QUIET},
    )
    figure.update_xaxes(title_text="score", range=(0, 1.25), tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(type="category", autorange="reversed", ticksuffix=_GAP)
    return figure


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
    _style(figure, height=400, showlegend=False, margin={"t": 40})
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
    colours |= dict.fromkeys(set(rows["class"]) - set(few), _GREY)
    figure = make_subplots(
        rows=2 if len(rest) else 1,
        cols=1,
        vertical_spacing=0.07,
        row_heights=[len(order), 2] if len(rest) else None,  # others on a scale of their own
    )
    _style(
        figure,
        title=f"The images of {_plain(task)}, by dive<br>"
        + _note("hatched: held out, dives in bold as a whole"),
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
            categoryarray=[_plain(d) for d in labels],
            range=(len(labels) - 0.4, -0.6),
            tickvals=[_plain(d) for d in labels],
            ticktext=[
                (f"<b>{_short(d)}</b>" if d in held_out else _short(d)) + _GAP for d in labels
            ],
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
            y=[_plain(dive) for dive in dives],
            name=_short(name),
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
                name=_plain(task), legendgroup=str(task), showlegend=(row, col) == (1, 1)
            )
            if task in clean.index:
                figure.add_hline(
                    y=float(clean[task]),
                    line={"dash": "dash", "color": colour, "width": 1.2},
                    row=row,
                    col=col,
                )
    named = ", ".join(f"{_plain(task)} {value:.3f}" for task, value in clean.items())
    _style(
        figure,
        title="Score on changed images<br>" + _note(f"dashed: unchanged ({named})"),
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
    titles = [_plain(kinds[0]) if len(kinds) == 1 else "" for kinds in panels]
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
        x=[_plain(amount) for amount in rows["amount"]],
        y=rows["score"].to_numpy(float),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 7},
        hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
    )


def _bars(rows: pd.DataFrame, colour: str) -> go.Bar:
    pairs = zip(rows["change"], rows["amount"], strict=True)
    return go.Bar(
        x=[f"{_plain(kind)}<br>{_note(_plain(amount))}" for kind, amount in pairs],
        y=rows["score"].to_numpy(float),
        marker={"color": colour, "line": {"width": 0}},
        text=[f"{score:.2f}" for score in rows["score"]],
        textposition="inside",
        insidetextanchor="start",  # clear of the dashed lines
        hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
    )


def write_page(parts: list[go.Figure | str], path: Path, *, title: str) -> None:
    """Write figures and text as one HTML file that needs no network.

    Args:
        parts: figures, and fragments of HTML whose text is escaped already.
        path: the file; it is replaced at once or not at all.
        title: of the page, plain text.
    """
    body, script = [], True
    for number, part in enumerate(parts):
        if isinstance(part, str):
            body.append(part)
            continue
        drawn = part.to_html(
            full_html=False,
            include_plotlyjs=script,  # 4.5 MB: once
            include_mathjax=False,
            div_id=f"figure-{number}",  # not a random one: the same run gives the same page
            default_height=f"{part.layout.height or _HEIGHT}px",
            config={"displayModeBar": False, "responsive": True},
        )
        body.append(f'<div class="figure">{drawn}</div>')
        script = False
    page = _PAGE.format(title=html.escape(title), style=_STYLE, body="\n".join(body))
    write_atomic(path, page.encode())


def _figure(*traces: Any, **layout: Any) -> go.Figure:  # noqa: ANN401 - plotly's
    return _style(go.Figure(list(traces)), **{"height": _HEIGHT, **layout})


def _style(figure: go.Figure, **layout: Any) -> go.Figure:  # noqa: ANN401 - plotly's
    if isinstance(layout.get("title"), str):
        layout["title"] = {"text": layout["title"]}  # keeps the place that the template gives it
    return figure.update_layout(template=_TEMPLATE, **layout)


def _height(classes: int) -> int:
    """Return the height of a figure with a row a class, the same for those beside one another."""
    return max(_HEIGHT, 140 + 34 * classes)


def _note(text: str) -> str:
    return f'<span style="font-size:12px;color:{_QUIET}">{text}</span>'


def _plain(text: object) -> str:
    """Return text that plotly shows as it is."""
    return html.escape(str(text), quote=False)


def _short(text: object, most: int = 26) -> str:
    """Return a label that leaves room for the figure: the middle of a long one is left out."""
    whole = str(text)
    if len(whole) > most:
        whole = f"{whole[: most // 2]}…{whole[-(most // 2 - 1) :]}"
    return _plain(whole)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0; background: #f3f6f8; color: {_INK}; font: 15px/1.55 {FONT}; }}
main {{ max-width: 1200px; margin: 0 auto; padding: 28px 32px 64px; }}
h1 {{ font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }}
h2 {{ font-size: 19px; margin: 40px 0 12px; }}
p {{ margin: 8px 0; max-width: 100ch; }}
code {{ font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }}
.quiet {{ color: {_QUIET}; }}
.facts {{ display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: 2px 20px;
  margin: 16px 0; }}
@media (max-width: 860px) {{ .facts {{ grid-template-columns: max-content 1fr; }} }}
.facts dt {{ color: {_QUIET}; }}
.facts dd {{ margin: 0; overflow-wrap: anywhere; }}
.cards {{ display: flex; flex-wrap: wrap; gap: 14px; margin: 12px 0 18px; }}
.card {{ flex: 1 1 200px; background: white; border-radius: 10px; padding: 14px 18px;
  border: 1px solid #dde5ea; }}
.card b {{ display: block; font-size: 30px; line-height: 1.2; font-weight: 650; }}
.card span {{ color: {_QUIET}; font-size: 13px; display: block; }}
.note {{ background: #eaf3f8; border-left: 4px solid {COLOURS[0]}; padding: 10px 16px;
  border-radius: 0 8px 8px 0; max-width: none; }}
.note.bad {{ background: #fdeeec; border-color: {_BAD}; color: #8e2418; }}
.beside {{ display: grid; gap: 14px; margin: 14px 0;
  grid-template-columns: repeat(var(--columns), 1fr); }}
@media (max-width: 1100px) {{ .beside {{ grid-template-columns: 1fr; }} }}
.figure {{ background: white; border: 1px solid #dde5ea; border-radius: 10px; padding: 12px 14px;
  min-width: 0; overflow: hidden; }}
main > .figure {{ margin: 14px 0; }}
.mistakes {{ display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(540px, 100%), 1fr)); }}
.mistakes figure {{ margin: 0; background: white; border: 1px solid #dde5ea; border-radius: 10px;
  padding: 8px; }}
.mistakes .pictures {{ display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }}
.mistakes img {{ width: 100%; display: block; border-radius: 5px; }}
.mistakes figcaption {{ font-size: 13px; padding: 6px 4px 0; overflow-wrap: anywhere; }}
@media print {{ body {{ background: white; }} main {{ max-width: none; padding: 0; }} }}
"""
