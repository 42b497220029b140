# mypy: disable-error-code="untyped-decorator"
"""Map: every crop of a class as a point; what a lasso holds is shown beside it."""

from typing import Any

import pandas as pd
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from app import figures, ids, queries
from app.data import Explorer
from app.pages.queue import no_clusters
from app.parts import (
    Query,
    empty_state,
    gallery,
    gallery_items,
    link,
    register_gallery,
    segmented,
    tool,
    view_switch,
)

MOST_SHOWN = 60  # crops of a selection in the gallery


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = explorer.class_run(query.get("run"))
    if run is None:
        return no_clusters(explorer)
    crops = explorer.crops(run)
    if not crops["map_x"].notna().any():
        return empty_state(
            "No map yet",
            f"Run {run.name} has clusters but no map.",
            f"discover cluster --class {run.class_name}",
        )
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data={"run": run.name, "crops_run": run.crops_run}),
            dcc.Store(id=ids.SHAPE),
            html.Section(
                [
                    html.Div(_controls(query, crops), className="bar"),
                    dcc.Graph(id=ids.GRAPH, className="map", config=_CONFIG, clear_on_unhover=True),
                    html.Div(id=ids.CARD, className="card"),
                ],
                className="map-side",
            ),
            html.Aside(_beside(query), className="beside"),
        ],
        className="map-page",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Draw the map, and show what is selected."""

    @app.callback(
        Output(ids.GRAPH, "figure"),
        Input(ids.COLOUR, "value"),
        Input(ids.EVENT, "data"),
        State(ids.PLACE, "data"),
        State(ids.GRAPH, "figure"),
    )
    def draw(colour_by: str, _event: int, place: dict[str, Any], drawn: object) -> object:
        run = explorer.class_run(place["run"])
        unchanged = drawn and ctx.triggered_id == ids.EVENT and colour_by not in ("name", "cluster")
        if run is None or unchanged:
            return no_update
        crops = queries.sample(explorer.crops(run), figures.MOST_POINTS)
        return figures.crop_map(crops, colour_by=colour_by)

    @app.callback(
        Output(ids.items(ids.MAP), "data"),
        Output(ids.MAP_HEADING, "children"),
        Input(ids.SHAPE, "data"),
        State(ids.PLACE, "data"),
    )
    def fill(shape: dict[str, Any] | None, place: dict[str, Any]) -> tuple[object, object]:
        run = explorer.class_run(place["run"])
        if run is None or not shape:
            return {"run": "", "items": []}, "Nothing selected"
        crops = queries.ordered(queries.within(explorer.crops(run), shape), "typical")
        items = gallery_items(run, crops.head(MOST_SHOWN).itertuples())
        return items, _heading(len(crops), shape, run.name)

    register_gallery(app, explorer, ids.MAP, ids.COLOUR)
    app.clientside_callback(
        ClientsideFunction("map", "shape"),
        Output(ids.SHAPE, "data"),
        Input(ids.GRAPH, "selectedData"),
        Input(ids.GRAPH, "clickData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("map", "hover"),
        Input(ids.GRAPH, "hoverData"),
        State(ids.PLACE, "data"),
        prevent_initial_call=True,
    )


_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}


def _controls(query: Query, crops: pd.DataFrame) -> list[Component]:
    options = {
        key: label
        for key, label in figures.COLOUR_BY.items()
        if key == "name" or crops[key].notna().any()
    }
    placed = int(crops["map_x"].notna().sum())
    note = f"{placed:,} crops"
    if placed > figures.MOST_POINTS:
        note += f", a sample of {figures.MOST_POINTS:,} drawn; a lasso holds all"
    return [
        segmented(ids.COLOUR, options, query.get("colour")),
        html.Div(note, className="note numbers"),
    ]


def _beside(query: Query) -> list[Component]:
    return [
        html.Div(
            [
                html.Div("Nothing selected", id=ids.MAP_HEADING, className="heading"),
                html.Div(className="spring"),
                html.Div(id=ids.SELECTED, className="selected"),
                tool("Name", "N", "name", primary=True),
            ],
            className="bar",
        ),
        html.Div(view_switch(ids.MAP, query.get("view")), className="bar"),
        html.Div(
            html.P("Draw around points with the lasso, or click one to see its cluster."),
            className="hint",
        ),
        *gallery(ids.MAP),
    ]


def _heading(count: int, shape: dict[str, Any], run: str) -> Any:  # noqa: ANN401
    more = f", first {MOST_SHOWN} shown" if count > MOST_SHOWN else ""
    crops = f"{count:,} crop{'' if count == 1 else 's'}{more}"
    if "cluster" not in shape:
        return crops
    cluster = int(shape["cluster"])
    label = "noise" if cluster < 0 else f"cluster {cluster}"
    return [dcc.Link(label, href=link("/cluster", run=run, cluster=cluster)), f" · {crops}"]
