# mypy: disable-error-code="untyped-decorator"
"""Who acts on the page, and what they may do there."""

import hashlib
import logging
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from dash import html
from dash.development.base_component import Component
from flask import Flask, Response, abort, current_app, g, has_request_context, request
from flask import session as cookie
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from app.data import Explorer
from app.signing import login
from app.signing.access import Access
from app.signing.guard import LARGEST_UNKNOWN
from discover.labels import LabelError
from discover.naming.eventlog import Writer
from discover.users import UsersError

log = logging.getLogger(__name__)

ACCESS = "access"  # the Flask extension that holds how people sign in; absent: nobody has to
_OPEN = (login.PATH, "/assets/login.css")  # what is answered before one has signed in
_HOURS = 12  # one sign-in lasts a day at the desk


@dataclass(frozen=True)
class User:
    """Somebody at the page.

    Attributes:
        name: what verdicts are kept under.
        role: "viewer" looks, "annotator" decides too, "admin" starts jobs too.
    """

    name: str
    role: str

    @property
    def may_label(self) -> bool:
        """Whether verdicts of this user are taken."""
        return self.role in ("annotator", "admin")

    @property
    def may_run(self) -> bool:
        """Whether this user may start jobs."""
        return self.role == "admin"


# Dash lays out the page at the first request, whoever sent it, before that is turned away.
_STRANGER = User("nobody", "viewer")


class RoleError(LabelError):
    """A verdict of somebody who may only look."""


def current_user(explorer: Explorer) -> User:
    """Return who sent the request that is being answered.

    Where nobody signs in, and outside a request, it is the one who started the page.
    """
    if not has_request_context() or ACCESS not in current_app.extensions:
        return User(explorer.annotator, "admin")
    user: User = g.get("user", _STRANGER)
    return user


def badge(explorer: Explorer) -> Component:
    """Show who is signed in, with the button that signs out; empty where nobody signs in."""
    if not has_request_context() or ACCESS not in current_app.extensions:
        return html.Span(className="badge-of-nobody", hidden=True)
    user = current_user(explorer)
    return html.Form(
        [
            html.Span(user.name, className="badge-name"),
            html.Span(user.role, className="badge-role"),
            html.Button("Sign out", type="submit", className="badge-out"),
        ],
        action=login.OUT,
        method="POST",
        className="badge",
        title=f"{user.name}, {user.role}",
    )


def register(server: Flask, explorer: Explorer, access: Access) -> None:
    """Let in only who signed in, and take verdicts only of those who may decide.

    The key of the cookies is made anew at each start and kept nowhere: whoever copies the survey or
    the file of users cannot sign in by them. After a restart everybody signs in again, which loses
    nothing, as each verdict is kept when it is made.
    """
    server.extensions[ACCESS] = access
    server.secret_key = secrets.token_bytes(32)
    server.session_interface = _Cookies()
    # Cookies are of a host, not of a port: two surveys on one computer must not share one.
    survey = hashlib.sha256(str(explorer.survey.root.resolve()).encode()).hexdigest()[:8]
    server.config.update(
        SESSION_COOKIE_NAME=f"explorer-{survey}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        # A cookie that changes would make the browser forget the pictures that it keeps.
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=_HOURS),
    )
    _ask_who(server, access)
    _check_roles(server, explorer)
    login.register(server, access)


class _Cookies(SecureCookieSessionInterface):
    """Sessions whose cookie goes over TLS alone where the page came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def _ask_who(server: Flask, access: Access) -> None:
    @server.before_request
    def ask() -> AnyResponse | None:
        role = access.role_of(cookie)
        if role is not None:
            g.user = User(cookie["name"], role)
            return None
        request.max_content_length = LARGEST_UNKNOWN
        if request.path in _OPEN:
            return None
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return login.lead_to(request.full_path.rstrip("?"))
        abort(401, f"sign in at {login.PATH}")

    @server.errorhandler(UsersError)
    def no_users(error: UsersError) -> tuple[Response, int]:
        log.error("nobody can sign in: %s", error)
        return Response("The file of users cannot be read.", mimetype="text/plain"), 503


def _check_roles(server: Flask, explorer: Explorer) -> None:
    """Refuse what a viewer writes, whichever page it came from."""
    write = explorer.labels.write

    def checked() -> AbstractContextManager[Writer]:
        user = current_user(explorer)
        if not user.may_label:
            raise RoleError(f"{user.name} is a {user.role} here and may look only")
        return write()

    explorer.labels.write = checked  # type: ignore[method-assign]

    @server.errorhandler(RoleError)
    def refuse(error: RoleError) -> tuple[Response, int]:
        return Response(str(error), mimetype="text/plain"), 403
