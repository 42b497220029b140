# mypy: disable-error-code="untyped-decorator"
"""Queue: the clusters of a class, in the order that names the most crops for the least work."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids
from app.crops import queue as queries
from app.data import ClassRun, Explorer
from app.jobs.parts import job_button
from app.parts import Query, choice, empty_state, verdict_tools
from discover.kinds.branches import opening

_FOLLOWS_DIVES = 0.5  # AMI of clusters with dives from which the page warns


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = explorer.class_run(query.get("run"))
    if run is None:
        return no_clusters(explorer)
    sort = query.get("sort") if query.get("sort") in queries.SORTS else next(iter(queries.SORTS))
    found = rows(explorer, run, str(sort))
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data={"run": run.name}),
            dcc.Store(id=ids.QUEUE, data=found),
            dcc.Store(id=ids.QUEUE_DRAWN),
            dcc.Store(id=ids.address(ids.QUEUE)),
            html.Div(
                [
                    html.Div(
                        [
                            html.H1(["Clusters of ", html.Em(run.class_name)]),
                            html.Div(_progress(found["rows"]), id=ids.QUEUE_PROGRESS,
                                     className="note numbers"),
                            html.Div(className="spring"),
                            choice(ids.QUEUE_SORT, queries.SORTS, sort, "Order", width=220),
                            _anew(run),
                        ],
                        className="bar",
                    ),
                    html.Div(verdict_tools("split"), className="bar tools"),
                ],
                className="sticky",
            ),
            _note(run),
            html.Div([_head(), _rows()], className="queue"),
        ],
        className="page",
    )  # fmt: skip


def rows(explorer: Explorer, run: ClassRun, sort: str) -> dict[str, Any]:
    """Return what `clusters.js` draws."""
    table = explorer.crop_table(run)
    opens = {str(cluster) for cluster in opening(explorer.survey, run.name)}
    found = queries.queue(explorer.crops(run), table.typical, run.persistence, sort=sort)
    return {
        "run": run.name,
        "crops_run": run.crops_run,
        "sort": sort,
        "rows": [row | {"opens": row["group"] in opens} for row in found],
    }


def no_clusters(explorer: Explorer) -> Component:
    """Say what to run where there are no clusters yet."""
    classes = explorer.classes_by_dive()["class"].unique()
    if not len(classes):
        return empty_state(
            "No crops yet", "Clusters are made of crops: cut them first.", "discover embed"
        )
    return empty_state(
        "No clusters yet",
        "Crops that look alike are put together, then you name each cluster once.",
        f"discover cluster --class {classes[0]}",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Keep the rows true; they stay where they are."""

    @app.callback(
        Output(ids.QUEUE, "data"),
        Output(ids.QUEUE_PROGRESS, "children"),
        Input(ids.EVENT, "data"),
        Input(ids.QUEUE_SORT, "value"),
        State(ids.PLACE, "data"),
        prevent_initial_call=True,
    )
    def renew(_event: int, sort: str, place: dict[str, Any]) -> tuple[object, object]:
        run = explorer.class_run(place["run"])
        if run is None:
            return {"run": "", "rows": []}, ""
        found = rows(explorer, run, sort)
        return found, _progress(found["rows"])

    app.clientside_callback(
        ClientsideFunction("queue", "draw"),
        Output(ids.QUEUE_DRAWN, "data"),
        Input(ids.QUEUE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("keys", "address"),
        Output(ids.address(ids.QUEUE), "data"),
        Input(ids.QUEUE_SORT, "value"),
        State(ids.PLACE, "data"),
    )


def _progress(found: list[dict[str, Any]]) -> str:
    clusters = [row for row in found if row["group"] not in (None, "-1")]
    done = sum(1 for row in clusters if not row["open"])
    every = [row for row in found if row["group"] is not None]
    total, waiting = (sum(row[key] for row in every) for key in ("size", "open"))
    return f"{done} of {len(clusters)} clusters and {total - waiting:,} of {total:,} crops decided"


def _anew(run: ClassRun) -> Component:
    """Return the button that clusters anew what nobody has named yet."""
    request = {"command": "cluster", "class": run.class_name, "unnamed": True}
    button = job_button("Cluster the rest anew", request)
    button.title = f"What has no name yet: discover cluster --class {run.class_name} --unnamed"
    return button


def _note(run: ClassRun) -> Component | None:
    """Warn when clusters follow the dives: then they may show water and light, not kinds."""
    share = run.counts.get("ami_dive")
    if share is None or share < _FOLLOWS_DIVES:
        return None
    return dmc.Alert(
        f"The clusters follow the dives closely (AMI {share:.2f}): they may differ by water and "
        "light rather than by kind.",
        color="yellow",
        className="slim",
    )


def _head() -> Component:
    words = ["", "Cluster", "Exemplars", "Subcategory", "Crops", "Open", "Bursts", "Dives",
             "Stable", "Doubt"]  # fmt: skip
    titles = {
        "Open": "crops that wait for a verdict",
        "Stable": "how long the cluster lives in the condensed tree, 0 to 1",
        "Doubt": "one minus the mean probability of membership",
    }
    return html.Div([html.Span(w, title=titles.get(w)) for w in words], className="queue-head")


def _rows() -> Component:
    return html.Div(
        id=ids.QUEUE_BOX,
        className="queue-rows",
        tabIndex=0,
        role="listbox",
        **{"aria-label": "Clusters"},
    )
