"""The pages: each has `layout(explorer, query)` and `register(app, explorer)`."""

from collections.abc import Callable

from dash import Dash
from dash.development.base_component import Component

from app.data import Explorer
from app.pages import bursts, cluster, frame, labels, map, overview, queue
from app.parts import Query

PAGES: dict[str, Callable[[Explorer, Query], Component]] = {
    "/": overview.layout,
    "/queue": queue.layout,
    "/cluster": cluster.layout,
    "/map": map.layout,
    "/bursts": bursts.layout,
    "/frame": frame.layout,
    "/labels": labels.layout,
}


def register(app: Dash, explorer: Explorer) -> None:
    """Register the callbacks of every page."""
    for page in (overview, queue, cluster, map, bursts, frame, labels):
        page.register(app, explorer)
