"""What the events say now: the values that stand, and the history. Light: SQLAlchemy only."""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from discover.naming.database import in_parts
from discover.naming.events import CHANGES, EVENTS, Event, Standing

_TOP, _STANDS = CHANGES.alias("top"), CHANGES.alias("stands")


class Reader:
    """What the events say, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def standing(
        self,
        fields: Iterable[str],
        keys: Iterable[str] | None = None,
        *,
        since: int = 0,
        until: int | None = None,
    ) -> list[Standing]:
        """Return what stands, values that were taken away included.

        Args:
            fields: the fields.
            keys: the things; None = all.
            since: leave out what was last changed by this event or before.
            until: what stood after this event; None = now.
        """
        columns = [column.name for column in dataclasses.fields(Standing)]
        rows = self.rows(columns, fields, keys, since=since, until=until)
        return [Standing(*tuple(row)) for row in rows]

    def rows(
        self,
        columns: Sequence[str],
        fields: Iterable[str],
        keys: Iterable[str] | None = None,
        *,
        since: int = 0,
        until: int | None = None,
        distinct: bool = False,
    ) -> list[Row[Any]]:
        """Return what `standing` returns as rows of these columns of `Standing`, which is faster.

        `distinct` leaves out repeated rows.
        """
        wanted: sa.ColumnElement[bool] = CHANGES.c.field.in_(sorted(fields))
        if until is not None:
            wanted &= CHANGES.c.event_id <= until
        if keys is None:
            return self._rows(columns, wanted, since, distinct)
        parts = in_parts(sorted(set(keys)))
        found = (self._rows(columns, wanted & CHANGES.c.key.in_(p), since, distinct) for p in parts)
        return [row for rows in found for row in rows]

    def _rows(
        self, columns: Sequence[str], wanted: sa.ColumnElement[bool], since: int, distinct: bool
    ) -> list[Row[Any]]:
        last = (
            sa.select(CHANGES.c.field, CHANGES.c.key, sa.func.max(CHANGES.c.event_id).label("last"))
            .where(wanted)
            .group_by(CHANGES.c.field, CHANGES.c.key)
            .having(sa.func.max(CHANGES.c.event_id) > since)
            .subquery()
        )
        source = (
            last.join(_TOP, _same(_TOP, last) & (_TOP.c.event_id == last.c.last))
            .join(_STANDS, _same(_STANDS, last) & (_STANDS.c.event_id == _TOP.c.stands))
        )  # fmt: skip
        known = {**{c.name: c for c in _STANDS.c}, "changed": last.c.last}
        if not set(columns) <= set(known):
            source = source.join(EVENTS, EVENTS.c.event_id == _STANDS.c.event_id)
            known |= {n: EVENTS.c[n] for n in ("annotator", "origin", "time_utc")}
            known |= {"grounds": EVENTS.c.based_on}
        query = sa.select(*(known[c].label(c) for c in columns)).select_from(source)
        return list(self._connection.execute(query.distinct() if distinct else query))

    def changed_keys(self, *, since: int) -> list[str]:
        """Return the things that were changed after the event `since`."""
        query = sa.select(CHANGES.c.key).where(CHANGES.c.event_id > since).distinct()
        return list(self._connection.execute(query).scalars())

    def events(self, event_ids: Iterable[int]) -> dict[int, Row[Any]]:
        """Return the rows of these events, by id."""
        parts = in_parts(sorted(set(event_ids)))
        found = (
            self._connection.execute(sa.select(EVENTS).where(EVENTS.c.event_id.in_(part)))
            for part in parts
        )
        return {row.event_id: row for rows in found for row in rows}

    def history(self, limit: int | None = None, *, key: str | None = None) -> list[Event]:
        """Return the last events (that changed the thing `key`), the latest first.

        The value of an event is one of those that it left, or that of `key`.
        """
        query = sa.select(EVENTS).order_by(EVENTS.c.event_id.desc()).limit(limit)
        if key is not None:
            changing = sa.select(CHANGES.c.event_id).where(CHANGES.c.key == key)
            query = query.where(EVENTS.c.event_id.in_(changing))
        rows = self._connection.execute(query).all()
        ids = [row.event_id for row in rows]
        changed = self._changed(ids, None)
        of_key = changed if key is None else self._changed(ids, key)
        return [
            _event(row, changed.get(row.event_id, []), of_key.get(row.event_id, [])) for row in rows
        ]

    def _changed(self, event_ids: Sequence[int], key: str | None) -> dict[int, list[Any]]:
        """Return for each event and field how many things it changed, and one value after it."""
        found: dict[int, list[Any]] = {}
        same = _same(_STANDS, CHANGES) & (_STANDS.c.event_id == CHANGES.c.stands)
        for part in in_parts(event_ids):
            query = (
                sa.select(
                    CHANGES.c.event_id,
                    CHANGES.c.field,
                    sa.func.count().label("things"),
                    sa.func.max(_STANDS.c.value).label("value"),
                )
                .outerjoin(_STANDS, same)
                .where(CHANGES.c.event_id.in_(part))
                .group_by(CHANGES.c.event_id, CHANGES.c.field)
                .order_by(CHANGES.c.event_id, CHANGES.c.field)
            )
            if key is not None:
                query = query.where(CHANGES.c.key == key)
            for row in self._connection.execute(query):
                found.setdefault(row.event_id, []).append(row)
        return found

    def last_event_id(self) -> int:
        """Return the id of the latest event, 0 before the first."""
        return self._connection.execute(sa.select(sa.func.max(EVENTS.c.event_id))).scalar() or 0

    def event(self, event_id: int) -> Event:
        """Return one event."""
        row = self.events([event_id])[event_id]
        changed = self._changed([event_id], None).get(event_id, [])
        return _event(row, changed, changed)


def _event(row: Row[Any], changed: Sequence[Any], shown: Sequence[Any]) -> Event:
    """Make an event of its row, of what it changed, and of the changes whose value is shown."""
    first, value = _of_crops(changed), _of_crops(shown)
    return Event(
        row.event_id,
        row.action,
        row.annotator,
        row.origin,
        datetime.fromisoformat(row.time_utc),
        row.based_on,
        row.detail,
        row.inverts,
        crops=first.things if first else 0,
        value=value.value if value else None,
        fields=tuple(c.field for c in changed),
    )


def _of_crops(changed: Sequence[Any]) -> Any:  # noqa: ANN401 - a row, or None
    """Return the change of crops that an event is told by: of labels, else of the most crops."""
    of_crops = [c for c in changed if c.field.startswith("crop.")]
    return max(of_crops, key=lambda c: (c.field == "crop.label", c.things), default=None)


def _same(a: sa.FromClause, b: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(a.c.field == b.c.field, a.c.key == b.c.key)
