# mypy: disable-error-code="untyped-decorator"
"""Subcategories: the tree of names, how well a head tells them, the pace, exports, the history."""

import time
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from app import ids
from app.auth import current_user
from app.crops.verdicts import toast
from app.data import Explorer
from app.figures import survey as figures_survey
from app.jobs.jobs import Jobs
from app.names import data as subcategory_data
from app.names import parts
from app.names.edits import edit
from app.parts import Query, tool
from discover.labels import By

LAST = 100  # events shown
_EDITS = ("move", "merge", "delete", "add")


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    rows = subcategory_data.tree_rows(explorer)
    tree = [
        html.H1("Subcategories"),
        dcc.Store(id=ids.SUBCATEGORIES_DO),
        parts.toolbar(),
        parts.grid(rows, may_label=current_user(explorer).may_label),
    ]
    undo = [tool("Undo", "Ctrl Z", "undo"), tool("Redo", "Ctrl Y", "redo")]
    graph = dcc.Graph(
        id=ids.SUBCATEGORIES_PACE,
        config={"displayModeBar": False, "responsive": True},
        style={"height": "260px"},
    )
    return html.Div(
        [
            html.Section(tree, className="panel wide"),
            html.Div(
                [
                    _panel("How right the learned head is", ids.SUBCATEGORIES_CONFUSION),
                    html.Section([html.H2("Pace"), graph], className="panel"),
                ],
                className="column",
            ),
            html.Div(
                [
                    _panel("Export", ids.SUBCATEGORIES_EXPORTS),
                    html.Section(
                        [
                            html.Div(
                                [html.H2("History"), html.Div(className="spring"), *undo],
                                className="bar flat",
                            ),
                            html.Div(id=ids.SUBCATEGORIES_HISTORY, className="past", tabIndex=0),
                        ],
                        className="panel",
                    ),
                ],
                className="column",
            ),
        ],
        className="page subcategories",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Keep the page true after each event and job, and write what is edited."""
    jobs = Jobs(explorer)

    @app.callback(
        Output(ids.SUBCATEGORIES_TABLE, "rowData"),
        Output(ids.SUBCATEGORIES_TABLE, "style"),
        Output(ids.SUBCATEGORIES_TO, "data"),
        Output(ids.SUBCATEGORIES_PACE, "figure"),
        Output(ids.SUBCATEGORIES_HISTORY, "children"),
        Input(ids.EVENT, "data"),
    )
    def show(_event: int) -> tuple[object, ...]:
        rows = subcategory_data.tree_rows(explorer)
        return (
            rows,
            parts.grid_height(len(rows)),
            parts.targets(rows),
            figures_survey.pace(subcategory_data.pace(explorer.labels)),
            parts.history(explorer.labels.history(LAST)),
        )

    @app.callback(
        Output(ids.SUBCATEGORIES_CONFUSION, "children"),
        Output(ids.SUBCATEGORIES_EXPORTS, "children"),
        Input(ids.JOBS_SEEN, "data"),
    )
    def after_job(_seen: object) -> tuple[object, object]:
        return parts.confusion(explorer), parts.exports(jobs.listed())

    @app.callback(
        Output(ids.SUBCATEGORIES_CHOSEN, "children"),
        *(Output(parts.edit_id(do), "disabled") for do in _EDITS[:3]),
        Input(ids.SUBCATEGORIES_TABLE, "selectedRows"),
    )
    def choose(rows: list[dict[str, Any]] | None) -> tuple[object, ...]:
        return (rows[0]["path"] if rows else "Choose a row", *[not rows] * 3)

    _register_edits(app, explorer)


def _register_edits(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output(ids.EVENT, "data", allow_duplicate=True),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Output(ids.SUBCATEGORIES_TABLE, "rowData", allow_duplicate=True),
        Output(ids.SUBCATEGORIES_NEW, "value"),
        Input(ids.SUBCATEGORIES_TABLE, "cellValueChanged"),
        Input(ids.SUBCATEGORIES_DO, "data"),
        *(Input(parts.edit_id(do), "n_clicks") for do in _EDITS),
        State(ids.SUBCATEGORIES_TABLE, "selectedRows"),
        State(ids.SUBCATEGORIES_TO, "value"),
        State(ids.SUBCATEGORIES_NEW, "value"),
        State(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    def write(
        changed: list[dict[str, Any]] | None,
        told: dict[str, Any] | None,
        *more: Any,  # noqa: ANN401 - the clicks, then what State holds
    ) -> tuple[object, ...]:
        if ctx.triggered[0]["value"] is None:
            raise PreventUpdate  # the page has just been put together, nobody pressed anything
        *_clicks, rows, to, new, seen = more
        trigger = str(ctx.triggered_id)
        if trigger == ids.SUBCATEGORIES_TABLE and changed:
            cell = changed[-1]
            asked = {"do": cell["colId"], "id": cell["rowId"], "value": cell["value"]}
        elif trigger == ids.SUBCATEGORIES_DO and told:
            asked = told
        else:
            chosen = rows[0]["id"] if rows else None
            asked = {"do": trigger.rpartition("-")[2], "id": chosen, "to": to, "value": new}
        message, failed = _answer(explorer, asked, seen)
        return (
            explorer.labels.last_event_id(),
            [toast(message, failed, time.time_ns() // 1_000_000)],
            subcategory_data.tree_rows(explorer) if failed else no_update,  # as it stands
            no_update if failed or asked["do"] != "add" else "",
        )


def _answer(explorer: Explorer, asked: dict[str, Any], seen: int) -> tuple[str, bool]:
    user = current_user(explorer)
    if not user.may_label:
        return f"{user.name} may look, not change names: ask for the role annotator", True
    return edit(explorer, asked, By(user.name, seen=seen))


def _panel(title: str, component_id: str) -> Component:
    return html.Section([html.H2(title), html.Div(id=component_id)], className="panel")
