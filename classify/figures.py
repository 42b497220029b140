"""Figures of scores: pure functions from scores to a plotly figure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from classify.page import BAD, COLOURS, GREY, HEIGHT, QUIET, plain, quiet, shortened, styled_figure

_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"}
_GAP = "\u00a0\u00a0"  # between a label and its bar; plain spaces are dropped


def confusion_figure(scores: Mapping[str, Any]) -> go.Figure:
    """Draw which classes are taken for which: counts as text, shares of the true class as colour.

    Args:
        scores: one task's, from `classify.evaluate.score`: `recall` by name and `confusion`
            [true][predicted].
    """
    counts = np.asarray(scores["confusion"], int)
    true = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, true, out=np.full(counts.shape, np.nan), where=true > 0)
    names = [plain(name) for name in scores["recall"]]
    short = [shortened(name) for name in scores["recall"]]
    figure = styled_figure(
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
        + quiet("images; colour: share of the true class, by row"),
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
    figure = styled_figure(
        title="Each class<br>" + quiet("recall: share found; precision: share rightly so named"),
        height=_height(len(names)),
    )
    kinds = {"recall": COLOURS[0], "precision": COLOURS[4], "average_precision": COLOURS[2]}
    for kind, colour in kinds.items():
        if kind not in scores:
            continue
        values = [scores[kind][name] for name in names]
        figure.add_bar(
            x=[value or 0 for value in values],  # the text says where it is undefined
            y=[plain(name) for name in names],
            name=kind.replace("_", " "),
            orientation="h",
            marker={"color": colour, "line": {"width": 1, "color": colour}},  # shows zeros too
            text=["undefined" if value is None else f"{value:.2f}" for value in values],
            textposition=["inside" if (value or 0) > 0.15 else "outside" for value in values],
            textangle=0,
            insidetextanchor="end",
            hovertemplate="%{y}: %{x:.3f}<extra>%{fullData.name}</extra>",
        )
    labels = [shortened(n) + (f" ({images[n]:,})" if images else "") + _GAP for n in names]
    figure.update_layout(barmode="group", legend={**_LEGEND, "x": 1, "xanchor": "right"})
    figure.update_xaxes(range=(0, 1.02), tickformat=".1f")
    figure.update_yaxes(
        type="category",
        autorange="reversed",
        tickvals=[plain(name) for name in names],
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
        line={"color": QUIET, "dash": "dash", "width": 1.2},
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
    figure = styled_figure(
        diagonal,
        bins,
        title=f"Are its probabilities right? ECE {found['error']:.3f}<br>"
        + quiet(f"{found['error_before']:.3f} before the temperature; area: images"),
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
        marker={"color": [COLOURS[0], GREY], "line": {"width": 0}},
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
        marker={"color": BAD, "opacity": 0.8, "line": {"width": 0}},
        hovertemplate=f"leak: {leak:+.3f}<extra></extra>",
    )
    figure = styled_figure(
        bars,
        difference,
        title=f"Leak {leak:+.3f}<br>"
        + quiet("a plain head on the frozen trunk; at random, scenes are on both sides"),
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
        font={"color": BAD if leak > 0 else QUIET},
    )
    figure.update_xaxes(title_text="score", range=(0, 1.25), tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(type="category", autorange="reversed", ticksuffix=_GAP)
    return figure


def _height(classes: int) -> int:
    """Return the height of a figure with a row a class, the same for those beside one another."""
    return max(HEIGHT, 140 + 34 * classes)
