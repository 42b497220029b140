# mypy: disable-error-code="untyped-decorator"
"""Queue: the clusters of a class, in the order that names the most crops."""

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component

from app import ids, queries
from app.data import ClassRun, Explorer
from app.parts import Query, empty_state, link, name_badges, tool


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = explorer.class_run(query.get("run"))
    if run is None:
        return no_clusters(explorer)
    rows = queries.queue(explorer.crops(run))
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data={"run": run.name}),
            dcc.Store(id=ids.QUEUE),
            html.Div(
                [
                    html.H1(["Clusters of ", html.Em(run.class_name)]),
                    html.Div(id=ids.QUEUE_PROGRESS, className="note numbers"),
                    html.Div(className="spring"),
                    tool("Name", "N", "name", primary=True),
                    tool("Open", "↵", "open"),
                    tool("Undo", "Ctrl Z", "undo"),
                ],
                className="bar",
            ),
            _note(run),
            html.Div([_head(), *(_row(run, row) for row in rows)], className="queue"),
        ],
        className="page",
    )


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
    """Keep names and progress true; the rows stay where they are."""

    @app.callback(
        Output({"type": ids.QUEUE_NAMES, "cluster": ALL}, "children"),
        Output(ids.QUEUE_PROGRESS, "children"),
        Input(ids.EVENT, "data"),
        State(ids.PLACE, "data"),
    )
    def rename(_event: int, place: dict[str, Any]) -> tuple[list[object], str]:
        run = explorer.class_run(place["run"])
        crops = explorer.crops(run) if run else None
        if crops is None:
            return [], ""
        rows = {row["cluster"]: row for row in queries.queue(crops, exemplars=0)}
        wanted = [output["id"]["cluster"] for output in ctx.outputs_list[0]]
        badges = [name_badges(rows[c]["names"], size=rows[c]["size"]) for c in wanted]
        return badges, _progress(list(rows.values()))

    app.clientside_callback(
        ClientsideFunction("gallery", "strips"),
        Output(ids.QUEUE, "data"),
        Input(ids.PLACE, "data"),
    )


def _progress(rows: list[dict[str, Any]]) -> str:
    clusters = [row for row in rows if row["cluster"] >= 0]
    done = sum(1 for row in clusters if row["names"])
    total = sum(row["size"] for row in rows)
    named = total - sum(row["unnamed"] for row in rows)
    return f"{done} of {len(clusters)} clusters and {named:,} of {total:,} crops have a name"


def _note(run: ClassRun) -> Component | None:
    """Warn when clusters follow the dives: then they may show water and light, not kinds."""
    share = run.counts.get("ami_dive")
    if share is None or share < 0.5:
        return None
    return dmc.Alert(
        f"The clusters follow the dives closely (AMI {share:.2f}): they may differ by water and "
        "light rather than by kind.",
        color="yellow",
        className="slim",
    )


def _head() -> Component:
    words = ["Cluster", "Exemplars", "Subcategory", "Crops", "Dives", "Frames", "Doubt"]
    return html.Div([html.Span(w) for w in words], className="queue-row queue-head")


def _row(run: ClassRun, row: dict[str, Any]) -> Component:
    cluster, noise = row["cluster"], row["cluster"] < 0
    strip = {"data-crops": " ".join(row["exemplars"]), "data-run": run.crops_run}
    doubt = [] if noise else _doubt(row["probability"], run.persistence.get(cluster))
    return html.Div(
        [
            html.Span("noise" if noise else str(cluster), className="cluster-number"),
            html.Div(className="strip", **strip),
            html.Div(
                name_badges(row["names"], size=row["size"]),
                id={"type": ids.QUEUE_NAMES, "cluster": cluster},
            ),
            html.Span(f"{row['size']:,}", className="numbers strong"),
            html.Span(f"{row['dives']:,}", className="numbers"),
            html.Span(f"{row['frames']:,}", className="numbers"),
            html.Div(doubt),
        ],
        className="queue-row noise" if noise else "queue-row",
        tabIndex=-1,
        **{
            "data-cluster": str(cluster),
            "data-size": str(row["size"]),
            "data-href": link("/cluster", run=run.name, cluster=cluster),
        },
    )


def _doubt(probability: float, persistence: float | None) -> list[Component]:
    """Show how loosely a cluster's crops belong to it: one minus their mean probability."""
    title = f"mean probability of membership {probability:.2f}"
    if persistence is not None:
        title += f"; persistence {persistence:.2f}"
    percent = 100 * (1 - probability)
    return [
        html.Div(html.Div(style={"width": f"{percent:.0f}%"}), className="doubt"),
        html.Span(f"{percent:.0f} %", className="numbers note", title=title),
    ]
