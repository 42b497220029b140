"""The picture of a sweep over sizes. Light."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discover.kinds.sweep import LARGEST_SHARE, STABLE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SWEEP_FILE = "sweep.html"

_LINES = {
    "worth": "worth, by which one is chosen",
    "seeds_agree": "two seeds agree (AMI)",
    "sizes_agree": "neighbouring sizes agree (AMI)",
    "validity": "validity",
    "coverage": "crops in a cluster",
    "largest_share": "crops in the largest cluster",
}


def sweep_figure(curve: pd.DataFrame) -> "Figure":
    """Draw the curve of a sweep, with the size that was taken.

    Args:
        curve: the table `sweeps`.
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for column, name in _LINES.items():
        if curve[column].notna().any():
            figure.add_trace(
                Scatter(
                    x=curve["min_size"],
                    y=curve[column],
                    name=name,
                    mode="lines+markers",
                    line={"width": 4 if column == "worth" else 2},
                    customdata=curve["clusters"],
                    hovertemplate="%{y:.2f}, %{customdata} clusters",
                )
            )
    chosen = curve[curve["chosen"]].iloc[0]
    figure.add_vline(x=int(chosen["min_size"]), line_dash="dot")
    figure.add_annotation(
        x=np.log10(chosen["min_size"]),  # of a logarithmic axis, unlike a line's
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text=f"taken: {chosen['min_size']}, {chosen['clusters']} clusters",
    )
    figure.add_hline(y=STABLE, line_dash="dot", line_color="grey", annotation_text="stable")
    figure.update_layout(
        template="plotly_white",
        title=f"Smallest cluster: what each size gives (none may hold over {LARGEST_SHARE:.0%})",
        xaxis={"title": "crops in the smallest cluster", "type": "log"},
        yaxis={"range": [-0.02, 1.02]},
        hovermode="x unified",
    )
    return figure


def write_sweep(curve: pd.DataFrame, folder: Path) -> Path:
    """Write the picture as a page that needs no network; return its path."""
    path = folder / SWEEP_FILE
    path.write_text(sweep_figure(curve).to_html(include_plotlyjs=True), encoding="utf-8")
    return path
