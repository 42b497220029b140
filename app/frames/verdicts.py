"""What a person decides about bursts on the page, written as events, and what the page says."""

from dataclasses import dataclass
from typing import Any

from app.auth import current_user
from app.data import Explorer
from app.frames.data import frames_data
from app.frames.stacks import beside, dive_frames, stacks_of
from discover.labels import By, LabelError
from discover.naming import burst_verdicts
from discover.naming.burst_verdicts import Bursts
from discover.naming.eventlog import Writer
from discover.naming.events import Event

ACTIONS = ("accept", "split", "merge")
_BEFORE_AFTER = {"before": -1, "after": 1}


@dataclass(frozen=True)
class Decided:
    """What became of a verdict.

    Attributes:
        message: in words.
        failed: whether nothing was written because something was wrong.
        opened: the burst to show open now; None leaves it.
    """

    message: str
    failed: bool = False
    opened: str | None = None


def decide(explorer: Explorer, verdict: dict[str, Any]) -> Decided:
    """Carry out a verdict on a burst.

    Args:
        explorer: the survey.
        verdict: `action`, one of `ACTIONS`; `burst`; `run` and `dive` that the page shows; `frames`
            for "split"; `into` for "merge": a burst, "before" or "after"; `seen`, the latest event
            that the page shows: what somebody else changed since is a conflict.
    """
    user = current_user(explorer)
    action, burst = verdict.get("action"), verdict.get("burst")
    if not user.may_label:
        return Decided(f"{user.name} may look, not decide: ask an admin for the role", True)
    if action not in ACTIONS:
        return Decided(f"{action!r} is none of {', '.join(ACTIONS)}", True)
    if not burst:
        return Decided("No burst is open: open a stack first", True)
    try:
        into = _into(explorer, verdict) if action == "merge" else None
        found = frames_data(explorer).found(str(verdict["run"]))
        by = By(user.name, seen=verdict.get("seen"))
        with explorer.labels.write() as writer:
            bursts = Bursts.on(found, writer)
            event = _write(writer, bursts, {**verdict, "into": into}, by)
    except LabelError as error:
        return Decided(str(error), True)
    if event is None:
        return Decided("Accepted already: nothing changed", opened=_next(explorer, verdict))
    after = into if action == "merge" else None
    after = _next(explorer, verdict) if action == "accept" else after
    return Decided(f"{_said(event)} \u2014 Ctrl-Z undoes it", opened=after)


def _write(writer: Writer, bursts: Bursts, verdict: dict[str, Any], by: By) -> Event | None:
    burst = str(verdict["burst"])
    if verdict["action"] == "accept":
        return burst_verdicts.accept(writer, bursts, burst, by)
    if verdict["action"] == "split":
        frames = [str(frame) for frame in verdict.get("frames") or []]
        return burst_verdicts.split(writer, bursts, burst, frames, by)
    return burst_verdicts.merge(writer, bursts, burst, str(verdict["into"]), by)


def _into(explorer: Explorer, verdict: dict[str, Any]) -> str:
    """Return the burst that another is merged into.

    Raises:
        LabelError: there is none before or after it.
    """
    into = str(verdict.get("into"))
    if into not in _BEFORE_AFTER:
        return into
    data = frames_data(explorer)
    bursts = data.bursts()
    found = None
    if bursts is not None:
        stacks = stacks_of(dive_frames(data, bursts, str(verdict["dive"])), bursts)
        found = beside(stacks, str(verdict["burst"]), _BEFORE_AFTER[into])
    if found is None:
        raise LabelError(f"There is no burst {into} this one in its dive: choose another")
    return found


def _next(explorer: Explorer, verdict: dict[str, Any]) -> str | None:
    """Return the next burst of the dive that is to be checked, after the one that was."""
    data = frames_data(explorer)
    bursts = data.bursts()
    if bursts is None:
        return None
    stacks = stacks_of(dive_frames(data, bursts, str(verdict["dive"])), bursts)
    if verdict["burst"] not in stacks.index:
        return None
    after = stacks.iloc[stacks.index.tolist().index(verdict["burst"]) + 1 :]
    left = after[(after["frames"] > 1) & ~after["accepted"]]
    return str(left.index[0]) if len(left) else None


def _said(event: Event) -> str:
    words = {
        "accept burst": f"Accepted the burst of {event.detail}",
        "split burst": f"Split off {event.detail}",
        "merge bursts": f"Merged {event.detail}",
    }
    return words[event.action]
