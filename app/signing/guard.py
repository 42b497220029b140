# mypy: disable-error-code="untyped-decorator"
"""What the page answers at all: by which names it is reached, from which pages, how large."""

import ipaddress
import socket
from dataclasses import dataclass
from functools import cache

from dash.exceptions import DependencyException
from flask import Flask, Response, abort, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from classify.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = ("0.0.0.0", "::")
LARGEST = 32 * 2**20  # bytes of a request: an image dropped on the page
LARGEST_UNKNOWN = 2**14  # bytes of a request of somebody who did not sign in
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# The page brings everything it needs: the browser is told to load from nowhere else.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class ServeError(UserError):
    """The page cannot be served as asked; the message says what to change."""


@dataclass(frozen=True)
class Reach:
    """Where the page is reached.

    Attributes:
        host: the address that it listens on.
        names: further names that browsers may ask for it by, such as "rov.example" or
            "rov.example:9000"; without a port, the one that it listens on or the scheme's own.
        behind_proxy: whether a reverse proxy, and nobody else, sends the requests; its
            X-Forwarded-For and -Proto are then believed, and its Host is the browser's.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    behind_proxy: bool = False

    @property
    def is_private(self) -> bool:
        """Whether only this computer reaches the page."""
        names = (self.host, *(_without_port(name) for name in self.names))
        return not self.behind_proxy and all(name in LOOPBACK for name in names)

    def answers_to(self, asked: str, *, port: str, scheme: str) -> bool:
        """Return whether a Host header means this page.

        Args:
            asked: the header.
            port: the port that is listened on.
            scheme: "http" or "https", as the browser sees it.
        """
        if asked.lower() in {name.lower() for name in self.names}:
            return True
        default = _DEFAULT_PORTS.get(scheme, "")
        name, given = _without_port(asked).lower(), _port(asked) or default
        if given != port and not (self.behind_proxy and given == default):
            return False
        if name in LOOPBACK or name in {known.lower() for known in self.names}:
            return True
        if self.host in WILDCARDS:
            return not self.names and _is_of_this_machine(name)
        return name == self.host.lower()


def protect(server: Flask, reach: Reach) -> None:
    """Refuse what was not sent by the page itself, and tell the browser what the page may do.

    A page elsewhere can send requests to this one, or point its own name here; both show in
    `Host`, `Origin` or `Sec-Fetch-Site`.
    """
    server.config["MAX_CONTENT_LENGTH"] = LARGEST
    if reach.behind_proxy:
        server.wsgi_app = ProxyFix(server.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]

    @server.before_request
    def check() -> None:
        asked, scheme = request.headers.get("Host", ""), request.scheme
        if not reach.answers_to(asked, port=request.environ["SERVER_PORT"], scheme=scheme):
            abort(403, "Host is none of this page's names; --name adds one")
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if origin is not None and origin.lower() != f"{scheme}://{asked}".lower():
            abort(403, f"Origin is another page than {scheme}://{asked}")
        writes = request.method not in ("GET", "HEAD", "OPTIONS")
        if writes and origin is None and site not in (None, "same-origin", "none"):
            abort(403, "Sec-Fetch-Site says that another page sent this")

    @server.after_request
    def tell(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    @server.errorhandler(RequestEntityTooLarge)
    def too_large(_error: RequestEntityTooLarge) -> tuple[dict[str, str], int]:
        most = request.max_content_length or LARGEST
        return {"error": f"a request may hold {most // 1024:,} kB; this one holds more"}, 413

    @server.errorhandler(DependencyException)
    def no_script(_error: DependencyException) -> tuple[str, int]:
        return "Dash has no such script", 404  # which it takes for a mistake of the page


def has_port(host: str) -> bool:
    """Return whether a `Host`, such as "rov.example:9000", names a port."""
    return _port(host) is not None


def _without_port(host: str) -> str:
    """Return the name of a `Host`, without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _port(host: str) -> str | None:
    if host.count(":") > 1 and not host.startswith("["):
        return None
    return host.rpartition("]")[2].partition(":")[2] or None


@cache
def _own_names() -> frozenset[str]:
    return frozenset(name.lower() for name in (socket.gethostname(), socket.getfqdn()))


def _is_of_this_machine(name: str) -> bool:
    """Return whether a name is this machine's host name, or an address that it has."""
    if name in _own_names():
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    if address.is_unspecified or address.is_multicast:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((name, 0))  # only an own address can be bound
        except OSError:
            return False
    return True
