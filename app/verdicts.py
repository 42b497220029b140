# mypy: disable-error-code="untyped-decorator"
"""Verdicts: what a person decided, written as label events, and what the page says about it."""

from typing import Any

from dash import Dash, Input, Output, State, no_update

from app import ids
from app.data import Explorer
from app.queries import by_flag, within
from discover.annotate import Verdict
from discover.annotate import decide as decide_on
from discover.labels import By, Event, LabelError
from discover.naming.groups import Groups


def register(app: Dash, explorer: Explorer) -> None:
    """Write each verdict as it comes, and look for those of others."""

    @app.callback(
        Output(ids.EVENT, "data"),
        Output(ids.TOASTS, "sendNotifications"),
        Output(ids.TOASTS, "hideNotifications"),
        Input(ids.VERDICT, "data"),
        State(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    def write(verdict: dict[str, Any], seen: int) -> tuple[object, ...]:
        message, failed = decide(explorer, {**verdict, "seen": seen})
        toast = _toast(message, failed, verdict["at"])
        return explorer.labels.last_event_id(), [toast], [f"toast-{verdict['before']}"]

    @app.callback(
        Output(ids.EVENT, "data", allow_duplicate=True),
        Input(ids.POLL, "n_intervals"),
        State(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    def look(_n: int, seen: int) -> object:
        last = explorer.labels.last_event_id()
        return no_update if last == seen else last

    @app.callback(Output(ids.NAME_LIST, "data"), Input(ids.EVENT, "data"))
    def list_names(_event: int) -> list[list[object]]:
        counts = explorer.names()["name"].value_counts()
        return [[name, int(n)] for name, n in counts.items()]


def decide(explorer: Explorer, verdict: dict[str, Any]) -> tuple[str, bool]:
    """Carry out a verdict.

    Args:
        explorer: the survey.
        verdict: `action` is "name" (with `name` and `target`), "unname" (with `target`), "undo" or
            "redo". See `crops_of` for the target. `seen` is the latest event that the page shows:
            what somebody else changed since is a conflict, and is not overwritten.

    Returns:
        What happened, and whether it failed.
    """
    action = verdict.get("action")
    if action in ("undo", "redo"):
        return _turn(explorer, action), False
    crops, based_on = crops_of(explorer, verdict.get("target") or {})
    if not crops:
        return "Nothing to name here: open a cluster or select crops first", True
    target, name = verdict["target"], verdict.get("name") if action == "name" else None
    by = By(explorer.annotator, based_on=based_on, seen=verdict.get("seen"))
    try:
        decided = Verdict(
            "clear" if action == "unname" else "name",
            tuple(crops),
            name=name,
            each_seen=bool(target.get("crops")),
        )
        with explorer.labels.write() as writer:
            groups = Groups.read(explorer.survey, target["run"], writer)
            event = decide_on(writer, decided, by, groups=groups)
    except LabelError as error:
        return str(error), True
    return _said(event, name), False


def crops_of(explorer: Explorer, target: dict[str, Any]) -> tuple[list[str], str | None]:
    """Return the ids of the crops that a target means, and what the verdict is based on.

    Args:
        explorer: the survey.
        target: `run` and one of `crops` (ids), `cluster` or `shape` (see `queries.within`). Ids
            that are not in the run are left out. `flags`, with `cluster`, is the filter by flags of
            frames that is set.
    """
    run = explorer.class_run(target.get("run"))
    if run is None or run.name != target.get("run"):
        return [], None
    crops = explorer.crops(run)
    if target.get("crops"):
        crops = crops[crops["crop_id"].isin(target["crops"])]
    elif target.get("shape"):
        crops = within(crops, target["shape"])
    elif target.get("cluster") is not None:
        crops = by_flag(crops[crops["cluster"] == int(target["cluster"])], target.get("flags"))
    else:
        return [], None
    clusters = crops["cluster"].unique()
    part = f"/{clusters[0]}" if len(clusters) == 1 else ""
    return crops["crop_id"].tolist(), run.name + part


def describe(event: Event) -> str:
    """Say in a few words what an event did."""
    what = f"{event.crops:,} crop{'' if event.crops == 1 else 's'}"
    if event.action in ("name", "clear"):
        return f"named {what} “{event.name}”" if event.name else f"took the name from {what}"
    if event.action not in ("undo", "redo"):
        words = [event.action, event.detail and f"“{event.detail}”", event.crops and what]
        return " ".join(str(word) for word in words if word)
    verb = {"undo": "undid", "redo": "did again"}[event.action]
    state = f"now “{event.name}”" if event.name else "now unnamed"
    return f"{verb}: {what} {state}"


def _turn(explorer: Explorer, action: str) -> str:
    turn = explorer.labels.undo if action == "undo" else explorer.labels.redo
    event = turn(annotator=explorer.annotator)
    if event is None:
        return f"Nothing to {action}"
    back = "Ctrl-Y does it again" if action == "undo" else "Ctrl-Z undoes it"
    return f"{_capital(describe(event))} — {back}"


def _said(event: Event | None, name: str | None) -> str:
    if event is None:
        return (
            f"Already “{name}”: nothing changed" if name else "They have no name: nothing changed"
        )
    return f"{_capital(describe(event))} — Ctrl-Z undoes it"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _toast(message: str, failed: bool, at: int) -> dict[str, object]:
    return {
        "id": f"toast-{at}",
        "action": "show",
        "message": message,
        "color": "red" if failed else "ocean",
        "autoClose": 8000 if failed else 5000,
    }
