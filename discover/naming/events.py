"""Events: who decided what, when, and what was undone. Append-only; the state is derived.

An event changes fields of things: the label of a crop, the name of a subcategory. What stands is
the latest change whose event is not undone: an undone event is as though it had never been, and
what others changed later stands. So that this is one look-up, each change points at the one that
stands after it: at itself, or, where an undo or a redo wrote it, at an earlier one, whose value,
annotator and time hold again. Nothing is ever updated or deleted. This module has the words and the
tables; `discover.naming.eventlog` reads and appends. Light.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from discover.naming.database import LabelError

METADATA = sa.MetaData()
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("event_id", sa.Integer, primary_key=True),
    sa.Column("time_utc", sa.String, nullable=False),  # ISO 8601 with microseconds
    sa.Column("annotator", sa.String, nullable=False),
    sa.Column("origin", sa.String, nullable=False),  # "human" or "machine"
    sa.Column("action", sa.String, nullable=False),  # the verdict, "undo" or "redo"
    sa.Column("based_on", sa.String),  # what was looked at, such as "waste-1a2b3c4d/7"
    sa.Column("detail", sa.String),  # in words, for the history
    sa.Column("inverts", sa.Integer, index=True),  # the verdict that is undone or done again
    # Two stacks of the annotator's verdicts as linked lists: an undo reads a few rows, not all.
    sa.Column("done", sa.Integer),  # the verdict that an undo takes back after this event
    sa.Column("undone", sa.Integer),  # the verdict that a redo does again after this event
    sa.Column("below", sa.Integer),  # the next on the stack that this event put its verdict on
    sa.Index("events_of_annotator", "annotator", "origin", "event_id"),
)
CHANGES = sa.Table(  # ordered by thing, so that what stands is found in one pass
    "changes",
    METADATA,
    sa.Column("field", sa.String, primary_key=True),  # such as "crop.label"
    sa.Column("key", sa.String, primary_key=True),  # the crop's or the subcategory's id
    sa.Column("event_id", sa.Integer, primary_key=True),
    sa.Column("stands", sa.Integer),  # the event whose change stands after; null = none
    sa.Column("value", sa.String),  # of a change that stands itself; null = taken away
    sa.Column("based_on", sa.String),  # where not seen itself: "burst/<crop>", "grow"
    sa.Column("confidence", sa.Float),  # 0..1; null = not given
    sa.ForeignKeyConstraint(["event_id"], ["events.event_id"]),
    sa.Index("changes_of_event", "event_id"),
    sqlite_with_rowid=False,
)
ORIGINS = ("human", "machine")
# What an id first meant outlives the undo of the event that gave it: others may use it by then.
INTERNED = ("subcategory.name", "subcategory.parent")


class Conflict(LabelError):
    """Somebody else decided otherwise since; `standing` holds what they decided."""

    def __init__(self, message: str, standing: "Sequence[Standing]") -> None:
        super().__init__(message)
        self.standing = tuple(standing)


@dataclass(frozen=True)
class Change:
    """A value for a field of one thing; None takes it away."""

    field: str
    key: str
    value: str | None
    based_on: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Standing:
    """The value that a field has now, and where it is from.

    Attributes:
        based_on: what the value was taken over from, where the thing itself was not seen.
        event_id: the event that gave the value; an undo that restored it is not that event.
        grounds: what was looked at in that event.
        changed: the event that changed the field last.
    """

    field: str
    key: str
    value: str | None
    based_on: str | None
    confidence: float | None
    event_id: int
    annotator: str
    origin: str
    time_utc: str
    grounds: str | None
    changed: int

    @property
    def is_direct(self) -> bool:
        """Whether a person said so, having seen this very thing."""
        return self.origin == "human" and self.based_on is None and self.value is not None


@dataclass(frozen=True)
class By:
    """Who decides, and on what grounds.

    Attributes:
        annotator: a name.
        origin: "human" or "machine".
        based_on: what was looked at, such as "<cluster run>/<cluster>".
        seen: the latest event that the annotator had seen: what others changed since is a
            conflict; None overwrites.
        time: when it was decided; None = now. For labels that are brought in.
    """

    annotator: str
    origin: str = "human"
    based_on: str | None = None
    seen: int | None = None
    time: datetime | None = None

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise LabelError(f"origin {self.origin!r} is neither 'human' nor 'machine'")
        if not self.annotator.strip():
            raise LabelError("annotator is empty: say who decides")


@dataclass(frozen=True)
class Event:
    """One event, as the history shows it.

    Attributes:
        crops: how many crops it changed.
        value: the value of one of them after it.
        fields: the fields that it changed.
        name: `value` in words, where it is a label.
    """

    event_id: int
    action: str
    annotator: str
    origin: str
    time_utc: datetime
    based_on: str | None
    detail: str | None
    inverts: int | None
    crops: int
    value: str | None
    fields: tuple[str, ...] = ()
    name: str | None = None
