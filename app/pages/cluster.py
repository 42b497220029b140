# mypy: disable-error-code="untyped-decorator"
"""Cluster: the crops of one cluster, or of another selection, to look through and decide on."""

from typing import Any

import pandas as pd
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids
from app.crops import queue as queries
from app.crops import selection
from app.crops.listing import ADDRESSED, LIKE_PINNED, listing, selected, title_of
from app.crops.verdicts import toast
from app.data import ClassRun, Explorer
from app.jobs.parts import job_button
from app.pages.queue import no_clusters
from app.parts import (
    Query,
    choice,
    empty_state,
    gallery,
    link,
    name_badges,
    register_gallery,
    verdict_tools,
    view_switch,
)
from classify.errors import UserError

FEWEST = 20  # crops that can fall into kinds
ORDERS = {**selection.ORDERS, LIKE_PINNED: "Like the pinned crop"}


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = _run(explorer, query)
    if run is None:
        return no_clusters(explorer)
    what = _what(explorer, query)
    order = query.get("order") if query.get("order") in ORDERS else "typical"
    try:
        found = listing(explorer, run, what, str(order), query.get("pinned"))
        crops, rows = selected(explorer, run, _whole(what))
    except (UserError, ValueError) as error:
        return empty_state("There is nothing to show", str(error))
    if not len(rows):
        return empty_state("No crops", f"{title_of(what)} of run {run.name} holds no crops now.")
    place = {"run": run.name, "what": _whole(what)}
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data=place),
            html.Div(
                [
                    html.Div(_heading(explorer, run, what), className="bar"),
                    html.Div(verdict_tools(), className="bar tools"),
                    html.Div(_controls(run, query, crops.iloc[rows], str(order)), className="bar"),
                ],
                className="sticky",
            ),
            gallery(ids.CLUSTER, found.sent(explorer, run, title_of(what))),
        ],
        className="page",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Fill the gallery, and keep its names true."""
    register_gallery(app, ids.CLUSTER, ids.ORDER, ids.FLAGGED, ids.STATE)

    @app.callback(
        Output(ids.items(ids.CLUSTER), "data"),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Input(ids.ORDER, "value"),
        Input(ids.FLAGGED, "value"),
        Input(ids.STATE, "value"),
        State(ids.PLACE, "data"),
        State(ids.PIN, "data"),
        prevent_initial_call=True,
    )
    def fill(
        order: str, flagged: str, state: str, place: dict[str, Any], pin: dict[str, str] | None
    ) -> tuple[object, list[dict[str, object]]]:
        run = explorer.class_run(place["run"])
        assert run is not None  # the page was made for it
        what = {**place["what"], "flags": flagged, "state": state}
        try:
            found = listing(explorer, run, what, order, pin["crop"] if pin else None)
            said = [] if pin or order != LIKE_PINNED else ["Pin a crop first: P on the ring"]
        except UserError as error:
            found = listing(explorer, run, what, "typical")
            said = [str(error)]
        shown = [toast(text, True, n) for n, text in enumerate(said)]
        return found.sent(explorer, run, title_of(what)), shown

    @app.callback(
        Output(ids.CLUSTER_NAMES, "children"),
        Output(ids.CLUSTER_FACTS, "children"),
        Input(ids.EVENT, "data"),
        State(ids.PLACE, "data"),
    )
    def heading(_event: int, place: dict[str, Any]) -> tuple[object, object]:
        run = explorer.class_run(place["run"])
        assert run is not None
        crops, rows = selected(explorer, run, place["what"])
        some = crops.iloc[rows]
        found = queries.names_of(some)
        facts = (
            f"{len(some):,} crops · {some['frame_id'].nunique():,} frames · "
            f"{some['dive'].nunique():,} dives · {int(selection.open_crops(some).sum()):,} open"
        )
        return name_badges(found, size=len(some), most=4), facts


def _run(explorer: Explorer, query: Query) -> ClassRun | None:
    """Return the run that is asked for; of a name alone, the one with the most crops of it."""
    if query.get("run") or not query.get("name"):
        return explorer.class_run(query.get("run"))
    what = _what(explorer, query)
    latest = explorer.latest_runs()
    bearing = [(len(selected(explorer, run, what)[1]), run.name) for run in latest.values()]
    return explorer.class_run(max(bearing)[1]) if bearing else None


def _what(explorer: Explorer, query: Query) -> dict[str, Any]:
    what: dict[str, Any] = {key: query[key] for key in ADDRESSED if query.get(key)}
    if "name" in what:  # an address may give the id of a subcategory, which outlives its name
        tree = explorer.labels.tree()
        what["name"] = tree.text(what["name"]) if what["name"] in tree.nodes else what["name"]
    return what or {"show": "all"}


def _whole(what: dict[str, Any]) -> dict[str, Any]:
    """Return a selection without its filters."""
    return {key: value for key, value in what.items() if key not in ("flags", "state")}


def _heading(explorer: Explorer, run: ClassRun, what: dict[str, Any]) -> list[Component]:
    group = what.get("group")
    turners = [] if group is None else _turners(explorer, run, str(group))
    reference = what.get("like")
    if reference:
        source = f"/picture/{reference}"
        if not str(reference).startswith("p"):
            source = link(f"/image/{reference}", kind="crop", size=96, run=run.crops_run)
        turners = [html.Img(src=source, className="reference", alt="what was searched by")]
    return [
        *turners,
        html.H1([title_of(what), " of ", html.Em(run.class_name)]),
        html.Div(id=ids.CLUSTER_NAMES),
        html.Div(id=ids.CLUSTER_FACTS, className="note numbers"),
        html.Div(className="spring"),
        html.Div(id=ids.SELECTED, className="selected", **{"aria-live": "polite"}),
    ]


def _turners(explorer: Explorer, run: ClassRun, group: str) -> list[Component]:
    # By size, not by what is open: a verdict must not change which is next.
    line = queries.line(explorer.crops(run))
    before, after, onward = queries.following(line, group)
    turners: list[Component] = []
    for target, sign, key, what in (
        (before, "\u2039", "K", "previous"),
        (after, "\u203a", "J", "next"),
    ):
        if target is None:
            turners.append(html.Span(sign, className="round off"))
            continue
        href = link("/cluster", run=run.name, group=target)
        name = f"{what.capitalize()} cluster"
        turners.append(
            dcc.Link(
                [html.Span(sign, **{"aria-hidden": "true"}), html.Span(name, className="unseen")],
                href=href,
                className=f"round turn {what}",
                title=f"{name} ({key})",
            )
        )
    href = link("/queue", run=run.name)
    if onward is not None:
        href = link("/cluster", run=run.name, group=onward)
    return [*turners, dcc.Link("Next that waits", href=href, className="turn onward")]


def _controls(run: ClassRun, query: Query, crops: pd.DataFrame, order: str) -> list[Component]:
    orders = {"typical": "Most alike first"} if query.get("like") else dict(ORDERS)
    if crops["time_utc"].isna().all():
        orders.pop("time", None)
    return [
        view_switch(ids.CLUSTER, query.get("view")),
        choice(ids.ORDER, orders, order, "Order"),
        choice(ids.STATE, selection.STATES, query.get("state"), "Which crops", width=150),
        _flag_filter(selection.flags_of(crops), query.get("flags")),
        html.Div(className="spring"),
        *_within(run, query, len(crops)),
    ]


def _within(run: ClassRun, query: Query, size: int) -> list[Component]:
    """Return the button that clusters a large cluster by itself, where it is one."""
    group = query.get("group", "-1")
    if not group.isdecimal() or query.get("part") or size < FEWEST:
        return []
    request = {"command": "cluster", "within": int(group), "run": run.name}
    button = job_button("Cluster this one by itself", request)
    button.title = f"discover cluster --within {group} --class {run.class_name}"
    return [button]


def _flag_filter(flags: dict[str, int], value: str | None) -> Component:
    """Return the choice of crops by the flags of their frames; hidden where there are none."""
    options = {"all": "All frames", "none": "Frames without flags"}
    options |= {flag: f"{flag.capitalize()} ({count:,})" for flag, count in flags.items()}
    chosen = choice(ids.FLAGGED, options, value, "Crops by the flags of their frames")
    chosen.style = None if flags else {"display": "none"}
    return chosen
