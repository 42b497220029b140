"""The pages: each has `layout(explorer, query)` and `register(app, explorer)`."""

from collections.abc import Callable

from dash import Dash
from dash.development.base_component import Component

from app.data import Explorer
from app.pages import bursts, cluster, frame, grow, map, overview, queue, subcategories
from app.parts import Query

PAGES: dict[str, Callable[[Explorer, Query], Component]] = {
    "/": overview.layout,
    "/queue": queue.layout,
    "/cluster": cluster.layout,
    "/grow": grow.layout,
    "/map": map.layout,
    "/bursts": bursts.layout,
    "/frame": frame.layout,
    "/subcategories": subcategories.layout,
}


def register(app: Dash, explorer: Explorer) -> None:
    """Register the callbacks of every page."""
    for page in (overview, queue, cluster, grow, map, bursts, frame, subcategories):
        page.register(app, explorer)
