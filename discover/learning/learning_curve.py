"""The picture of how much more names would help. Light."""

from pathlib import Path

import pandas as pd

CURVE_FILE = "learning.html"


def write_curve(curve: pd.DataFrame, held_out_by: str, folder: Path) -> Path:
    """Write the learning curve as a page that needs no network.

    Args:
        curve: columns `share, named, balanced_accuracy`, a row for each time a share was drawn.
        held_out_by: "dive" or "scene".
        folder: the page goes here.
    """
    from plotly.graph_objects import Scatter

    from classify.page import COLOURS, styled_figure, write_page

    mean = curve.groupby("share").mean()
    figure = styled_figure(
        Scatter(
            x=curve["named"],
            y=curve["balanced_accuracy"],
            mode="markers",
            marker={"size": 7, "color": COLOURS[0], "opacity": 0.4},
            name="one draw",
        ),
        Scatter(
            x=mean["named"],
            y=mean["balanced_accuracy"],
            mode="lines",
            line={"color": COLOURS[0], "width": 3},
            name="mean",
        ),
        title=f"Right on crops of a {held_out_by} it was not taught, kinds counting alike",
        xaxis={"title": {"text": "named crops it learned from"}, "rangemode": "tozero"},
        yaxis={"range": [0, 1.02], "tickformat": ".0%"},
        showlegend=False,
        height=420,
    )
    text = "<h1>Would more names help?</h1><p>A curve that still rises says yes.</p>"
    path = folder / CURVE_FILE
    write_page([text, figure], path, title="Learning curve")
    return path
