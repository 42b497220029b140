# mypy: disable-error-code="untyped-decorator"
"""Cluster: the crops of one cluster, to look through and to name."""

from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids, queries
from app.data import ClassRun, Explorer
from app.pages.queue import no_clusters
from app.parts import (
    Query,
    empty_state,
    gallery,
    gallery_items,
    link,
    name_badges,
    register_gallery,
    segmented,
    tool,
    view_switch,
)

LEAF_SIZE = 200  # crops shown at once


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = explorer.class_run(query.get("run"))
    if run is None:
        return no_clusters(explorer)
    cluster = _number(query.get("cluster"))
    crops = explorer.crops(run)
    size = int((crops["cluster"] == cluster).sum())
    if cluster is None or not size:
        return empty_state(
            "There is no such cluster", f"Run {run.name} has no cluster {query.get('cluster')!r}."
        )
    place = {"run": run.name, "cluster": cluster, "size": size}
    leaves = -(-size // LEAF_SIZE)
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data=place),
            html.Div(
                [
                    *_turners(run, crops, cluster),
                    html.H1(_title(run, cluster)),
                    html.Div(id=ids.CLUSTER_NAMES),
                    html.Div(className="spring"),
                    html.Div(id=ids.SELECTED, className="selected"),
                    tool("Name", "N", "name", primary=True),
                    tool("Unname", "Del", "unname"),
                    tool("Undo", "Ctrl Z", "undo"),
                ],
                className="bar",
            ),
            html.Div(_controls(query, crops[crops["cluster"] == cluster], leaves), className="bar"),
            *gallery(ids.CLUSTER),
        ],
        className="page",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Fill the gallery, and keep its names true."""
    register_gallery(app, explorer, ids.CLUSTER, ids.ORDER, ids.FLAGGED, ids.LEAF)

    @app.callback(
        Output(ids.items(ids.CLUSTER), "data"),
        Output(ids.LEAF, "total"),
        Input(ids.ORDER, "value"),
        Input(ids.FLAGGED, "value"),
        Input(ids.LEAF, "value"),
        State(ids.PLACE, "data"),
    )
    def fill(
        order: str, flagged: str, leaf: int, place: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
        run = explorer.class_run(place["run"])
        if run is None:
            return {"run": "", "items": []}, 1
        crops = explorer.crops(run)
        crops = queries.by_flag(crops[crops["cluster"] == place["cluster"]], flagged)
        leaves = max(1, -(-len(crops) // LEAF_SIZE))
        start = (min(max(1, leaf), leaves) - 1) * LEAF_SIZE
        shown = queries.ordered(crops, order).iloc[start : start + LEAF_SIZE]
        # A verdict on "the cluster" is one on what the filter leaves of it.
        left = {"flags": flagged, "size": len(crops)}
        return gallery_items(run, shown.itertuples(), left=left), leaves

    @app.callback(
        Output(ids.CLUSTER_NAMES, "children"),
        Input(ids.EVENT, "data"),
        State(ids.PLACE, "data"),
    )
    def heading(_event: int, place: dict[str, Any]) -> object:
        run = explorer.class_run(place["run"])
        if run is None:
            return None
        crops = explorer.crops(run)
        found = queries.names_of(crops[crops["cluster"] == place["cluster"]])
        return name_badges(found, size=place["size"], most=4)


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _title(run: ClassRun, cluster: int) -> list[Any]:
    what = "Noise" if cluster < 0 else f"Cluster {cluster}"
    return [what, " of ", html.Em(run.class_name)]


def _turners(run: ClassRun, crops: pd.DataFrame, cluster: int) -> list[Component]:
    before, after = queries.neighbours(crops, cluster)
    turners: list[Component] = []
    for target, sign, key, what in (
        (before, "\u2039", "K", "previous"),
        (after, "\u203a", "J", "next"),
    ):
        if target is None:
            turners.append(html.Span(sign, className="round off"))
            continue
        href = link("/cluster", run=run.name, cluster=target)
        title = f"{what.capitalize()} cluster ({key})"
        turners.append(dcc.Link(sign, href=href, className=f"round turn {what}", title=title))
    return turners


def _controls(query: Query, crops: pd.DataFrame, leaves: int) -> list[Component]:
    dives = crops["dive"].nunique()
    facts = f"{len(crops):,} crops · {crops['frame_id'].nunique():,} frames · "
    facts += f"{dives:,} dive{'' if dives == 1 else 's'}"
    leaf = min(max(_number(query.get("leaf")) or 1, 1), leaves)
    return [
        view_switch(ids.CLUSTER, query.get("view")),
        segmented(ids.ORDER, queries.ORDERS, query.get("order")),
        _flag_filter(queries.flags_of(crops), query.get("flags")),
        html.Div(facts, className="note numbers"),
        html.Div(className="spring"),
        dmc.Pagination(
            id=ids.LEAF, total=leaves, value=leaf, size="sm", hideWithOnePage=True, siblings=1
        ),
    ]


def _flag_filter(flags: dict[str, int], value: str | None) -> Component:
    """Return the choice of crops by the flags of their frames; hidden where there are none."""
    options = {"all": "All frames", "none": "Frames without flags"}
    options |= {flag: f"{flag.capitalize()} ({count:,})" for flag, count in flags.items()}
    return dmc.Select(
        id=ids.FLAGGED,
        data=[{"value": v, "label": label} for v, label in options.items()],
        value=value if value in options else "all",
        size="xs",
        w=180,
        allowDeselect=False,
        style=None if flags else {"display": "none"},
        **{"aria-label": "Crops by the flags of their frames"},
    )
