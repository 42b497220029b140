"""The parts of the page of subcategories: the grid, exports, history, a head's confusion."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app import ids
from app.crops.verdicts import describe
from app.data import Explorer
from app.figures import survey as figures_survey
from app.jobs.commands import EXPORTS
from app.jobs.jobs import DONE, Job
from app.jobs.parts import job_button, made
from app.names.edits import TOP
from app.overview.data import latest_head
from app.parts import empty_state
from discover.export import FORMATS
from discover.labels import Event

_MOST_FINISHED = 8  # exports listed
_ROW, _HEAD, _HIGH = 38, 34, 566  # pixels: a row, the header, the tallest grid
_NOTHING = "No names yet: open the queue, and press N on a cluster."
# Colours by the page's variables, so that the grid follows light and dark.
_THEME = (
    "themeQuartz.withParams({backgroundColor: 'var(--panel)', foregroundColor: 'var(--ink)', "
    "headerBackgroundColor: 'var(--panel)', headerTextColor: 'var(--quiet)', "
    "borderColor: 'var(--line)', accentColor: 'var(--accent)', browserColorScheme: 'inherit', "
    "selectedRowBackgroundColor: 'var(--accent-soft)', wrapperBorder: false, "
    "wrapperBorderRadius: 0, fontFamily: 'inherit', fontSize: 13.5, headerFontWeight: 500, "
    f"headerFontSize: 12, rowHeight: {_ROW}, headerHeight: {_HEAD}}})"
)


def grid(rows: list[dict[str, Any]], *, may_label: bool) -> Component:
    """Return the tree as a grid; `subcategories.js` indents the names and shows the colours."""
    return dag.AgGrid(
        id=ids.SUBCATEGORIES_TABLE,
        rowData=rows,
        columnDefs=_columns(may_label),
        getRowId="params.data.id",
        defaultColDef={"resizable": True, "suppressMovable": True},
        dashGridOptions={
            "theme": {"function": _THEME},
            "rowSelection": {
                "mode": "singleRow", "checkboxes": False, "enableClickSelection": True,
            },
            "tooltipShowDelay": 400,
            "stopEditingWhenCellsLoseFocus": True,
            "localeText": {"noRowsToShow": _NOTHING},
        },
        style=grid_height(len(rows)),
    )  # fmt: skip


def _columns(may_label: bool) -> list[dict[str, Any]]:
    number = {"type": "rightAligned", "cellClass": "numbers ag-right-aligned-cell"}
    return [
        {
            "field": "name", "headerName": "Subcategory", "editable": may_label, "flex": 3,
            "minWidth": 200, "cellRenderer": "SubcategoryName", "tooltipField": "path",
        },
        {
            "field": "colour", "headerName": "Colour", "width": 84, "sortable": False,
            "cellRenderer": "SubcategoryColour", "cellRendererParams": {"editable": may_label},
        },
        {"field": "crops", "headerName": "Crops", "width": 80, **number,
         "headerTooltip": "with those of the subcategories below it"},
        {"field": "human", "headerName": "People", "width": 86, **number,
         "headerTooltip": "crops that a person named so"},
        {"field": "machine", "headerName": "Machine", "width": 96, **number,
         "headerTooltip": "crops that only a machine named so"},
        {"field": "dives", "headerName": "Dives", "width": 76, **number},
        {"field": "codes", "headerName": "Codes", "flex": 2, "minWidth": 120,
         "editable": may_label, "headerTooltip": "such as AphiaID: 123776; key: value"},
        {"field": "who", "headerName": "Last by", "width": 92},
        {"field": "when", "headerName": "When (UTC)", "width": 156, "cellClass": "numbers"},
    ]  # fmt: skip


def grid_height(rows: int) -> dict[str, str]:
    """Return the style of the grid: as high as its rows, up to a limit."""
    return {"height": f"{min(_HIGH, _HEAD + _ROW * max(rows, 3) + 2)}px", "width": "100%"}


def toolbar() -> Component:
    """Return what moves, merges and deletes the chosen subcategory, and adds a new one."""
    return html.Div(
        [
            html.Span("Choose a row", id=ids.SUBCATEGORIES_CHOSEN, className="chosen note"),
            dmc.Select(
                id=ids.SUBCATEGORIES_TO,
                data=[],
                placeholder="which other",
                searchable=True,
                clearable=True,
                size="xs",
                w=170,
                nothingFoundMessage="no such subcategory",
                **{"aria-label": "The other subcategory"},
            ),
            *(
                html.Button(label, id=edit_id(do), className="tool", disabled=True, title=title)
                for do, label, title in (
                    ("move", "Move under", "put it, with all below it, under the other"),
                    ("merge", "Merge into", "give its crops to the other, and take it away"),
                    ("delete", "Delete", "take it away, where no crop bears it"),
                )
            ),
            html.Div(className="spring"),
            dmc.TextInput(
                id=ids.SUBCATEGORIES_NEW,
                placeholder="New: A > B",
                size="xs",
                w=150,
                **{"aria-label": "Name of a new subcategory"},
            ),
            html.Button("Add", id=edit_id("add"), className="tool"),
        ],
        className="bar flat",
    )


def edit_id(do: str) -> str:
    """Return the id of the button that asks for an edit."""
    return f"subcategories-{do}"


def targets(rows: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the subcategories that one can be moved under or merged into."""
    return [{"value": TOP, "label": TOP}, *({"value": r["id"], "label": r["path"]} for r in rows)]


def confusion(explorer: Explorer) -> Component:
    """Return what the latest head takes for what, on crops of dives that it was not taught."""
    head = latest_head(explorer.survey)
    if head is None:
        text = "Named kinds teach a head, which suggests names for the other crops."
        return html.Div(
            [html.P(text, className="note"), job_button("Learn the kinds", {"command": "learn"})]
        )
    counts = head.info["counts"]
    note = (
        f"{head.name}: right on {counts['accuracy']:.0%} of {counts['named']:,} named crops, each "
        f"by a head that had not seen its {counts['held_out_by']}; kinds counting alike "
        f"{counts['balanced_accuracy']:.0%}."
    )
    if "confusion" not in head.info:
        text = "It was learned before the confusion was kept: learn again to see it."
        return html.Div([html.P(note, className="note"), html.P(text, className="note")])
    drawn = figures_survey.confusion(**head.info["confusion"])
    graph = dcc.Graph(figure=drawn, config={"displayModeBar": False, "responsive": True})
    again = job_button("Learn again", {"command": "learn"})
    return html.Div([html.P(note, className="note"), graph, again])


def exports(jobs: list[Job]) -> Component:
    """Return a row for each format, and the exports that are finished."""
    rows = [
        html.Tr(
            [
                html.Td(EXPORTS[name], className="strong"),
                html.Td(one.what, className="note"),
                html.Td(job_button("Export", {"command": "export", "format": name})),
            ],
            className="format",
        )
        for name, one in FORMATS.items()
    ]
    done = [job for job in jobs if job.command == "export" and job.state == DONE]
    finished = [
        html.Li([html.Span(job.title), html.Span(_count(job), className="note"), *made(job)])
        for job in done[:_MOST_FINISHED]
    ]
    parts: list[Component] = [html.Table(html.Tbody(rows), className="list exports")]
    if finished:
        parts += [html.H3("Finished"), html.Ul(finished, className="finished")]
    return html.Div(parts)


def _count(job: Job) -> str:
    return f"{(job.result or {}).get('labels', 0):,} labels"


def history(events: list[Event]) -> Component:
    """Return the latest events as a list."""
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
    return time.strftime("%Y-%m-%d %H:%M")
