# mypy: disable-error-code="untyped-decorator"
"""Map: every crop of a class as a point; what is drawn around or found shows beside it."""

from typing import Any

import numpy as np
from dash import (
    ALL,
    ClientsideFunction,
    Dash,
    Input,
    Output,
    Patch,
    State,
    ctx,
    dcc,
    html,
    no_update,
)
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from app import ids
from app.crops.listing import listing, selected, title_of
from app.crops.selection import mask
from app.crops.verdicts import toast
from app.data import ClassRun, Explorer
from app.figures import map as map_figure
from app.figures import map_pictures
from app.figures.histogram import histogram, offered
from app.figures.map_pictures import Viewport
from app.pages import map_parts
from app.pages.queue import no_clusters
from app.parts import Query, empty_state, register_gallery
from classify.errors import UserError

_SHAPES = ("group", "name", "like")  # what an address can ask for
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": True,
    "modeBarButtons": [
        [
            "drawclosedpath",
            "drawrect",
            "eraseshape",
            "pan2d",
            "zoomIn2d",
            "zoomOut2d",
            "resetScale2d",
        ]
    ],
}

Plain = dict[str, Any] | None  # what a Store holds


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
    shape = next(({key: query[key]} for key in _SHAPES if query.get(key)), None)
    stores = [
        dcc.Store(id=ids.PLACE, data={"run": run.name, "crops_run": run.crops_run}),
        dcc.Store(id=ids.SHAPE, data=shape),
        *(
            dcc.Store(id=i)
            for i in (ids.RANGES, ids.WITHOUT, ids.VIEWPORT, ids.RINGED, ids.HOVERED)
        ),
    ]
    return html.Div(
        [
            *stores,
            html.Section(
                [
                    html.Div(map_parts.controls(query, crops), className="bar"),
                    html.Div(
                        [
                            dcc.Graph(id=ids.GRAPH, className="map", config=_CONFIG,
                                      clear_on_unhover=True),
                            html.Div(id=ids.MAP_LEGEND, className="legend scrolls", tabIndex=0,
                                     role="group", **{"aria-label": "Colours"}),
                        ],
                        className="map-and-legend",
                    ),
                    html.Div([map_parts.histogram(column) for column in offered(crops)],
                             className="histograms"),
                    html.Div(id=ids.CARD, className="card"),
                ],
                className="map-side",
            ),
            html.Aside(map_parts.beside(query), className="beside scrolls", tabIndex=0,
                       **{"aria-label": "What is selected"}),
        ],
        className="map-page",
    )  # fmt: skip


def register(app: Dash, explorer: Explorer) -> None:
    """Draw the map, and show what is selected."""
    _register_map(app, explorer)
    _register_rings(app, explorer)
    _register_beside(app, explorer)
    register_gallery(app, ids.MAP, ids.COLOUR)
    # The outline is drawn, not plotly's selection: that would hand every point inside it through
    # the browser's store, which takes seconds for thousands.
    app.clientside_callback(
        ClientsideFunction("map", "shape"),
        Output(ids.SHAPE, "data"),
        Input(ids.GRAPH, "relayoutData"),
        State(ids.SHAPE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("map", "viewport"),
        Output(ids.VIEWPORT, "data"),
        Input(ids.GRAPH, "relayoutData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("map", "room"),
        Output(ids.VIEWPORT, "data", allow_duplicate=True),
        Input(ids.PLACE, "data"),
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(
        ClientsideFunction("map", "ranges"),
        Output(ids.RANGES, "data"),
        Input({"type": ids.HISTOGRAM, "column": ALL}, "selectedData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("map", "hover"),
        Output(ids.HOVERED, "data"),
        Input(ids.GRAPH, "hoverData"),
        State(ids.PLACE, "data"),
        prevent_initial_call=True,
    )


def _register_map(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output(ids.GRAPH, "figure"),
        Output(ids.MAP_LEGEND, "children"),
        Output(ids.MAP_NOTE, "children"),
        Output(ids.RINGED, "data"),
        Input(ids.COLOUR, "value"),
        Input(ids.EVENT, "data"),
        Input(ids.RANGES, "data"),
        Input(ids.WITHOUT, "data"),
        Input(ids.VIEWPORT, "data"),
        Input(ids.PICTURES, "checked"),
        State(ids.SHAPE, "data"),
        State(ids.PLACE, "data"),
        State(ids.RINGED, "data"),
    )
    def draw(
        colour_by: str, _event: int, ranges: Plain, without: Plain, viewport: Plain,
        pictures: bool, shape: Plain, place: dict[str, Any], ringed: bool | None,
    ) -> tuple[object, object, object, object]:  # fmt: skip
        run = explorer.class_run(place["run"])
        if run is None or viewport is None:  # the browser says first how much room there is
            raise PreventUpdate
        crops = explorer.crops(run)
        is_drawn = ringed is not None
        moved = {i["prop_id"].split(".")[0] for i in ctx.triggered}
        if is_drawn and moved == {ids.EVENT} and colour_by not in ("group", "name"):
            raise PreventUpdate
        keep = mask(crops, {"ranges": ranges, "without": without})
        view = Viewport.of(viewport, crops)
        figure = map_figure.crop_map(
            crops, keep, view, colour_by=colour_by, priority=_priority(explorer, run)
        )
        if pictures:
            figure["layout"]["images"] += map_pictures.pictures(crops, keep, view, run.crops_run)
        note = map_parts.note(crops, keep, view)
        if not is_drawn:
            figure["data"][1] = _ring(explorer, run, shape)
            return figure, map_parts.legend(crops, colour_by, without), note, _is_named(shape)
        legend = no_update
        if moved & {ids.COLOUR, ids.EVENT, ids.WITHOUT}:
            legend = map_parts.legend(crops, colour_by, without)
        return _patched(figure, shape), legend, note, no_update


def _register_rings(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output(ids.GRAPH, "figure", allow_duplicate=True),
        Output(ids.RINGED, "data", allow_duplicate=True),
        Input(ids.SHAPE, "data"),
        State(ids.PLACE, "data"),
        State(ids.RINGED, "data"),
        prevent_initial_call=True,
    )
    def rings(shape: Plain, place: dict[str, Any], ringed: bool | None) -> tuple[object, object]:
        run = explorer.class_run(place["run"])
        if run is None or ringed is None or not (ringed or _is_named(shape)):
            raise PreventUpdate  # a lasso shows itself, and drawing takes time
        patch = Patch()
        patch["data"][1] = _ring(explorer, run, shape)
        patch["layout"]["shapes"] = map_figure.outline(shape)
        return patch, _is_named(shape)

    @app.callback(
        Output({"type": ids.HISTOGRAM, "column": ALL}, "figure"),
        Input(ids.RANGES, "data"),
        Input(ids.WITHOUT, "data"),
        Input(ids.SHAPE, "data"),
        State(ids.PLACE, "data"),
    )
    def histograms(ranges: Plain, without: Plain, shape: Plain, place: dict[str, Any]) -> list[Any]:
        run = explorer.class_run(place["run"])
        assert run is not None
        crops = explorer.crops(run)
        drawn = []
        for output in ctx.outputs_list:
            column = output["id"]["column"]
            others = {key: span for key, span in (ranges or {}).items() if key != column}
            # Each shows what the others leave, so that its own range can still be widened.
            what = {"ranges": others, "without": without, **_polygon(shape)}
            drawn.append(histogram(crops, mask(crops, what), column))
        return drawn


def _register_beside(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output(ids.items(ids.MAP), "data"),
        Output(ids.MAP_HEADING, "children"),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Input(ids.SHAPE, "data"),
        Input(ids.RANGES, "data"),
        Input(ids.WITHOUT, "data"),
        State(ids.PLACE, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def fill(
        shape: Plain, ranges: Plain, without: Plain, place: dict[str, Any]
    ) -> tuple[object, object, object]:
        run = explorer.class_run(place["run"])
        assert run is not None
        nothing = {"run": run.name, "crops_run": run.crops_run, "ids": "", "count": 0}
        if not shape:
            return nothing, "Nothing selected", no_update
        what = {"ranges": ranges, "without": without, **shape}
        what = {key: value for key, value in what.items() if value}
        try:
            found = listing(explorer, run, what, "typical")
        except UserError as error:
            return nothing, "Nothing selected", [toast(str(error), True, 0)]
        title = title_of(what) if set(what) & set(_SHAPES) else "Selection"
        heading = map_parts.heading(found.count, shape, title, run)
        return found.sent(explorer, run, title), heading, no_update

    @app.callback(
        Output(ids.SHAPE, "data", allow_duplicate=True),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Input(ids.MAP_SEARCH, "n_submit"),
        State(ids.MAP_SEARCH, "value"),
        State(ids.PLACE, "data"),
        prevent_initial_call=True,
    )
    def search(
        submitted: int | None, text: str | None, place: dict[str, Any]
    ) -> tuple[object, object]:
        if not submitted:  # the page was just opened
            raise PreventUpdate
        run = explorer.class_run(place["run"])
        assert run is not None
        found = find(explorer, run, (text or "").strip())
        if found is None:
            missing = f"Nothing is called {text!r}: give a cluster, a subcategory or a crop's id"
            return no_update, [toast(missing, True, submitted)]
        return found, no_update


def find(explorer: Explorer, run: ClassRun, text: str) -> dict[str, str] | None:
    """Return the selection that a person means by a text: a crop's id, a cluster, a subcategory."""
    crops = explorer.crops(run)
    if text in explorer.crop_table(run).ids:
        return {"like": text}
    try:
        if text and mask(crops, {"group": text}).any():
            return {"group": text}
    except ValueError:
        pass  # it is no number of a cluster
    names = [name for name in crops["label"].cat.categories if name.casefold() == text.casefold()]
    return {"name": names[0]} if names else None


def _patched(figure: dict[str, Any], shape: Plain) -> Patch:
    """Return what changes of a figure that is drawn: zoom, outline and rings stay."""
    patch = Patch()
    patch["layout"]["shapes"] = map_figure.outline(shape)
    patch["data"][0] = figure["data"][0]
    patch["layout"]["images"] = figure["layout"]["images"]
    return patch


def _is_named(shape: Plain) -> bool:
    """Return whether what is selected was asked for by name, so that rings show where it is."""
    return shape is not None and any(shape.get(key) for key in _SHAPES)


def _ring(explorer: Explorer, run: ClassRun, shape: Plain) -> dict[str, Any]:
    """Draw rings around what was asked for by name; a lasso shows itself what it holds."""
    what = {key: shape[key] for key in _SHAPES if shape and shape.get(key)}
    crops = explorer.crops(run)
    if not what:
        return map_figure.ringed(crops, np.zeros(0, np.intp))
    try:
        return map_figure.ringed(*selected(explorer, run, what))
    except UserError:
        return map_figure.ringed(crops, np.zeros(0, np.intp))


def _priority(explorer: Explorer, run: ClassRun) -> Any:  # noqa: ANN401 - numpy's array
    """Return which crops are drawn first: always the same, so that the map does not flicker."""
    n = len(explorer.crop_table(run).crops)
    return explorer.remember(
        ("priority", run.name, str(n)), lambda: np.random.default_rng(0).random(n, np.float32)
    )


def _polygon(shape: Plain) -> dict[str, Any]:
    return {"shape": shape["shape"]} if shape and shape.get("shape") else {}
