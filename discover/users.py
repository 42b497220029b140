"""The people who may open a shared page: a file of names, roles and hashed passwords. Light."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

from classify.errors import UserError

ROLES = {
    "viewer": "looks",
    "annotator": "looks and decides",
    "admin": "looks, decides and starts jobs",
}
SHORTEST = 8  # characters of a password
_LONGEST = 1024  # hashing a longer one takes time and adds nothing
_NAME = 80
_HASH = re.compile(r"scrypt:\d+:\d+:\d+\$[^$]+\$[0-9a-f]+")
_HEADER = (
    "# Who may open the page, made by `discover users`; the passwords are hashed (scrypt).\n"
    f"# Roles: {'; '.join(f'{role} {what}' for role, what in ROLES.items())}.\n"
)


class UsersError(UserError):
    """The users cannot be kept as asked; the message says what to change."""


@dataclass(frozen=True)
class Account:
    """One user.

    Attributes:
        role: one of `ROLES`.
        password: its hash, as `werkzeug.security` writes it.
    """

    role: str
    password: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UsersError(f"role {self.role!r} is none of {', '.join(ROLES)}")
        if not _HASH.fullmatch(self.password):
            raise UsersError("the password is no scrypt hash: make it by `discover users add`")


def checked_user_name(name: str) -> str:
    """Return a user's name without spaces around it.

    Raises:
        UsersError: it is empty, too long, or holds what cannot be printed.
    """
    name = name.strip()
    if not name or len(name) > _NAME or not name.isprintable():
        raise UsersError(f"name {name[:_NAME]!r} must be 1 to {_NAME} printable characters")
    return name


def hashed(password: str) -> str:
    """Return the hash of a password (scrypt, with a salt of its own).

    Raises:
        UsersError: the password is too short or too long.
    """
    if not SHORTEST <= len(password) <= _LONGEST:
        raise UsersError(
            f"a password of {len(password)} characters: choose {SHORTEST} to {_LONGEST}"
        )
    return generate_password_hash(password, method="scrypt")


def password_fits(account: Account | None, password: str) -> bool:
    """Return whether a password is the account's.

    It takes as long where there is no such account, so that time does not tell who exists.
    """
    against = account.password if account else _nobody()
    return check_password_hash(against, password[:_LONGEST]) and account is not None


def read_users(file: Path) -> dict[str, Account]:
    """Return the accounts of a file by name.

    Raises:
        UsersError: there is no such file, or it holds something else.
    """
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsersError(f"--users {file}: no such file; `discover users add` makes it") from error
    except (OSError, ValueError) as error:
        raise UsersError(f"--users {file} cannot be read: {error}") from error
    users = {}
    for name, fields in held.items():
        if not isinstance(fields, dict) or set(fields) != {"role", "password"}:
            raise UsersError(f"--users {file}: user {name!r} needs a role and a password, no more")
        try:
            name = checked_user_name(name)
            users[name] = Account(**{key: str(value) for key, value in fields.items()})
        except UsersError as error:
            raise UsersError(f"--users {file}: user {name!r}: {error}") from error
    return users


def write_users(file: Path, users: Mapping[str, Account]) -> None:
    """Write the accounts, whole or not at all, so that only their owner can read the file.

    Raises:
        UsersError: the file cannot be written.
    """
    parts = [
        f"\n[{_quoted(name)}]\nrole = {_quoted(user.role)}\npassword = {_quoted(user.password)}\n"
        for name, user in sorted(users.items())
    ]
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write((_HEADER + "".join(parts)).encode())
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsersError(f"--users {file} cannot be written: {error.strerror}") from error


def _quoted(text: str) -> str:
    # What can be printed is written alike in JSON and in TOML.
    return json.dumps(text, ensure_ascii=False)


@cache
def _nobody() -> str:
    return hashed(os.urandom(16).hex())
