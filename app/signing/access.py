"""How people sign in: as users with a password, or by one token that a team shares. Light."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path

from classify.errors import UserError
from discover.users import (
    ROLES,
    Account,
    UsersError,
    checked_user_name,
    password_fits,
    read_users,
)

AUTO = "auto"
_SHORTEST_TOKEN = 16


class AccessError(UserError):
    """People cannot sign in as asked; the message says what to change."""


class Access:
    """Who may sign in, and as what.

    Args:
        users: the file of users, which is read again whenever it changes.
        token: the token; "auto" makes one.
        token_role: the role of everybody who has the token.

    Raises:
        AccessError: not exactly one of `users` and `token` is given, or the token is short.
        UsersError: the file of users cannot be read.
    """

    def __init__(
        self, *, users: Path | None = None, token: str | None = None, token_role: str = "annotator"
    ) -> None:
        if (users is None) == (token is None):
            raise AccessError("give --users FILE or --token TOKEN, not both")
        if token is not None and token != AUTO and len(token) < _SHORTEST_TOKEN:
            raise AccessError(
                f"--token of {len(token)} characters can be guessed: "
                f"give {_SHORTEST_TOKEN} or more, or auto"
            )
        if token_role not in ROLES:
            raise AccessError(f"--token-role {token_role!r} is none of {', '.join(ROLES)}")
        self.users_file, self.token_role = users, token_role
        self.token = secrets.token_urlsafe(24) if token == AUTO else token
        self._lock = threading.Lock()
        self._held: tuple[object, dict[str, Account]] = (None, {})
        if users is not None and not self._users():
            raise UsersError(f"--users {users} holds nobody: `discover users add NAME` adds one")

    def sign_in(self, form: Mapping[str, str]) -> dict[str, str] | None:
        """Return what a session keeps of somebody who may come in; None turns them away.

        Args:
            form: `name`, and `password` or `token`.

        Raises:
            UsersError: the token is right, but the name is none.
        """
        if self.token is not None:
            given = form.get("token", "").strip()
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return None
            name = checked_user_name(form.get("name", ""))
            return {"name": name, "seal": _seal(self.token)}
        name, password = form.get("name", "").strip(), form.get("password", "")
        account = self._users().get(name)
        if not password_fits(account, password) or account is None:
            return None
        return {"name": name, "seal": _seal(account.password)}

    def role_of(self, session: Mapping[str, str]) -> str | None:
        """Return the role that somebody who signed in has now.

        None where they were removed, or have another password since.
        """
        name, seal = session.get("name"), session.get("seal")
        if not name or not seal:
            return None
        if self.token is not None:
            secret, role = self.token, self.token_role
        else:
            account = self._users().get(name)
            if account is None:
                return None
            secret, role = account.password, account.role
        return role if hmac.compare_digest(seal, _seal(secret)) else None

    def _users(self) -> dict[str, Account]:
        assert self.users_file is not None  # the callers have no token
        try:
            stat = self.users_file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            stamp = None  # reading it says why
        with self._lock:
            if stamp is None or self._held[0] != stamp:
                self._held = (stamp, read_users(self.users_file))
            return self._held[1]


def access_by(*, users: Path | None, token: str | None, token_role: str) -> Access | None:
    """Return who may sign in, or None where nothing says that anybody must.

    Raises:
        AccessError: as `Access` does.
    """
    if users is None and token is None:
        return None
    return Access(users=users, token=token, token_role=token_role)


def _seal(secret: str) -> str:
    """Return what a session is bound to: it ends with the password that it began with."""
    return hashlib.sha256(b"session" + secret.encode()).hexdigest()[:32]
