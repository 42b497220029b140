# mypy: disable-error-code="untyped-decorator"
"""Components that several pages use."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids
from app.data import ClassRun, Explorer

VIEWS = {"crop": "Crop", "mask": "Mask", "heat": "Heat map", "frame": "Frame"}

Query = dict[str, str]


def link(page: str, **query: object) -> str:
    """Return the address of a page; what is None is left out."""
    given = {key: value for key, value in query.items() if value is not None}
    return page + (f"?{urlencode(given)}" if given else "")


def name_badge(name: str, origin: str, count: int | None = None) -> Component:
    """Show a name; a machine's looks like a suggestion, a person's like a fact."""
    children: list[Any] = [html.Span(name, className="name-text")]
    if count is not None:
        children.append(html.Span(f"{count:,}", className="name-count"))
    title = f"{name}: suggested by the machine" if origin == "machine" else name
    return html.Span(children, className=f"name {origin}", title=title)


def name_badges(names: Sequence[tuple[str, int, str]], *, size: int, most: int = 3) -> Component:
    """Show the names given in a cluster of `size` crops; counts where they are not all of it."""
    if not names:
        return html.Span("unnamed", className="name none")
    badges = [name_badge(n, o, None if c == size else c) for n, c, o in names[:most]]
    if len(names) > most:
        badges.append(html.Span(f"+{len(names) - most}", className="name more"))
    return html.Span(badges, className="names")


def empty_state(title: str, text: str, command: str | None = None) -> Component:
    """Say why there is nothing here, and which command changes that."""
    return dmc.Center(
        dmc.Stack(
            [
                html.Div(className="waves"),
                dmc.Title(title, order=3),
                dmc.Text(text, c="dimmed", maw=460, ta="center"),
                *([command_line(command)] if command else []),
            ],
            align="center",
            gap="sm",
        ),
        className="empty",
    )


def command_line(command: str) -> Component:
    """Show a command with a button that copies it."""
    return html.Div(
        [
            html.Code(command),
            html.Button("copy", className="copy", **{"data-copy": command}),
        ],
        className="command",
    )


def tool(label: str, key: str, do: str, *, primary: bool = False) -> Component:
    """Return a button that does what a key does; `do` is one of the actions in `keys.js`."""
    return html.Button(
        [label, html.Kbd(key)],
        className="tool primary" if primary else "tool",
        **{"data-do": do},
    )


def segmented(component_id: str, options: dict[str, str], value: str | None) -> Component:
    """Return a switch between options; an unknown value takes the first."""
    return dmc.SegmentedControl(
        id=component_id,
        data=[{"value": v, "label": label} for v, label in options.items()],
        value=value if value in options else next(iter(options)),
        size="xs",
    )


def view_switch(page: str, value: str | None) -> Component:
    """Return the switch between crop, mask, heat map and frame."""
    return segmented(ids.view(page), VIEWS, value)


def gallery(page: str) -> list[Component]:
    """Return the gallery and the stores that fill it; `gallery.js` draws it."""
    stores = (ids.items, ids.names, ids.drawn, ids.address)
    return [
        *(dcc.Store(id=store(page)) for store in stores),
        html.Div(id=ids.GALLERY, className="gallery", **{"data-view": ids.view(page)}),
    ]


def gallery_items(run: ClassRun, crops: Iterable[Any], **more: object) -> dict[str, Any]:
    """Return what `gallery.js` draws, from the rows of a table of crops."""
    items = [
        {
            "id": row.crop_id,
            "cluster": int(row.cluster),
            "probability": round(float(row.probability), 3),
            "exemplar": bool(row.exemplar),
            "caption": f"dive {row.dive} · frame {row.index}",
            "flags": row.flags if isinstance(row.flags, str) else "",
        }
        for row in crops
    ]
    return {"run": run.crops_run, "items": items, **more}


def register_gallery(app: Dash, explorer: Explorer, page: str, *kept: str) -> None:
    """Draw the gallery in the browser, so that a verdict changes badges and nothing moves.

    Args:
        app: the application.
        explorer: the survey.
        page: the page's name, which its ids start with.
        kept: ids of the controls that the address keeps, beside the view.
    """

    @app.callback(
        Output(ids.names(page), "data"),
        Input(ids.EVENT, "data"),
        Input(ids.items(page), "data"),
    )
    def names(_event: int, shown: dict[str, Any] | None) -> dict[str, list[str]]:
        crops = {item["id"] for item in (shown or {}).get("items", [])}
        rows = explorer.names()
        rows = rows[rows["crop_id"].isin(crops)]
        columns = (rows[c].astype(str) for c in ("crop_id", "name", "origin"))
        return {crop: [name, origin] for crop, name, origin in zip(*columns, strict=True)}

    app.clientside_callback(
        ClientsideFunction("gallery", "draw"),
        Output(ids.drawn(page), "data"),
        Input(ids.items(page), "data"),
        Input(ids.names(page), "data"),
        Input(ids.view(page), "value"),
        State(ids.PLACE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("keys", "address"),
        Output(ids.address(page), "data"),
        Input(ids.view(page), "value"),
        *(Input(control, "value") for control in kept),
        State(ids.PLACE, "data"),
    )
