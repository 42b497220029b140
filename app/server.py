# mypy: disable-error-code="untyped-decorator"
"""The application of one survey, and the server that runs it on this computer."""

import errno
import logging
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import waitress
from dash import Dash
from flask import Flask, Response, abort, request

from app import images, pages, shell, verdicts
from app.data import Explorer
from classify.errors import UserError
from discover.survey import Survey

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WEEK = 7 * 24 * 3600
# The page brings everything it needs: the browser is told to load from nowhere else.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'"
)


class ServeError(UserError):
    """The page cannot be served as asked; the message says what to change."""


def create_app(survey: Survey, *, annotator: str | None = None) -> Dash:
    """Make the Dash application of a survey.

    Args:
        survey: the survey; several may be open in one process.
        annotator: who names; None takes the name of the operating system's user.
    """
    explorer = Explorer(survey, annotator)
    app = Dash(
        __name__,
        server=Flask("app"),
        title=f"{survey.root.resolve().name} · explorer",
        update_title=None,
        assets_folder=str(Path(__file__).parent / "assets"),
        serve_locally=True,
        suppress_callback_exceptions=True,  # the pages come and go
    )
    app.layout = lambda: shell.layout(explorer)
    shell.register(app, explorer)
    verdicts.register(app, explorer)
    pages.register(app, explorer)
    _guard(app.server)
    _serve_images(app.server, explorer)
    return app


def serve(
    survey: Survey,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = False,
    annotator: str | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the page until interrupted.

    Args:
        survey: the survey.
        host: a name of this computer as seen from itself.
        port: where to listen; 0 takes a free one.
        open_browser: show the page in the default browser.
        annotator: who names; None takes the name of the operating system's user.
        ready: called with the page's address once the server listens.

    Raises:
        ServeError: `host` is not a loopback address, or the port is taken.
    """
    server = bind(create_app(survey, annotator=annotator), host=host, port=port)
    url = f"http://{'localhost' if host == '::1' else host}:{server.effective_port}/"
    (ready or log.info)(f"the page is at {url} (Ctrl-C stops it)")
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    try:
        server.run()
    finally:
        server.close()


def bind(app: Dash, *, host: str = "127.0.0.1", port: int = 8050) -> Any:  # noqa: ANN401
    """Return a waitress server that listens already; `run` answers, `effective_port` says where.

    Raises:
        ServeError: `host` is not a loopback address, or the port is taken.
    """
    if host not in LOOPBACK:
        raise ServeError(
            f"--host {host}: only loopback ({', '.join(LOOPBACK)}) is allowed for now, because "
            "whoever reaches the page can change the labels"
        )
    if host == "localhost":
        host = "127.0.0.1"  # one socket; waitress would open one for each address of the name
    try:
        return waitress.create_server(app.server, host=host, port=port, threads=8, ident=None)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ServeError(f"port {port} of {host} is taken: choose another with --port") from error


def _guard(server: Flask) -> None:
    """Answer only a browser that asked for this page by a loopback name.

    A page elsewhere can send requests to 127.0.0.1, or point its own name there; both show in
    `Host` or `Origin`.
    """

    @server.before_request
    def check() -> None:
        port = request.environ["SERVER_PORT"]
        names = [f"[{name}]" if ":" in name else name for name in LOOPBACK]
        allowed = {f"{name}:{port}" for name in names} | (set(names) if port == "80" else set())
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in allowed:
            abort(403, "Host is not this page's own: open it as http://127.0.0.1:" + port)
        if origin is not None and origin not in {f"http://{name}" for name in allowed}:
            abort(403, "Origin is another page")

    @server.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


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
        response = Response(made.data, mimetype="image/jpeg")
        if made.placeholder:
            response.headers["Cache-Control"] = "no-store"
            return response
        response.set_etag(made.etag)
        response.headers["Cache-Control"] = f"private, max-age={_WEEK}, immutable"
        response.make_conditional(request)
        return response
