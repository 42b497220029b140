"""Colours: the page's theme, and marks that stay distinct for many clusters.

The qualitative colours follow Okabe and Ito (2008, "Color Universal Design"), with the yellow
darkened for a white background and a purple added. Colour and symbol run through their lists at
different pace, so that 208 clusters differ in at least one of the two.
"""

from typing import Any

OCEAN = [
    "#e9f6f8", "#d2eaef", "#a4d4de", "#72bdcd", "#48a8bd",
    "#2b9ab1", "#188ea7", "#077c93", "#046779", "#034f5e",
]  # fmt: skip
DEEP = [
    "#d3e0e6", "#aebfc9", "#8aa0ad", "#5f7a89", "#38525f",
    "#28404d", "#1a2f3b", "#11232d", "#0c1b24", "#07121a",
]  # fmt: skip

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89500", "#7b52ab",
)  # fmt: skip
_SOLID = (
    "circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon",
    "triangle-down", "x", "pentagon", "bowtie", "hourglass", "triangle-left",
)  # fmt: skip
SYMBOLS = _SOLID + tuple(f"{symbol}-open" for symbol in _SOLID)
_SIGNS = "●◆■▲✚★⬢▼✖⬟⧓⧗◀○◇□△✛☆⬡▽✕⬠⋈⧖◁"
SIGNS = dict(zip(SYMBOLS, _SIGNS, strict=True))  # the symbols as text, for a legend
NOISE = "#93a4ad"
SCALE = "Viridis"  # even steps in lightness, so it reads in grey and for the colour blind

THEME: dict[str, Any] = {
    "colors": {"ocean": OCEAN, "dark": DEEP},
    "primaryColor": "ocean",
    "primaryShade": {"light": 7, "dark": 5},
    "defaultRadius": "md",
    "cursorType": "pointer",
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    "fontFamilyMonospace": "ui-monospace, 'SF Mono', Menlo, Consolas, monospace",
    "headings": {"fontWeight": "650"},
}


def mark(number: int) -> tuple[str, str]:
    """Return the colour and the plotly symbol of group `number`, counted from 0; noise is -1.

    They depend on the number alone, so that a group looks the same whatever else is shown.
    """
    if number < 0:
        return NOISE, "circle"
    return COLOURS[number % len(COLOURS)], SYMBOLS[(number // len(COLOURS)) % len(SYMBOLS)]
