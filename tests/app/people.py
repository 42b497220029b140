"""People who sign in, for tests."""

from functools import cache
from pathlib import Path

from flask.testing import FlaskClient

from discover.users import Account, hashed, write_users

PASSWORD = "seaweed & salt"


@cache
def _hash() -> str:
    return hashed(PASSWORD)  # made once: it takes long, on purpose


def users_file(folder: Path, **roles: str) -> Path:
    """Write a file of users, all of whom have the same password."""
    file = folder / "users.toml"
    write_users(file, {name: Account(role, _hash()) for name, role in roles.items()})
    return file


def sign_in(client: FlaskClient, name: str) -> FlaskClient:
    answer = client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303
    return client
