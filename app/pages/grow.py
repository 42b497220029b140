# mypy: disable-error-code="untyped-decorator"
"""Grow: the crops most like a cluster, a page at a time; a few looks take in many."""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from app import ids
from app.crops.growing import Session, answer, line_of, take_back
from app.crops.selection import in_order, mask
from app.crops.verdicts import toast
from app.data import ClassRun, Explorer
from app.pages.queue import no_clusters
from app.parts import Query, empty_state, gallery, link, register_gallery, tool, view_switch
from classify.errors import UserError

_REFERENCES = 8  # crops of the cluster that are shown to compare with


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    run = explorer.class_run(query.get("run"))
    if run is None:
        return no_clusters(explorer)
    since = query.get("since") or str(explorer.labels.last_event_id())
    plain = {"run": run.name, "group": query.get("group", ""), "since": since,
             "answers": query.get("answers", "")}  # fmt: skip
    try:
        session = Session.of(plain)
        shown = _shown(explorer, run, session)
        heading = _heading(explorer, run, session)
    except (UserError, ValueError) as error:
        return empty_state("There is nothing to grow", str(error))
    return html.Div(
        [
            dcc.Store(id=ids.PLACE, data={"run": run.name}),
            dcc.Store(id=ids.GROW_STATE, data=session.plain()),
            dcc.Store(id=ids.GROW_ANSWER),
            dcc.Store(id=ids.address(ids.GROW_STATE)),
            html.Div(
                [
                    html.Div(
                        [
                            dcc.Link(
                                [html.Span("\u2039", **{"aria-hidden": "true"}),
                                 html.Span("Back to the cluster", className="unseen")],
                                href=link("/cluster", run=run.name, group=session.group),
                                className="round",
                                title="Back to the cluster",
                            ),
                            html.H1(["Grow cluster ", html.Em(session.group)]),
                            html.Div(className="spring"),
                            view_switch(ids.GROW, query.get("view")),
                        ],
                        className="bar",
                    ),
                    html.Div(heading, id=ids.GROW_HEADING, className="grow-heading"),
                ],
                className="sticky",
            ),
            html.Div(
                [
                    html.Aside(
                        [html.H2("The cluster"), _references(explorer, run, session)],
                        className="panel references",
                    ),
                    html.Div(gallery(ids.GROW, shown, least=150), className="growing-side"),
                ],
                className="grow-page",
            ),
        ],
        className="page",
    )  # fmt: skip


def register(app: Dash, explorer: Explorer) -> None:
    """Take in the answers."""
    register_gallery(app, ids.GROW)

    @app.callback(
        Output(ids.GROW_STATE, "data"),
        Output(ids.items(ids.GROW), "data"),
        Output(ids.GROW_HEADING, "children"),
        Output(ids.EVENT, "data", allow_duplicate=True),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Input(ids.GROW_ANSWER, "data"),
        State(ids.GROW_STATE, "data"),
        prevent_initial_call=True,
    )
    def take(said: dict[str, Any] | None, plain: dict[str, str]) -> tuple[object, ...]:
        if said is None:  # the page was just opened
            raise PreventUpdate
        run = explorer.class_run(plain["run"])
        assert run is not None  # the page was made for it
        session = Session.of(plain)
        try:
            session, message = _answered(explorer, run, session, said)
            shown = toast(message, False, said["at"])
        except UserError as error:
            shown = toast(str(error), True, said["at"])
        last = explorer.labels.last_event_id()
        listed = _shown(explorer, run, session)
        return session.plain(), listed, _heading(explorer, run, session), last, [shown]

    app.clientside_callback(
        ClientsideFunction("grow", "keep"),
        Output(ids.address(ids.GROW_STATE), "data"),
        Input(ids.GROW_STATE, "data"),
    )


def _answered(
    explorer: Explorer, run: ClassRun, session: Session, said: dict[str, Any]
) -> tuple[Session, str]:
    if said["answer"] == "back":
        return take_back(explorer, session), "The last answer is taken back"
    line = line_of(explorer, run, session)
    growth = session.growth(line)
    right: bool | list[int] = said["answer"] == "all"
    if growth.one_by_one and said["answer"] != "none":
        wrong = set(said["wrong"])
        right = [place for place in growth.shown if line[place] not in wrong]
    session, event = answer(explorer, run, session, right)
    if event is None:
        missed = right is False and not growth.one_by_one
        return session, "Closing in on where it ends" if missed else "None joined"
    return session, f"{event.crops:,} crops joined cluster {session.group}"


def _shown(explorer: Explorer, run: ClassRun, session: Session) -> dict[str, Any]:
    line = line_of(explorer, run, session)
    growth = session.growth(line)
    crops = [line[place] for place in growth.shown]
    return {
        "run": run.name,
        "crops_run": run.crops_run,
        "ids": " ".join(crops),
        "what": None,
        "count": 0,  # there is no verdict on all of them but an answer
        "title": "grow",
        "one_by_one": growth.one_by_one,
    }


def _heading(explorer: Explorer, run: ClassRun, session: Session) -> list[Component]:
    growth = session.growth(line_of(explorer, run, session))
    size = int(mask(explorer.crops(run), {"group": session.group}).sum())
    far = f"The cluster holds {size:,} crops; {growth.looks} looks so far. "
    if growth.done:
        words = "There is nothing left that is like it." if growth.total else "Nothing is left."
        done = [
            tool("Take back", "Ctrl Z", "undo"),
            dcc.Link("Open the cluster", className="tool primary",
                     href=link("/cluster", run=run.name, group=session.group)),
            dcc.Link("Back to the queue", className="tool", href=link("/queue", run=run.name)),
        ]  # fmt: skip
        return [html.P(far + words), html.Div(done, className="bar tools")]
    shown = growth.shown
    place = f"Crops {shown.start + 1:,} to {shown.stop:,} of {growth.total:,} by likeness. "
    if growth.one_by_one:
        ask = "Mark those that do not belong (Space or click), then take in the others."
        tools = [
            tool("Take in the others", "Enter", "open", primary=True),
            tool("None belongs", "X", "reject"),
        ]
    else:
        ask = "Do all of these belong to it?"
        if shown.start > growth.good * growth.page:
            ask += f" The {shown.start - growth.good * growth.page:,} before them join too, unseen."
        tools = [tool("All belong", "A", "approve", primary=True), tool("Not all", "X", "reject")]
    tools.append(tool("Take back", "Ctrl Z", "undo"))
    words = html.P([far, place, html.Strong(ask)])
    return [words, html.Div(tools, className="bar tools")]


def _references(explorer: Explorer, run: ClassRun, session: Session) -> Component:
    crops = explorer.crops(run)
    rows = mask(crops, {"group": session.group}).nonzero()[0]
    first = in_order(crops, rows, "typical", explorer.crop_table(run).typical)[:_REFERENCES]
    pictures = [
        html.Img(
            src=link(f"/image/{crop}", kind="crop", size=160, run=run.crops_run),
            alt="a typical crop of the cluster",
        )
        for crop in crops["crop_id"].to_numpy()[first]
    ]
    return html.Div(pictures, className="reference-grid")
