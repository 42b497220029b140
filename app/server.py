# mypy: disable-error-code="untyped-decorator"
"""The application of one survey, and the server that runs it."""

import errno
import logging
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import waitress
from dash import Dash
from flask import Flask, Response, abort, request

from app import auth, images, pages, routes, shell
from app.answers import picture
from app.crops import verdicts
from app.data import Explorer
from app.signing import guard, login
from app.signing.access import Access
from app.signing.guard import LOOPBACK, WILDCARDS, Reach, ServeError
from discover.survey import Survey

__all__ = ["LOOPBACK", "ServeError", "bind", "create_app", "serve"]
log = logging.getLogger(__name__)

_STRANGERS = (
    "--host {host}: others reach the page, so they must sign in. Make users by `discover users add "
    "NAME --users users.toml` and give --users users.toml, or give --token auto"
)


_INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <title>{%title%}</title>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>
"""


def create_app(
    survey: Survey,
    *,
    annotator: str | None = None,
    access: Access | None = None,
    reach: Reach | None = None,
) -> Dash:
    """Make the Dash application of a survey.

    Args:
        survey: the survey; several may be open in one process.
        annotator: who names where nobody signs in; None takes the operating system's user.
        access: who may sign in; None lets in whoever reaches the page.
        reach: where the page is reached; None is this computer alone.

    Raises:
        ServeError: others reach the page, and nobody has to sign in.
    """
    reach = reach or Reach()
    if access is None and not reach.is_private:
        raise ServeError(_STRANGERS.format(host=reach.host))
    explorer = Explorer(survey, annotator)
    app = Dash(
        __name__,
        server=Flask("app"),
        title=f"{survey.root.resolve().name} · explorer",
        update_title=None,
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"login\.css",  # of the page on which one signs in, which Dash does not make
        serve_locally=True,
        index_string=_INDEX,
        suppress_callback_exceptions=True,  # the pages come and go
    )
    app.server.extensions["reach"] = reach
    guard.protect(app.server, reach)
    if access is not None:
        auth.register(app.server, explorer, access)
    app.layout = lambda: shell.layout(explorer)
    shell.register(app, explorer)
    verdicts.register(app, explorer)
    pages.register(app, explorer)
    _serve_images(app.server, explorer)
    routes.register(app.server, explorer)
    return app


def serve(
    survey: Survey,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = False,
    annotator: str | None = None,
    access: Access | None = None,
    names: Sequence[str] = (),
    behind_proxy: bool = False,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the page until interrupted.

    Args:
        survey: the survey.
        host: an address of this computer; "0.0.0.0" and "::" are all of them.
        port: where to listen; 0 takes a free one.
        open_browser: show the page in the default browser.
        annotator: who names where nobody signs in; None takes the operating system's user.
        access: who may sign in; needed where others reach the page.
        names: further names that the page is asked for by.
        behind_proxy: whether a reverse proxy sends all requests (see `Reach`).
        ready: called with the page's address once the server listens.

    Raises:
        ServeError: others reach the page and nobody has to sign in, or the port is taken.
    """
    reach = Reach(host, tuple(names), behind_proxy)
    server = bind(create_app(survey, annotator=annotator, access=access, reach=reach), port=port)
    url = f"{_address(reach, server.effective_port)}{_ticket(access)}"
    (ready or log.info)(f"the page is at {url} (Ctrl-C stops it)")
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    try:
        server.run()
    finally:
        server.close()


def bind(app: Dash, *, port: int = 8050) -> Any:  # noqa: ANN401
    """Return a waitress server that listens already; `run` answers, `effective_port` says where.

    Raises:
        ServeError: the address is not this machine's, or the port is taken.
    """
    reach: Reach = app.server.extensions["reach"]
    host = reach.host
    if host == "localhost":
        host = "127.0.0.1"  # one socket; waitress would open one for each address of the name
    try:
        return waitress.create_server(
            app.server,
            host=host,
            port=port,
            threads=8,
            ident=None,
            max_request_body_size=2 * guard.LARGEST,  # up to here the page says what is too large
            clear_untrusted_proxy_headers=not reach.behind_proxy,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServeError(f"port {port} of {host} is taken: choose another by --port") from error
        raise ServeError(f"--host {host} cannot be listened on: {error.strerror}") from error


def _address(reach: Reach, port: int) -> str:
    """Return the address to open: by the first name, where there is one."""
    if reach.behind_proxy and reach.names:
        return f"https://{reach.names[0]}/"
    host = "localhost" if reach.host in ("::1", *WILDCARDS) else reach.host
    name = reach.names[0] if reach.names else f"[{host}]" if ":" in host else host
    return f"http://{name}/" if guard.has_port(name) else f"http://{name}:{port}/"


def _ticket(access: Access | None) -> str:
    if access is None or access.token is None:
        return ""
    return f"{login.PATH[1:]}?{urlencode({'token': access.token})}"


def _serve_images(server: Flask, explorer: Explorer) -> None:
    @server.get("/image/<path:other>")
    def no_image(other: str) -> Response:
        abort(404, f"{other!r} is not the id of a crop")  # else Dash would answer with the page

    @server.get("/image/<crop_id>")
    def image(crop_id: str) -> Response:
        try:
            made = images.thumbnail(
                explorer,
                crop_id,
                kind=request.args.get("kind", "crop"),
                size=request.args.get("size", 160, type=int),
                run=request.args.get("run"),
            )
        except images.UnknownCrop as error:
            abort(404, str(error))
        return picture(made.data, "image/jpeg", None if made.placeholder else made.etag)
