"""The log of events: reading what stands, appending, undo and redo.

SQLite by default, PostgreSQL by its URL; see `discover.naming.events` for what an event is. Light:
SQLAlchemy only.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from discover.naming.database import LabelError, engine_of, in_parts, write_lock
from discover.naming.events import (
    CHANGES,
    EVENTS,
    INTERNED,
    METADATA,
    By,
    Change,
    Conflict,
    Event,
    Standing,
)
from discover.naming.standing import Reader

Place = tuple[str, str]  # field and key


class Writer(Reader):
    """Reads and appends under the one lock, so that what it read is still so when it writes."""

    def append(
        self, action: str, changes: Iterable[Change], by: By, *, detail: str | None = None
    ) -> Event | None:
        """Append an event of those changes that change something.

        A machine leaves alone what a person decided. The same value again is a change only where a
        person confirms what a machine said, or says directly what was taken over from elsewhere.
        What goes with a crop, such as a new subcategory, does not go alone.

        Returns:
            The event, or None when nothing would change.

        Raises:
            Conflict: somebody else changed one of the fields since `by.seen`.
        """
        given = {(c.field, c.key): c for c in changes}
        before = {
            (s.field, s.key): s
            for s in self.standing({f for f, _ in given}, {key for _, key in given})
        }
        kept = [c for at, c in given.items() if _changes(c, before.get(at), by.origin)]
        if not kept or (_of_crops(given.values()) and not _of_crops(kept)):
            return None
        _refuse_conflict([before.get((c.field, c.key)) for c in kept], by)
        done, _ = self._stacks(by.annotator, by.origin)
        event = self._insert(action, by, detail=detail, below=done)
        self._insert_changes(event, ((c, event) for c in kept))
        return self.event(event)

    def undoable(self, by: By) -> int | None:
        """Return the event that an undo by this annotator would take back; None if none is.

        A page that takes back one certain event asks first.
        """
        return self._stacks(by.annotator, by.origin)[0]

    def invert(self, action: str, by: By) -> Event | None:
        """Take back the annotator's last verdict ("undo"), or do again what was undone last.

        Returns:
            The event, which counts what it changed: what somebody else changed later stays. None
            when there is nothing to take back.
        """
        done, undone = self._stacks(by.annotator, by.origin)
        verdict = done if action == "undo" else undone
        if verdict is None:
            return None
        below = self._below(verdict, "undo" if action == "redo" else None)
        if action == "undo":
            event = self._insert(
                action, by, inverts=verdict, done=below, undone=verdict, below=undone
            )
        else:
            event = self._insert(action, by, inverts=verdict, done=verdict, undone=below)
        of_verdict = sa.select(CHANGES.c.field, CHANGES.c.key).where(CHANGES.c.event_id == verdict)
        changed = [(row.field, row.key) for row in self._connection.execute(of_verdict)]
        now, then = self._stand(changed)
        back = ((Change(*place, None), then.get(place)) for place in changed)
        self._insert_changes(
            event, ((c, stands) for c, stands in back if now[c.field, c.key] != stands)
        )
        return self.event(event)

    def _below(self, verdict: int, action: str | None) -> int | None:
        """Return what lies below a verdict on the stack that its last `action` put it on."""
        query = sa.select(EVENTS.c.below).order_by(EVENTS.c.event_id.desc()).limit(1)
        if action is None:
            return self._connection.execute(query.where(EVENTS.c.event_id == verdict)).scalar()
        query = query.where(EVENTS.c.inverts == verdict, EVENTS.c.action == action)
        return self._connection.execute(query).scalar()

    def _stand(self, changed: Sequence[Place]) -> tuple[dict[Place, int | None], dict[Place, int]]:
        """Return the event whose change stands by the last pointer, and the one that is to stand.

        To stand is the latest that is not undone; of an interned field at least the first.
        """
        now: dict[Place, int | None] = {}
        verdicts: dict[Place, list[int]] = {}
        fields = sorted({field for field, _ in changed})
        for part in in_parts(sorted({key for _, key in changed})):
            query = sa.select(CHANGES.c.field, CHANGES.c.key, CHANGES.c.event_id, CHANGES.c.stands)
            query = query.where(CHANGES.c.field.in_(fields), CHANGES.c.key.in_(part))
            for field, key, event, stands in self._connection.execute(
                query.order_by(CHANGES.c.event_id)
            ):
                now[field, key] = stands
                if stands == event:
                    verdicts.setdefault((field, key), []).append(event)
        undone = self._undone({event for events in verdicts.values() for event in events})
        then = {
            place: ([e for e in events if e not in undone] or events[:1])[-1]
            for place, events in verdicts.items()
            if place[0] in INTERNED or not undone.issuperset(events)
        }
        return now, then

    def _undone(self, verdicts: set[int]) -> set[int]:
        """Return those of the verdicts that are undone."""
        found: set[int] = set()
        for part in in_parts(sorted(verdicts)):
            last = (
                sa.select(sa.func.max(EVENTS.c.event_id))
                .where(EVENTS.c.inverts.in_(part))
                .group_by(EVENTS.c.inverts)
            )
            query = sa.select(EVENTS.c.inverts).where(
                EVENTS.c.event_id.in_(last), EVENTS.c.action == "undo"
            )
            found.update(self._connection.execute(query).scalars())
        return found

    def _stacks(self, annotator: str, origin: str) -> tuple[int | None, int | None]:
        query = sa.select(EVENTS.c.done, EVENTS.c.undone)
        query = query.where(EVENTS.c.annotator == annotator, EVENTS.c.origin == origin)
        last = self._connection.execute(query.order_by(EVENTS.c.event_id.desc()).limit(1)).first()
        return (last.done, last.undone) if last else (None, None)

    def _insert(self, action: str, by: By, **columns: str | int | None) -> int:
        """Insert an event, which is its own `done` where `columns` say nothing else."""
        event = self.last_event_id() + 1  # under the lock, so that ids have no gap
        time = (by.time or datetime.now(UTC)).astimezone(UTC)
        row: dict[str, Any] = {
            "event_id": event, "time_utc": time.isoformat(timespec="microseconds"),
            "annotator": by.annotator, "origin": by.origin, "action": action,
            "based_on": by.based_on, "done": event, **columns,
        }  # fmt: skip
        self._connection.execute(EVENTS.insert().values(row))
        return event

    def _insert_changes(self, event: int, changes: Iterable[tuple[Change, int | None]]) -> None:
        """Insert the changes of an event, each with the event that stands after it."""
        rows = [
            {
                "event_id": event, "field": c.field, "key": c.key, "stands": stands,
                "value": c.value, "based_on": c.based_on, "confidence": c.confidence,
            }
            for c, stands in changes
        ]  # fmt: skip
        # As text: SQLAlchemy's own way takes as long for the parameters as SQLite for the rows.
        statement = str(CHANGES.insert().compile(dialect=self._connection.dialect))
        if rows:
            self._connection.exec_driver_sql(statement, rows)


class EventLog:
    """The store of events, and its transactions.

    Args:
        url: SQLAlchemy's address: `sqlite:///PATH` or `postgresql://USER@HOST/DATABASE`.

    Raises:
        LabelError: the address cannot be opened, or is a file on a network drive.
    """

    def __init__(self, url: str) -> None:
        self._engine = engine_of(url)
        try:
            self._create_tables()
        except sa.exc.DBAPIError as error:
            raise LabelError(
                f"labels url {self._engine.url!r} cannot be opened ({error.orig}): is it whole, "
                "and may you write there?"
            ) from error

    def _create_tables(self) -> None:
        with write_lock(self._engine) as connection:  # two that open at once make one set
            tables = set(sa.inspect(connection).get_table_names())
            if "event_items" in tables:
                raise LabelError(
                    f"{self._engine.url!r} holds labels of a development version: move it away"
                )
            if not {"events", "changes"} <= tables:
                METADATA.create_all(connection)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Yield what reads a state that holds still."""
        with self._engine.begin() as connection:
            yield Reader(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Yield what reads and appends; all of it is kept, or, after an error, none."""
        with write_lock(self._engine) as connection:
            yield Writer(connection)

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()


def _changes(change: Change, before: Standing | None, origin: str) -> bool:
    if before is None or before.value is None:
        return change.value is not None
    if origin == "machine" and before.origin == "human":
        return False
    if change.value != before.value:
        return True
    confirms = origin == "human" and before.origin == "machine"
    return confirms or (before.based_on is not None and change.based_on is None)


def _of_crops(changes: Iterable[Change]) -> bool:
    return any(change.field.startswith("crop.") for change in changes)


def _refuse_conflict(before: Sequence[Standing | None], by: By) -> None:
    if by.seen is None:
        return
    clash = [s for s in before if s and s.changed > by.seen and s.annotator != by.annotator]
    if clash:
        who = ", ".join(sorted({s.annotator for s in clash}))
        raise Conflict(
            f"{who} changed {len(clash)} of these since you looked: look again, then decide", clash
        )
