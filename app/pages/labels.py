# mypy: disable-error-code="untyped-decorator"
"""Labels: the names that exist, and what was done."""

from datetime import datetime

import pandas as pd
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from app import ids
from app.data import Explorer
from app.parts import Query, empty_state, name_badge, tool
from app.verdicts import describe
from discover.labels import Event

LAST = 100  # events shown


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    return html.Div(
        [
            html.Section(
                [html.H2("Subcategories"), html.Div(id=ids.LABEL_NAMES)], className="panel"
            ),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("History"),
                            html.Div(className="spring"),
                            tool("Undo", "Ctrl Z", "undo"),
                            tool("Redo", "Ctrl Y", "redo"),
                        ],
                        className="bar flat",
                    ),
                    html.Div(id=ids.LABEL_HISTORY),
                ],
                className="panel",
            ),
        ],
        className="page halves",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Show names and history anew after each event."""

    @app.callback(
        Output(ids.LABEL_NAMES, "children"),
        Output(ids.LABEL_HISTORY, "children"),
        Input(ids.EVENT, "data"),
    )
    def show(_event: int) -> tuple[object, object]:
        return _names(explorer.names()), _history(explorer.labels.history(LAST))


def _names(names: pd.DataFrame) -> Component:
    if names.empty:
        return empty_state("No names yet", "Open the queue, and press N on a cluster.")
    by_name = names.assign(human=names["origin"] == "human").groupby("name")["human"]
    counts = pd.DataFrame({"crops": by_name.size(), "human": by_name.sum()})
    counts = counts.sort_values("crops", ascending=False, kind="stable")
    most = counts["crops"].max()
    rows = [
        html.Tr(
            [
                html.Td(name_badge(str(name), "human" if human else "machine")),
                html.Td(f"{crops:,}", className="numbers strong"),
                html.Td(
                    html.Div(
                        html.Div(style={"width": f"{100 * crops / most:.1f}%"}), className="share"
                    )
                ),
                html.Td(f"{crops - human:,} suggested" if crops > human else "", className="note"),
            ]
        )
        for name, crops, human in counts.itertuples(name=None)
    ]
    return html.Table(html.Tbody(rows), className="list")


def _history(events: list[Event]) -> Component:
    if not events:
        return empty_state("Nothing done yet", "Every name you give appears here.")
    rows = [
        html.Tr(
            [
                html.Td(_when(event.time_utc), className="numbers note"),
                html.Td(describe(event), className=f"event did-{event.action}"),
                html.Td(event.annotator, className="note"),
            ]
        )
        for event in events
    ]
    return html.Table(html.Tbody(rows), className="list")


def _when(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")
