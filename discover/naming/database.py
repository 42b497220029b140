"""Where events are kept: an SQLite file or a PostgreSQL database, and the lock of its writers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from classify.errors import UserError
from discover.naming.drives import network_drive

T = TypeVar("T")
_PARAMETERS = 500  # SQLite allows a limited number in one statement
_LOCK = 727_681_123  # any number that no other use of the database's advisory locks has


class LabelError(UserError):
    """A label that cannot be written; the message says why."""


def engine_of(url: str) -> Engine:
    """Return the engine of an address.

    Raises:
        LabelError: the driver is missing, the address is no database, or SQLite's file is on a
            network drive.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        return _postgresql(address)
    if address.get_backend_name() != "sqlite":
        raise LabelError(
            f"labels url {address!r}: give sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        )
    if address.database and address.database != ":memory:":
        _refuse_network_drive(Path(address.database))
    engine = sa.create_engine(address, paramstyle="named")  # as PostgreSQL's, rows are mappings

    @sa.event.listens_for(engine, "connect")
    def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        connection.execute("PRAGMA busy_timeout=60000")  # first: the next line needs a lock
        connection.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait
        connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a crash
        connection.isolation_level = None  # the next listener begins transactions itself

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock first: reading the state and writing the event is one step.
        write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


@contextmanager
def write_lock(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other writer's overlaps."""
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the values in parts that fit into one statement."""
    for start in range(0, len(values), _PARAMETERS):
        yield values[start : start + _PARAMETERS]


def _postgresql(address: sa.URL) -> Engine:
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    try:
        engine = sa.create_engine(address, pool_pre_ping=True)
        engine.connect().close()
    except ModuleNotFoundError as error:
        raise LabelError(
            f"labels url {address!r} needs a driver: pip install 'rov-discover[postgresql]'"
        ) from error
    except sa.exc.OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1]
        raise LabelError(f"labels url {address!r} cannot be opened: {reason}") from error
    return engine


def _refuse_network_drive(file: Path) -> None:
    kind = network_drive(file)
    if kind is not None:
        raise LabelError(
            f"{file} is on a network drive ({kind}), where SQLite can lose labels: keep the survey "
            "on a local disk, or give a PostgreSQL address in DISCOVER_LABELS_URL"
        )
