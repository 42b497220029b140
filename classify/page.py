"""The look of a run's figures, and the page that holds them: one HTML file without network.

The colours follow Okabe and Ito (2008, "Color Universal Design"), with the yellow darkened for a
white background and a purple added. Text from data is escaped: plotly would read `<b>` as markup.
"""

import html
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from classify.runs import write_atomic

COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89500", "#7b52ab",
)  # fmt: skip
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
INK, QUIET, GREY, GRID, BAD = "#1a2f3b", "#5f7a89", "#9fb4bf", "#e6ecef", "#c0392b"
HEIGHT = 340  # pixels of a figure that stands beside another one
_AXIS = {
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
    "linecolor": "#c3cfd5",
    "title": {"font": {"size": 12}, "standoff": 8},
    "tickfont": {"size": 12},
}
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "title": {
            "font": {"size": 15},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 16},
        },
        "colorway": COLOURS,
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 12, "r": 16, "t": 72, "b": 12},
        "bargap": 0.3,
        "hoverlabel": {"font": {"family": FONT}},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


def write_page(parts: list[go.Figure | str], path: Path, *, title: str) -> None:
    """Write figures and text as one HTML file that needs no network.

    Args:
        parts: figures, and fragments of HTML whose text is escaped already.
        path: the file; it is replaced at once or not at all.
        title: of the page, plain text.
    """
    body, script = [], True
    for number, part in enumerate(parts):
        if isinstance(part, str):
            body.append(part)
            continue
        drawn = part.to_html(
            full_html=False,
            include_plotlyjs=script,  # 4.5 MB: once
            include_mathjax=False,
            div_id=f"figure-{number}",  # not a random one: the same run gives the same page
            default_height=f"{part.layout.height or HEIGHT}px",
            config={"displayModeBar": False, "responsive": True},
        )
        body.append(f'<div class="figure">{drawn}</div>')
        script = False
    page = _PAGE.format(title=html.escape(title), style=_STYLE, body="\n".join(body))
    write_atomic(path, page.encode())


def styled_figure(*traces: Any, **layout: Any) -> go.Figure:  # noqa: ANN401 - plotly's
    """Return a figure of traces in the look of the page."""
    return style(go.Figure(list(traces)), **{"height": HEIGHT, **layout})


def style(figure: go.Figure, **layout: Any) -> go.Figure:  # noqa: ANN401 - plotly's
    """Give a figure the look of the page."""
    if isinstance(layout.get("title"), str):
        layout["title"] = {"text": layout["title"]}  # keeps the place that the template gives it
    return figure.update_layout(template=_TEMPLATE, **layout)


def quiet(text: str) -> str:
    """Return text in small grey letters."""
    return f'<span style="font-size:12px;color:{QUIET}">{text}</span>'


def plain(text: object) -> str:
    """Return text that plotly shows as it is."""
    return html.escape(str(text), quote=False)


def shortened(text: object, most: int = 26) -> str:
    """Return a label that leaves room for the figure: the middle of a long one is left out."""
    whole = str(text)
    if len(whole) > most:
        whole = f"{whole[: most // 2]}…{whole[-(most // 2 - 1) :]}"
    return plain(whole)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0; background: #f3f6f8; color: {INK}; font: 15px/1.55 {FONT}; }}
main {{ max-width: 1200px; margin: 0 auto; padding: 28px 32px 64px; }}
h1 {{ font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }}
h2 {{ font-size: 19px; margin: 40px 0 12px; }}
p {{ margin: 8px 0; max-width: 100ch; }}
code {{ font: 13px ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }}
.quiet {{ color: {QUIET}; }}
.facts {{ display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: 2px 20px;
  margin: 16px 0; }}
@media (max-width: 860px) {{ .facts {{ grid-template-columns: max-content 1fr; }} }}
.facts dt {{ color: {QUIET}; }}
.facts dd {{ margin: 0; overflow-wrap: anywhere; }}
.cards {{ display: flex; flex-wrap: wrap; gap: 14px; margin: 12px 0 18px; }}
.card {{ flex: 1 1 200px; background: white; border-radius: 10px; padding: 14px 18px;
  border: 1px solid #dde5ea; }}
.card b {{ display: block; font-size: 30px; line-height: 1.2; font-weight: 650; }}
.card.bad b {{ color: {BAD}; }}
.card span {{ color: {QUIET}; font-size: 13px; display: block; }}
.note {{ background: #eaf3f8; border-left: 4px solid {COLOURS[0]}; padding: 10px 16px;
  border-radius: 0 8px 8px 0; max-width: none; }}
.note.bad {{ background: #fdeeec; border-color: {BAD}; color: #8e2418; }}
.beside {{ display: grid; gap: 14px; margin: 14px 0;
  grid-template-columns: repeat(var(--columns), 1fr); }}
@media (max-width: 1100px) {{ .beside {{ grid-template-columns: 1fr; }} }}
.figure {{ background: white; border: 1px solid #dde5ea; border-radius: 10px; padding: 12px 14px;
  min-width: 0; overflow: hidden; }}
main > .figure {{ margin: 14px 0; }}
.mistakes {{ display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(540px, 100%), 1fr)); }}
.mistakes figure {{ margin: 0; background: white; border: 1px solid #dde5ea; border-radius: 10px;
  padding: 8px; }}
.mistakes .pictures {{ display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }}
.mistakes img {{ width: 100%; display: block; border-radius: 5px; }}
.mistakes figcaption {{ font-size: 13px; padding: 6px 4px 0; overflow-wrap: anywhere; }}
@media print {{ body {{ background: white; }} main {{ max-width: none; padding: 0; }} }}
"""
