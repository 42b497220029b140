# mypy: disable-error-code="untyped-decorator"
"""Verdicts: what a person decided, written as label events, and what the page says about it."""

from typing import Any

from dash import Dash, Input, Output, State, no_update

from app import ids
from app.auth import current_user
from app.crops.listing import selected
from app.crops.selection import suggested
from app.data import ClassRun, Explorer
from classify.errors import UserError
from discover.annotate import ACTIONS, Verdict
from discover.annotate import decide as decide_on
from discover.labels import By, Event, LabelError
from discover.naming.groups import Groups

TURNS = ("undo", "redo")
_SAID = {
    "validate": "Approved",
    "reject": "Rejected",
    "indeterminate": "Called indeterminate:",
    "clear": "Took the label from",
    "move": "Moved",
    "merge": "Merged",
    "split": "Split off",
    "flag": "Flagged",
    "unflag": "Took the flag from",
    "grow": "Grew by",
}


def register(app: Dash, explorer: Explorer) -> None:
    """Write each verdict as it comes, and look for those of others."""

    @app.callback(
        Output(ids.EVENT, "data"),
        Output(ids.TOASTS, "sendNotifications"),
        Output(ids.TOASTS, "hideNotifications"),
        Output(ids.VERDICT_DONE, "data"),
        Input(ids.VERDICT, "data"),
        State(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    def write(verdict: dict[str, Any], seen: int) -> tuple[object, ...]:
        message, failed = decide(explorer, {"seen": seen, **verdict})
        shown = toast(message, failed, verdict["at"])
        gone = [f"toast-{verdict['before']}"]
        return explorer.labels.last_event_id(), [shown], gone, verdict["at"]

    @app.callback(
        Output(ids.EVENT, "data", allow_duplicate=True),
        Input(ids.POLL, "n_intervals"),
        State(ids.EVENT, "data"),
        prevent_initial_call=True,
    )
    def look(_n: int, seen: int) -> object:
        last = explorer.labels.last_event_id()
        return no_update if last == seen else last


def decide(explorer: Explorer, verdict: dict[str, Any]) -> tuple[str, bool]:
    """Carry out a verdict.

    Args:
        explorer: the survey.
        verdict: `action` is one of `discover.annotate.ACTIONS`, "undo" or "redo"; `target` is a
            selection (`app.crops.selection`) with its `run`; `count` is how many crops the page
            showed it to hold; `name`, `to` and `note` as the action needs; "name" without a `name`
            takes each crop's suggestion. `seen` is the latest event that the page shows: what
            somebody else changed since is a conflict, and is not overwritten.

    Returns:
        What happened, and whether it failed.
    """
    action, user = str(verdict.get("action")), current_user(explorer)
    if not user.may_label:
        return f"{user.name} may look, not decide: ask an admin for the role annotator", True
    if action in TURNS:
        return _turn(explorer, action, user.name), False
    target = verdict.get("target") or {}
    run = explorer.class_run(target.get("run"))
    if action not in ACTIONS or run is None or run.name != target.get("run"):
        return "Nothing to decide on here: open a cluster or select crops first", True
    try:
        crops = crops_of(explorer, run, target, verdict.get("count"))
        by = By(user.name, based_on=_grounds(run, target), seen=verdict.get("seen"))
        events = _write(explorer, run, action, crops, verdict, by)
    except (UserError, ValueError) as error:
        return str(error), True
    return _said(events, action), False


def crops_of(
    explorer: Explorer, run: ClassRun, target: dict[str, Any], count: int | None = None
) -> list[str]:
    """Return the ids of the crops that a target holds.

    Raises:
        LabelError: there are none, or others than the page showed.
    """
    crops, rows = selected(explorer, run, target)
    found = crops["crop_id"].to_numpy()[rows].tolist()
    if not found:
        raise LabelError("Nothing to decide on here: open a cluster or select crops first")
    if count is not None and count != len(found):
        raise LabelError(
            f"There are {len(found):,} crops now and were {count:,} when you looked: somebody "
            "moved some; look again, then decide"
        )
    return found


def describe(event: Event) -> str:
    """Say in a few words what an event did."""
    what = f"{event.crops:,} crop{'' if event.crops == 1 else 's'}"
    if event.action == "name":
        return f"named {what} “{event.name}”"
    if event.action == "split" and event.value:
        return f"split {what} off as cluster {event.value.rpartition('/')[2]}"
    if event.action in _SAID and event.crops:
        note = f": “{event.detail}”" if event.action == "flag" and event.detail else ""
        return f"{_SAID[event.action].lower()} {what}{note}"
    if event.action not in TURNS:
        words = [event.action, event.detail and f"“{event.detail}”", event.crops and what]
        return " ".join(str(word) for word in words if word)
    verb = {"undo": "undid", "redo": "did again"}[event.action]
    if not event.crops:
        return f"{verb} event {event.inverts}"
    state = f"now “{event.name}”" if event.name else "as before"
    return f"{verb}: {what} {state}"


def toast(message: str, failed: bool, at: int) -> dict[str, object]:
    """Return a message that passes; what failed stays until it is read."""
    return {
        "id": f"toast-{at}",
        "action": "show",
        "message": message,
        "color": "red" if failed else "ocean",
        "autoClose": 12000 if failed else 5000,
    }


def _write(
    explorer: Explorer,
    run: ClassRun,
    action: str,
    crops: list[str],
    verdict: dict[str, Any],
    by: By,
) -> list[Event]:
    each_seen = bool((verdict.get("target") or {}).get("crops"))
    found = explorer.found(run)
    with explorer.labels.write() as writer:
        groups = Groups.on(found, writer)
        made = [
            decide_on(
                writer,
                Verdict(
                    action,
                    tuple(some),
                    name=name,
                    to=verdict.get("to") or None,
                    note=verdict.get("note") or None,
                    each_seen=each_seen,
                ),
                by,
                groups=groups,
            )
            for name, some in _by_name(explorer, run, action, crops, verdict.get("name"))
        ]
    return [event for event in made if event]


def _by_name(
    explorer: Explorer, run: ClassRun, action: str, crops: list[str], name: str | None
) -> list[tuple[str | None, list[str]]]:
    """Return the crops with the name that each gets: the one that was typed, else its suggestion.

    Raises:
        LabelError: there is neither.
    """
    if action != "name" or name:
        return [(name, crops)]
    some = explorer.crops(run).iloc[explorer.crop_table(run).places(crops)]
    some = some[suggested(some)]
    if some.empty:
        raise LabelError("None of these has a suggestion: type a name (N)")
    grouped = some.groupby("suggested", observed=True)["crop_id"]
    return [(str(text), ids_.tolist()) for text, ids_ in grouped]


def _grounds(run: ClassRun, target: dict[str, Any]) -> str:
    group = target.get("group")
    return f"{run.name}/{group}" if group is not None else run.name


def _turn(explorer: Explorer, action: str, annotator: str) -> str:
    turn = explorer.labels.undo if action == "undo" else explorer.labels.redo
    event = turn(annotator=annotator)
    if event is None:
        return f"Nothing to {action}"
    back = "Ctrl-Y does it again" if action == "undo" else "Ctrl-Z undoes it"
    return f"{_capital(describe(event))} — {back}"


def _said(events: list[Event], action: str) -> str:
    if not events:
        return f"They are so already: nothing to {action}"
    said = _capital("; ".join(describe(event) for event in events[:3]))
    more = f" and {len(events) - 3} more kinds" if len(events) > 3 else ""
    turns = "it" if len(events) == 1 else "them one by one"
    return f"{said}{more} — Ctrl-Z undoes {turns}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
