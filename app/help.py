"""The keys of each page, as its help shows them."""

from dash import html
from dash.development.base_component import Component

from app.parts import VERDICTS

Keys = tuple[str, list[tuple[str, str]]]

_DECIDE = (
    "Decide",
    [
        *((key, f"{label.lower()}: {what}") for label, key, _, what in VERDICTS),
        ("Del", "take the label away"),
    ],
)
_UNDO: Keys = ("Undo", [("Ctrl Z", "undo, without limit"), ("Ctrl Y", "do it again")])
_SELECT = (
    "Select",
    [
        ("Click", "select a crop"),
        ("Shift click", "select all up to here"),
        ("Ctrl A", "select all that match the filter"),
        ("Space", "select the crop in the ring"),
        ("Esc", "clear"),
    ],
)
_LOOK = (
    "Look",
    [
        ("1 2 3 4", "crop, mask, heat map, whole frame"),
        ("← ↑ → ↓", "move the ring"),
        ("Enter", "open what is in the ring"),
        ("P", "pin the crop in the ring, to compare with"),
        ("L", "find the like of the crop in the ring"),
    ],
)
_GO = ("Go", [("J K", "next and previous"), ("Q", "the queue"), ("?", "these keys")])
_ROWS = (
    "Look",
    [
        ("↑ ↓", "move along the rows"),
        ("→ ←", "open a cluster into its parts, and close it"),
        ("Enter", "open the cluster"),
    ],
)
_GROW = (
    "Grow",
    [
        ("A", "all of them belong to the cluster"),
        ("X", "not all of them do"),
        ("Space", "one by one: this one does not belong"),
        ("Enter", "one by one: take in the others"),
        ("Ctrl Z", "take back the last answer"),
    ],
)
_MAP = (
    "Map",
    [
        ("Lasso", "drag around points: they show beside the map"),
        ("S", "split off what the lasso holds"),
        ("Click", "a point shows its cluster"),
        ("Scroll", "zoom; more points appear"),
        ("Drop", "an image file, anywhere: finds its like"),
    ],
)
_BURSTS: Keys = (
    "Bursts",
    [
        ("A", "accept the burst"),
        ("S", "split the selected frames off"),
        ("M", "merge, then \u2190 \u2192 or a click on a stack"),
        ("Space", "select the frame"),
        ("J K", "next and previous burst"),
        ("Esc", "clear, then close"),
    ],
)
_FRAME: Keys = (
    "Frame",
    [
        ("\u2190 \u2192", "the frame before and after"),
        ("B", "boxes"),
        ("M", "masks"),
        ("H", "heat map"),
    ],
)
KEYS: dict[str, list[Keys]] = {
    "/queue": [_DECIDE, _UNDO, _ROWS, _GO],
    "/cluster": [_DECIDE, _UNDO, _SELECT, _LOOK, _GO],
    "/grow": [_GROW, _LOOK, _GO],
    "/bursts": [_BURSTS, _UNDO, _GO],
    "/frame": [_FRAME, _UNDO, _GO],
    "/map": [_MAP, _DECIDE, _UNDO, _SELECT, _LOOK, _GO],
}


def help_of(path: str) -> Component:
    """Show the keys of the page at an address."""
    sections = [
        html.Section(
            [
                html.H3(title),
                *(
                    html.Div([html.Span([html.Kbd(k) for k in keys.split(" ")]), html.Span(what)])
                    for keys, what in rows
                ),
            ]
        )
        for title, rows in KEYS.get(path, [_UNDO, _GO])
    ]
    again = html.Button(
        "Show the first steps", className="tool", type="button", **{"data-welcome": "open"}
    )
    return html.Div([html.Div(sections, className="keys"), again])
