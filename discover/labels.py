"""Label events: who named which crops what, when, and what was undone.

Append-only: naming adds an event, undoing adds its inverse, and the names that hold now are derived
from the events. Light: SQLAlchemy only. SQLite by default, PostgreSQL by its URL.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from classify.errors import UserError

_METADATA = sa.MetaData()
EVENTS = sa.Table(
    "events",
    _METADATA,
    sa.Column("event_id", sa.Integer, primary_key=True),
    sa.Column("time_utc", sa.DateTime(timezone=True), nullable=False),
    sa.Column("annotator", sa.String, nullable=False),
    sa.Column("origin", sa.String, nullable=False),  # "human" or "machine"
    sa.Column("action", sa.String, nullable=False),  # "name", "undo" or "redo"
    sa.Column("based_on", sa.String),  # what was seen, such as "waste-1a2b3c4d/7"
    sa.Column("inverts", sa.Integer, sa.ForeignKey("events.event_id")),
)
ITEMS = sa.Table(
    "event_items",
    _METADATA,
    sa.Column("event_id", sa.Integer, sa.ForeignKey("events.event_id"), primary_key=True),
    sa.Column("crop_id", sa.String, primary_key=True, index=True),
    sa.Column("before", sa.String),  # null = no name
    sa.Column("after", sa.String),
)


class LabelError(UserError):
    """A label that cannot be written; the message says why."""


@dataclass(frozen=True)
class Event:
    """One event, as the history shows it."""

    event_id: int
    action: str
    annotator: str
    time_utc: datetime
    crops: int
    name: str | None


class Labels:
    """The label events of one survey."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with self._write() as connection:  # under the lock: two that open at once make one set
            _METADATA.create_all(connection)

    def name(
        self,
        crop_ids: Iterable[str],
        name: str | None,
        *,
        annotator: str,
        based_on: str | None = None,
        origin: str = "human",
    ) -> Event | None:
        """Give the crops a subcategory; None takes their name away.

        Args:
            crop_ids: the crops; those that have this name already are left out of the event.
            name: the subcategory; surrounding white space is dropped.
            annotator: who says so.
            based_on: what the verdict was based on, such as "<cluster run>/<cluster>".
            origin: "human" or "machine".

        Returns:
            The event, or None when nothing would change.

        Raises:
            LabelError: the name is empty or longer than 200 characters, or the origin is unknown.
        """
        name = _checked_name(name)
        if origin not in ("human", "machine"):
            raise LabelError(f"origin {origin!r} is neither 'human' nor 'machine'")
        ids = sorted(set(crop_ids))
        with self._write() as connection:
            before = _names_of(connection, ids)
            items = [
                {"crop_id": crop, "before": before.get(crop), "after": name}
                for crop in ids
                if before.get(crop) != name
            ]
            if not items:
                return None
            return _append(connection, "name", annotator, items, origin=origin, based_on=based_on)

    def undo(self, *, annotator: str) -> Event | None:
        """Take back the annotator's last event that stands; None when there is none left.

        Crops that somebody named otherwise since keep that name; the event counts those it changed.
        """
        return self._invert("undo", annotator)

    def redo(self, *, annotator: str) -> Event | None:
        """Do again what the annotator undid last; None when there is nothing, or it is stale."""
        return self._invert("redo", annotator)

    def names(self) -> pd.DataFrame:
        """Return the crops that have a name now: `crop_id`, `name`, `origin`, `event_id`."""
        last = (
            sa.select(ITEMS.c.crop_id, sa.func.max(ITEMS.c.event_id).label("event_id"))
            .group_by(ITEMS.c.crop_id)
            .subquery()
        )
        query = (
            sa.select(
                ITEMS.c.crop_id, ITEMS.c.after.label("name"), EVENTS.c.origin, ITEMS.c.event_id
            )
            .join(last, (last.c.crop_id == ITEMS.c.crop_id) & (last.c.event_id == ITEMS.c.event_id))
            .join(EVENTS, EVENTS.c.event_id == ITEMS.c.event_id)
            .where(ITEMS.c.after.is_not(None))
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return pd.DataFrame(rows, columns=["crop_id", "name", "origin", "event_id"])

    def history(self, limit: int = 50) -> list[Event]:
        """Return the last events, the latest first."""
        query = (
            sa.select(
                EVENTS.c.event_id,
                EVENTS.c.action,
                EVENTS.c.annotator,
                EVENTS.c.time_utc,
                sa.func.count(ITEMS.c.crop_id),
                sa.func.max(ITEMS.c.after),
            )
            .outerjoin(ITEMS, ITEMS.c.event_id == EVENTS.c.event_id)
            .group_by(EVENTS.c.event_id)
            .order_by(EVENTS.c.event_id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Event(*row) for row in connection.execute(query)]

    def last_event_id(self) -> int:
        """Return the id of the latest event, 0 before the first: cheap to poll for changes."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(EVENTS.c.event_id))).scalar() or 0

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def _write(self) -> AbstractContextManager[Connection]:
        return self._engine.execution_options(write=True).begin()

    def _invert(self, action: str, annotator: str) -> Event | None:
        with self._write() as connection:
            done, undone = _stacks(connection, annotator)
            stack = done if action == "undo" else undone
            if not stack:
                return None
            target = stack[-1]
            rows = connection.execute(
                sa.select(ITEMS.c.crop_id, ITEMS.c.before, ITEMS.c.after).where(
                    ITEMS.c.event_id == target
                )
            ).all()
            now = _names_of(connection, [r.crop_id for r in rows])
            # Crops that somebody named otherwise since are left as they are.
            items = [
                {"crop_id": r.crop_id, "before": r.after, "after": r.before}
                for r in rows
                if now.get(r.crop_id) == r.after
            ]
            return _append(connection, action, annotator, items, inverts=target)


def _stacks(connection: Connection, annotator: str) -> tuple[list[int], list[int]]:
    """Replay the annotator's events; return what an undo and a redo would invert, last on top.

    An undo goes on the redo stack, as what a redo inverts; a new name clears that stack.
    """
    query = (
        sa.select(EVENTS.c.event_id, EVENTS.c.action)
        .where(EVENTS.c.annotator == annotator, EVENTS.c.origin == "human")
        .order_by(EVENTS.c.event_id)
    )
    done: list[int] = []
    undone: list[int] = []
    for event_id, action in connection.execute(query):
        if action == "undo":
            done.pop()
            undone.append(event_id)
        else:
            if action == "redo":
                undone.pop()
            else:
                undone.clear()
            done.append(event_id)
    return done, undone


def _names_of(connection: Connection, crop_ids: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for start in range(0, len(crop_ids), 500):  # SQLite allows a limited number of parameters
        part = crop_ids[start : start + 500]
        query = (
            sa.select(ITEMS.c.crop_id, ITEMS.c.after)
            .where(ITEMS.c.crop_id.in_(part))
            .order_by(ITEMS.c.event_id)
        )
        found.update({crop: after for crop, after in connection.execute(query)})
    return found


def _append(
    connection: Connection,
    action: str,
    annotator: str,
    items: list[dict[str, str | None]],
    *,
    origin: str = "human",
    based_on: str | None = None,
    inverts: int | None = None,
) -> Event:
    now = datetime.now(UTC)
    inserted = connection.execute(
        EVENTS.insert().values(
            time_utc=now,
            annotator=annotator,
            origin=origin,
            action=action,
            based_on=based_on,
            inverts=inverts,
        )
    ).inserted_primary_key
    assert inserted is not None  # the table has one
    event_id = int(inserted[0])
    if items:
        connection.execute(ITEMS.insert(), [{"event_id": event_id, **item} for item in items])
    name = items[0]["after"] if items else None
    return Event(event_id, action, annotator, now, len(items), name)


def _checked_name(name: str | None) -> str | None:
    if name is None:
        return None
    name = name.strip()
    if not name:
        raise LabelError("name is empty: give a subcategory such as 'plastic bag'")
    if len(name) > 200:
        raise LabelError(f"name has {len(name)} characters: at most 200 are kept")
    return name


def _engine(url: str) -> Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            connection.execute("PRAGMA busy_timeout=30000")  # first: the next line needs a lock
            connection.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait
            connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a crash
            connection.isolation_level = None  # the next listener begins transactions itself

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A writer takes the lock first: reading the state and writing the event is one step.
            write = connection.get_execution_options().get("write")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
