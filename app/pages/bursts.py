# mypy: disable-error-code="untyped-decorator"
"""Bursts: a dive as a time line, and its stacks of frames, to accept, split and merge."""

import time
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from app import ids
from app.crops.verdicts import toast
from app.data import Explorer
from app.figures.bursts import MOST_MARKS, time_line
from app.frames.data import FramesData, frames_data
from app.frames.leaks_panel import leaks_panel, leaks_rows
from app.frames.stacks import SHOW, dive_frames, members, shown, stacks_of
from app.frames.verdicts import decide
from app.jobs.parts import job_button
from app.pages.burst_parts import (
    card,
    line,
    nothing_open,
    opened_burst,
    proof_dialog,
)
from app.parts import Query, empty_state, link, segmented, tool
from discover.naming.burst_verdicts import Bursts

LEAF_SIZE = 24  # stacks shown at once


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    data = frames_data(explorer)
    bursts = data.bursts()
    if bursts is None:
        return no_bursts(explorer)
    dives = list(data.frames().starts)
    burst = query.get("burst")
    dive = _dive(data, bursts, query, dives)
    frames = dive_frames(data, bursts, dive)
    place = {"dive": dive, "run": bursts.run}
    return html.Div(
        [
            dcc.Store(id=ids.BURSTS_PLACE, data=place),
            dcc.Store(id=ids.BURSTS_OPEN, data=burst),
            *(dcc.Store(id=i) for i in (ids.BURSTS_VERDICT, ids.BURSTS_ADDRESS, ids.BURSTS_DRAWN)),
            html.Div(_heading(dive, dives), className="bar"),
            line(frames, stacks_of(frames, bursts), burst),
            html.Section(id=ids.BURSTS_OPENED, className="panel burst-open"),
            html.Div(_controls(query), className="bar"),
            html.Div(id=ids.BURSTS_CARDS, className="stacks"),
            leaks_panel(explorer),
            proof_dialog(),
        ],
        className="page bursts-page",
    )


def no_bursts(explorer: Explorer) -> Component:
    """Say that no bursts were found yet, and how to find them."""
    if not frames_data(explorer).frames().starts:
        text = "Add images or videos first: bursts are runs of frames that show one scene."
        return empty_state("There are no frames yet", text, "discover add FOLDER")
    text = "Frames of a dive that show the same scene are one burst, each with its proof."
    return html.Div(
        [
            empty_state("No bursts yet", text, "discover bursts"),
            job_button("Find the bursts", {"command": "bursts"}, primary=True),
        ],
        className="burst-none",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Draw the time line, the stacks and the open burst anew after each verdict."""
    _register_stacks(app, explorer)
    _register_verdicts(app, explorer)
    _register_browser(app)

    @app.callback(
        Output(ids.BURSTS_LEAKS, "children"),
        Input(ids.BURSTS_LOOK, "n_clicks"),
        prevent_initial_call=True,
    )
    def leaks(clicks: int | None) -> object:
        return leaks_rows(explorer) if clicks else no_update


def _register_stacks(app: Dash, explorer: Explorer) -> None:
    data = frames_data(explorer)

    @app.callback(
        Output(ids.BURSTS_CARDS, "children"),
        Output(ids.BURSTS_LEAF, "total"),
        Output(ids.BURSTS_FACTS, "children"),
        Input(ids.BURSTS_SHOW, "value"),
        Input(ids.BURSTS_LEAF, "value"),
        Input(ids.BURSTS_OPEN, "data"),
        Input(ids.EVENT, "data"),
        State(ids.BURSTS_PLACE, "data"),
    )
    def cards(
        show: str, leaf: int, opened: str | None, _event: int, place: dict[str, str]
    ) -> tuple[object, int, str]:
        bursts, stacks = _now(data, place)
        if bursts is None:
            return no_bursts(explorer), 1, ""
        left = shown(stacks, show)
        leaves = max(1, -(-len(left) // LEAF_SIZE))
        start = (min(max(1, leaf), leaves) - 1) * LEAF_SIZE
        part = left.iloc[start : start + LEAF_SIZE]
        frames = members(data, bursts, part.index.tolist())
        made = [
            card(name, frames[name], accepted=bool(row.accepted), opened=name == opened)
            for name, row in zip(part.index, part.itertuples(), strict=True)
        ]
        return made or html.P(_nothing(show), className="note"), leaves, _facts(stacks)

    @app.callback(
        Output(ids.BURSTS_OPENED, "children"),
        Input(ids.BURSTS_OPEN, "data"),
        Input(ids.EVENT, "data"),
        State(ids.BURSTS_PLACE, "data"),
    )
    def show_open(burst: str | None, _event: int, place: dict[str, str]) -> object:
        bursts, stacks = _now(data, place)
        if bursts is None or burst is None:
            return nothing_open()
        rows = members(data, bursts, [burst]).get(burst)
        if rows is None:
            return nothing_open("This burst is no more: it was merged, or its split was undone.")
        proofs = data.proofs(str(rows["frame_id"].iat[0]), rows["frame_id"].iloc[1:].tolist())
        accepted = bool(stacks["accepted"].get(burst, False))
        return opened_burst(burst, rows, proofs, accepted=accepted)

    @app.callback(
        Output(ids.BURSTS_LINE, "figure"),
        Input(ids.BURSTS_OPEN, "data"),
        Input(ids.EVENT, "data"),
        Input(ids.BURSTS_LINE, "relayoutData"),
        State(ids.BURSTS_PLACE, "data"),
        prevent_initial_call=True,
    )
    def redraw(
        opened: str | None, _event: int, moved: dict[str, Any] | None, place: dict[str, str]
    ) -> object:
        bursts, stacks = _now(data, place)
        frames = None if bursts is None else dive_frames(data, bursts, place["dive"])
        # At first the layout has drawn it, and a short dive needs no more where one zooms.
        zoomed = set(ctx.triggered_prop_ids) == {f"{ids.BURSTS_LINE}.relayoutData"}
        is_long = frames is not None and len(frames) > MOST_MARKS
        if frames is None or not ctx.triggered or (zoomed and not is_long):
            return no_update
        view = _view(moved) if is_long else None
        return time_line(frames, stacks, opened=opened, view=view)


def _register_verdicts(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output(ids.EVENT, "data", allow_duplicate=True),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Output(ids.BURSTS_OPEN, "data", allow_duplicate=True),
        Input(ids.BURSTS_VERDICT, "data"),
        State(ids.EVENT, "data"),
        State(ids.BURSTS_PLACE, "data"),
        prevent_initial_call=True,
    )
    def write(
        verdict: dict[str, Any] | None, seen: int, place: dict[str, str]
    ) -> tuple[object, object, object]:
        if verdict is None:  # the page was only just opened
            return no_update, no_update, no_update
        done = decide(explorer, {**verdict, **place, "seen": seen})
        shown = toast(done.message, done.failed, time.time_ns() // 1_000_000)
        return explorer.labels.last_event_id(), [shown], done.opened or no_update


def _register_browser(app: Dash) -> None:
    """Register what the browser does by itself: `assets/bursts.js`."""
    app.clientside_callback(
        ClientsideFunction("bursts", "clicked"),
        Output(ids.BURSTS_OPEN, "data", allow_duplicate=True),
        Input(ids.BURSTS_LINE, "clickData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("bursts", "address"),
        Output(ids.BURSTS_ADDRESS, "data"),
        Input(ids.BURSTS_OPEN, "data"),
        Input(ids.BURSTS_SHOW, "value"),
        Input(ids.BURSTS_LEAF, "value"),
        State(ids.BURSTS_PLACE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("bursts", "drawn"),
        Output(ids.BURSTS_DRAWN, "data"),
        Input(ids.BURSTS_OPENED, "children"),
        Input(ids.BURSTS_CARDS, "children"),
    )
    app.clientside_callback(
        ClientsideFunction("bursts", "dive"),
        Output(ids.URL, "search", allow_duplicate=True),
        Input(ids.BURSTS_DIVE, "value"),
        State(ids.BURSTS_PLACE, "data"),
        prevent_initial_call=True,
    )


def _now(data: FramesData, place: dict[str, str]) -> tuple[Bursts | None, pd.DataFrame]:
    bursts = data.bursts()
    if bursts is None:
        return None, pd.DataFrame()
    return bursts, stacks_of(dive_frames(data, bursts, place["dive"]), bursts)


def _dive(data: FramesData, bursts: Bursts, query: Query, dives: list[str]) -> str:
    """Return the dive that is asked for, else that of the burst that is, else the first."""
    if query.get("dive") in dives:
        return query["dive"]
    found = members(data, bursts, [query["burst"]]) if "burst" in query else {}
    return next((str(rows["dive"].iat[0]) for rows in found.values()), dives[0])


def _heading(dive: str, dives: list[str]) -> list[Component]:
    at = dives.index(dive)
    turners = []
    for step, sign, words in ((-1, "\u2039", "Dive before"), (1, "\u203a", "Dive after")):
        if 0 <= at + step < len(dives):
            href = link("/bursts", dive=dives[at + step])
            turners.append(dcc.Link(sign, href=href, className="round", title=words))
        else:
            turners.append(html.Span(sign, className="round off"))
    return [
        *turners,
        html.H1("Bursts"),
        dmc.Select(
            id=ids.BURSTS_DIVE,
            data=[{"value": d, "label": d or "no dive"} for d in dives],
            value=dive,
            searchable=True,
            allowDeselect=False,
            size="xs",
            w=170,
            **{"aria-label": "Dive"},
        ),
        html.Div(id=ids.BURSTS_FACTS, className="note numbers"),
        html.Div(className="spring"),
        tool("Undo", "Ctrl Z", "undo"),
        tool("Redo", "Ctrl Y", "redo"),
    ]


def _controls(query: Query) -> list[Component]:
    leaf = query.get("leaf", "1")
    return [
        html.H2("Stacks"),
        segmented(ids.BURSTS_SHOW, SHOW, query.get("show", "many"), "Which stacks"),
        html.Div(className="spring"),
        dmc.Pagination(
            id=ids.BURSTS_LEAF,
            total=max(1, int(leaf)) if leaf.isdigit() else 1,
            value=int(leaf) if leaf.isdigit() else 1,
            size="sm",
            hideWithOnePage=True,
            siblings=1,
        ),
    ]


def _facts(stacks: pd.DataFrame) -> str:
    many = stacks[stacks["frames"] > 1]
    return (
        f"{int(stacks['frames'].sum()):,} frames in {len(stacks):,} bursts · "
        f"{len(many):,} of several frames, {int(many['accepted'].sum()):,} accepted"
    )


def _nothing(show: str) -> str:
    return {
        "check": "Every burst of several frames in this dive is accepted.",
        "many": "No frame of this dive shows the scene of another.",
    }.get(show, "No frame of this dive could be read.")


def _view(moved: dict[str, Any] | None) -> tuple[object, object] | None:
    """Return the part of the axis that is in view after a person zoomed."""
    for axis in ("xaxis", "xaxis2"):
        ends = (moved or {}).get(f"{axis}.range[0]"), (moved or {}).get(f"{axis}.range[1]")
        if ends[0] is not None and ends[1] is not None:
            return ends
    return None
