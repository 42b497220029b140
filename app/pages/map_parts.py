"""What stands around the map: controls, legend, histograms, and the side with the gallery."""

from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import dcc, html
from dash.development.base_component import Component

from app import ids
from app.crops.selection import Mask
from app.data import ClassRun
from app.figures import map as map_figure
from app.figures.map import COLOUR_BY, MOST_POINTS
from app.figures.map_pictures import Viewport
from app.parts import Query, choice, gallery, link, verdict_tools, view_switch

_MOST_IN_LEGEND = 200


def controls(query: Query, crops: pd.DataFrame) -> list[Component]:
    """Return what colours the map, searches it, and what it says of itself."""
    options = {
        key: label for key, label in COLOUR_BY.items() if key == "name" or crops[key].notna().any()
    }
    return [
        choice(ids.COLOUR, options, query.get("colour"), "Colour", width=150),
        dmc.TextInput(
            id=ids.MAP_SEARCH, placeholder="Cluster, name or crop id", size="xs", w=180,
            **{"aria-label": "Search"},
        ),
        html.Label(
            [
                "Search by image",
                dcc.Input(id="map-file", type="file", className="unseen"),
            ],
            className="tool file",
        ),
        dmc.Switch(id=ids.PICTURES, checked=True, label="Pictures", size="xs"),
        html.Div(id=ids.MAP_NOTE, className="note numbers"),
    ]  # fmt: skip


def histogram(column: str) -> Component:
    """Return the place of one column's histogram."""
    return dcc.Graph(
        id={"type": ids.HISTOGRAM, "column": column},
        className="histogram",
        config={"displayModeBar": False, "responsive": True},
    )


def beside(query: Query) -> list[Component]:
    """Return the side on which what is selected shows."""
    return [
        html.Div(
            [
                html.Div("Nothing selected", id=ids.MAP_HEADING, className="heading"),
                html.Div(className="spring"),
                html.Div(id=ids.SELECTED, className="selected", **{"aria-live": "polite"}),
            ],
            className="bar",
        ),
        html.Div(verdict_tools("grow", "flag", "indeterminate"), className="bar tools"),
        html.Div(view_switch(ids.MAP, query.get("view")), className="bar"),
        html.Div(
            html.P(
                "Draw around points with the lasso, click one to see its cluster, or drop an image "
                "on the page to find its like. Drag across a histogram to keep a range."
            ),
            className="hint",
        ),
        gallery(ids.MAP, least=104),
    ]


def legend(crops: pd.DataFrame, colour_by: str, without: dict[str, Any] | None) -> list[Component]:
    """Return the groups with their marks; a click hides one."""
    hidden = set((without or {}).get("values", [])) if without else set()
    none = {"name": "unnamed", "suggested": "none"}.get(colour_by, "unknown")
    rows = map_figure.legend(crops, colour_by)
    buttons = [
        html.Button(
            [
                html.Span(sign, className="sign", style={"color": colour}),
                html.Span({"": none, "-1": "noise"}.get(value, value), className="legend-text"),
                html.Span(f"{count:,}", className="note numbers"),
            ],
            type="button",
            className="legend-row",
            title="Hide or show",
            **{
                "data-column": colour_by,
                "data-value": value,
                "aria-pressed": str(value not in hidden).lower(),
            },
        )
        for value, colour, sign, count in rows[:_MOST_IN_LEGEND]
    ]
    if len(rows) > _MOST_IN_LEGEND:
        buttons.append(html.P(f"and {len(rows) - _MOST_IN_LEGEND} more", className="note"))
    return buttons


def note(crops: pd.DataFrame, keep: Mask, view: Viewport) -> str:
    """Say how many crops the map shows."""
    count = int(keep.sum())
    text = f"{count:,} crops" if count == len(crops) else f"{count:,} of {len(crops):,} crops"
    _, everything = map_figure.drawn_rows(crops, keep, view)
    if not everything:
        text += f" · {MOST_POINTS:,} in sight drawn; nearer, all are"
    return text


def heading(count: int, shape: dict[str, Any], title: str, run: ClassRun) -> list[Any]:
    """Say what is selected."""
    crops = f"{count:,} crop{'' if count == 1 else 's'}"
    if shape.get("group") is None:
        return [f"{title} · {crops}"]
    href = link("/cluster", run=run.name, group=shape["group"])
    return [dcc.Link(title, href=href), f" · {crops}"]
