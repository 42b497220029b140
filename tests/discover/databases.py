"""The databases that label events can be in: an SQLite file, and PostgreSQL where it is installed.

`DISCOVER_TEST_POSTGRESQL` may name a server; else a private one is started, which needs the
programs of PostgreSQL and, as root, a user `postgres`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the address of a PostgreSQL server."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if given := os.environ.get("DISCOVER_TEST_POSTGRESQL"):
        yield given
        return
    initdb, control = _program("initdb"), _program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("PostgreSQL is not installed, and DISCOVER_TEST_POSTGRESQL names no server")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 bytes
    as_user = {}
    if os.geteuid() == 0:
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        as_user = {"user": "postgres", "cwd": "/"}
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    data = str(folder / "data")
    subprocess.run(
        [initdb, "-D", data, "-U", "me", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, **as_user,
    )  # fmt: skip
    start = [control, "-D", data, "-o", options, "-w", "-l", str(folder / "log"), "start"]
    subprocess.run(start, check=True, capture_output=False, stdout=subprocess.DEVNULL, **as_user)
    yield f"postgresql://me@/postgres?host={folder}"
    stop = [control, "-D", data, "-m", "immediate", "stop"]
    subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, **as_user)
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.sqlite'}"
    address: str = request.getfixturevalue("postgresql")
    engine = sa.create_engine(sa.make_url(address).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("drop table if exists changes, events"))
    engine.dispose()
    return address
