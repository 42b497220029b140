"""The figures of a clustering's report: pure functions from a table to a plotly figure."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from classify.page import BAD, COLOURS, GREY, plain, shortened, style, styled_figure

MOST_POINTS = 20_000
MOST_CLUSTERS = 40  # rows of a figure
MOST_DIVES = 40
_SEVERAL = 8  # colours; further clusters share them, and are told apart by place and hover


def map_figure(crops: pd.DataFrame) -> go.Figure:
    """Draw the crops on their map, coloured by cluster, noise in grey.

    Args:
        crops: columns `x, y, cluster, dive`.
    """
    shown = crops.sample(min(MOST_POINTS, len(crops)), random_state=0).sort_index()
    figure = styled_figure(height=560, title=_sampled("Map", len(shown), len(crops)))
    for number in sorted(set(shown["cluster"].tolist())):
        rows, noise = shown[shown["cluster"] == number], number < 0
        figure.add_trace(
            go.Scattergl(
                x=rows["x"],
                y=rows["y"],
                mode="markers",
                name="noise" if noise else f"cluster {number}",
                marker={
                    "size": 4 if noise else 6,
                    "color": GREY if noise else COLOURS[number % _SEVERAL],
                    "opacity": 0.5 if noise else 0.85,
                },
                text=[plain(dive) for dive in rows["dive"]],
                hovertemplate="%{fullData.name}, dive %{text}<extra></extra>",
            )
        )
        if not noise:
            figure.add_annotation(
                x=rows["x"].median(),
                y=rows["y"].median(),
                text=f"<b>{number}</b>",
                showarrow=False,
                bgcolor="rgba(255,255,255,0.75)",
                borderpad=1,
            )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def dives_figure(crops: pd.DataFrame) -> go.Figure:
    """Draw how the crops of each cluster spread over the dives, the largest clusters first.

    Args:
        crops: columns `cluster, dive`.
    """
    inside = crops[crops["cluster"] >= 0]
    counts = inside.groupby(["cluster", "dive"]).size().unstack(fill_value=0)
    rows = counts.sum(axis=1).sort_values(ascending=False).index[:MOST_CLUSTERS]
    columns = counts.sum().sort_values(ascending=False).index[:MOST_DIVES]
    part = counts.loc[rows, columns]
    share = part.div(counts.loc[rows].sum(axis=1), axis=0)
    return styled_figure(
        go.Heatmap(
            z=share,
            x=[shortened(dive, 16) for dive in columns],
            y=[f"cluster {number}" for number in rows],
            customdata=part,
            colorscale=[[0, "#ffffff"], [1, COLOURS[0]]],
            zmin=0,
            zmax=1,
            colorbar={"title": "share", "tickformat": ".0%", "thickness": 12},
            hovertemplate="%{y}, dive %{x}: %{customdata} crops<extra></extra>",
        ),
        title=_sampled("Share of each cluster by dive", len(rows), len(counts)),
        height=max(260, 110 + 20 * len(rows)),
        yaxis={"autorange": "reversed", "dtick": 1},
        xaxis={"type": "category", "dtick": 1, "tickangle": -60},
    )


def tree_figure(tree: pd.DataFrame, crops: int) -> go.Figure:
    """Draw HDBSCAN's condensed tree from left to right: what parts from what as density rises.

    Args:
        tree: the table `trees`.
        crops: how many crops were clustered.
    """
    nodes = tree[tree["size"] > 1]
    number = dict(zip(nodes["child"], nodes["cluster"], strict=True))
    root = int(tree["parent"].min()) if len(tree) else 0
    names = {
        child: "" if pd.isna(cluster) else f"cluster {int(cluster)}"
        for child, cluster in number.items()
    }
    colours = [
        "#dde5ea" if pd.isna(cluster) else COLOURS[int(cluster) % _SEVERAL]
        for cluster in number.values()
    ]
    return styled_figure(
        go.Icicle(
            ids=[str(root), *map(str, nodes["child"])],
            labels=["all crops", *names.values()],
            parents=["", *map(str, nodes["parent"])],
            values=[crops, *nodes["size"]],
            branchvalues="total",
            marker={"colors": ["#f3f6f8", *colours], "line": {"width": 1, "color": "white"}},
            hovertemplate="%{label} %{value} crops<extra></extra>",
            tiling={"orientation": "h"},
            pathbar={"visible": False},
            sort=False,
        ),
        title="Condensed tree: coloured parts are the clusters",
        height=520,
        margin={"l": 0, "r": 0, "t": 56, "b": 0},
    )


def kinds_figure(kinds: pd.DataFrame) -> go.Figure:
    """Draw how much of each known kind was found.

    Args:
        kinds: `KindScores.kinds`.
    """
    shown = kinds.head(MOST_CLUSTERS)
    labels = [f"{shortened(kind)} ({crops})" for kind, crops in zip(shown["kind"], shown["crops"],
                                                                   strict=True)]  # fmt: skip
    bars = [("found", "in clusters of its own", COLOURS[0]), ("noise", "in no cluster", GREY)]
    rest = 1 - shown["found"] - shown["noise"]
    traces = [
        go.Bar(y=labels, x=shown[column], name=name, orientation="h", marker_color=colour)
        for column, name, colour in bars
    ]
    traces.insert(
        1,
        go.Bar(y=labels, x=rest, name="in clusters of others", orientation="h", marker_color=BAD),
    )
    return styled_figure(
        *traces,
        title="Where the crops of each known kind are",
        barmode="stack",
        height=max(260, 120 + 24 * len(shown)),
        yaxis={"autorange": "reversed"},
        xaxis={"tickformat": ".0%", "range": [0, 1]},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"},
    )


def restyled(figure: go.Figure) -> go.Figure:
    """Give another module's figure the look of the page."""
    return style(figure, height=400, legend={"orientation": "h", "y": -0.2})


def _sampled(title: str, shown: int, of: int) -> str:
    return title if shown == of else f"{title} ({shown:,} of {of:,})"


def spread(rows: pd.DataFrame, most: int, by: list[str], ascending: list[bool]) -> np.ndarray:
    """Return row numbers of at most `most` crops: the first by `by`, one dive after another.

    So a cluster of one dive is seen to be one, and a cluster of many shows many.
    """
    ordered = rows.sort_values([*by, "crop_id"], ascending=[*ascending, True], kind="stable")
    turn = ordered.groupby("dive", sort=False).cumcount()
    return ordered.assign(turn=turn).sort_values("turn", kind="stable").index[:most].to_numpy()
