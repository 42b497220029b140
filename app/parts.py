# mypy: disable-error-code="untyped-decorator"
"""Components that several pages use."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids

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
                dmc.Title(title, order=1, size="h3"),
                dmc.Text(text, className="quiet", maw=460, ta="center"),
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


def tool(
    label: str, key: str, do: str, *, primary: bool = False, title: str | None = None
) -> Component:
    """Return a button that does what a key does; `do` is one of the actions in `keys.js`."""
    return html.Button(
        [label, html.Kbd(key)],
        className="tool primary" if primary else "tool",
        title=title,
        type="button",
        **{"data-do": do},
    )


def segmented(
    component_id: str, options: dict[str, str], value: str | None, name: str
) -> Component:
    """Return a switch between options; an unknown value takes the first."""
    return dmc.SegmentedControl(
        id=component_id,
        data=[{"value": v, "label": label} for v, label in options.items()],
        value=value if value in options else next(iter(options)),
        size="xs",
        **{"aria-label": name},
    )


def choice(
    component_id: str, options: dict[str, str], value: str | None, name: str, *, width: int = 180
) -> Component:
    """Return a list to choose from; an unknown value takes the first."""
    return dmc.Select(
        id=component_id,
        data=[{"value": v, "label": label} for v, label in options.items()],
        value=value if value in options else next(iter(options)),
        size="xs",
        w=width,
        allowDeselect=False,
        **{"aria-label": name},
    )


def view_switch(page: str, value: str | None) -> Component:
    """Return the switch between crop, mask, heat map and frame."""
    return segmented(ids.view(page), VIEWS, value, "What a tile shows")


# What a person decides, by key; "do" is one of the actions in `keys.js`.
VERDICTS = [
    ("Approve", "A", "approve", "they belong together"),
    ("Reject", "X", "reject", "no such thing is there"),
    ("Name", "N", "name", "give them a subcategory"),
    ("Take suggestion", "Y", "take", "give each the name that is suggested for it"),
    ("Merge", "M", "merge", "put them into another cluster"),
    ("Split", "S", "split", "make the selected crops a cluster of their own"),
    ("Grow", "G", "grow", "look for more of the same outside the cluster"),
    ("Flag", "F", "flag", "ask for a second look"),
    ("Indeterminate", "I", "indeterminate", "nobody can tell what it is"),
]


def verdict_tools(*left_out: str) -> list[Component]:
    """Return the buttons of the verdicts, but for some, and of undo and redo."""
    tools = [
        tool(label, key, do, primary=do == "name", title=f"{label}: {what}")
        for label, key, do, what in VERDICTS
        if do not in left_out
    ]
    spring = html.Div(className="spring")
    return [*tools, spring, tool("Undo", "Ctrl Z", "undo"), tool("Redo", "Ctrl Y", "redo")]


def gallery(page: str, listing: dict[str, Any] | None = None, *, least: int = 132) -> Component:
    """Return the gallery and the stores that fill it; `gallery.js` draws it.

    Args:
        page: the page's name, which its ids start with.
        listing: what it shows at first (`Listing.sent`).
        least: pixels that a tile is wide at least.
    """
    return html.Div(
        [
            dcc.Store(id=ids.items(page), data=listing),
            *(dcc.Store(id=store(page)) for store in (ids.drawn, ids.fresh, ids.address)),
            html.Div(
                id=ids.GALLERY,
                className="gallery",
                tabIndex=0,
                role="listbox",
                **{
                    "data-view": ids.view(page),
                    "data-least": str(least),
                    "aria-label": "Crops",
                    "aria-multiselectable": "true",
                },
            ),
        ]
    )


def register_gallery(app: Dash, page: str, *kept: str) -> None:
    """Draw the gallery in the browser, so that a verdict changes badges and nothing moves.

    Args:
        app: the application.
        page: the page's name, which its ids start with.
        kept: ids of the controls that the address keeps, beside the view.
    """
    app.clientside_callback(
        ClientsideFunction("gallery", "draw"),
        Output(ids.drawn(page), "data"),
        Input(ids.items(page), "data"),
        Input(ids.view(page), "value"),
    )
    app.clientside_callback(
        ClientsideFunction("gallery", "refresh"),
        Output(ids.fresh(page), "data"),
        Input(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("keys", "address"),
        Output(ids.address(page), "data"),
        Input(ids.view(page), "value"),
        *(Input(control, "value") for control in kept),
        State(ids.PLACE, "data"),
    )
