"""Who acts on the page, and what they may do there."""

from dataclasses import dataclass

from flask import current_app, g, has_request_context

from app.data import Explorer

ACCESS = "access"  # the Flask extension that holds how people sign in; absent: nobody has to


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


def current_user(explorer: Explorer) -> User:
    """Return who sent the request that is being answered.

    Where nobody signs in, and outside a request, it is the one who started the page.
    """
    if not has_request_context() or ACCESS not in current_app.extensions:
        return User(explorer.annotator, "admin")
    user: User = g.user  # set before every request that is answered
    return user
