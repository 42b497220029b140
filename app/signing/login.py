# mypy: disable-error-code="untyped-decorator"
"""The page on which one signs in. It works without scripts, and loads its style alone."""

from urllib.parse import urlencode

from flask import Flask, Response, g, redirect, render_template_string, request
from flask import session as cookie
from werkzeug.wrappers import Response as AnyResponse

from app.signing.access import Access
from app.signing.throttle import Throttle
from discover.users import UsersError

PATH = "/login"
OUT = "/logout"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_ON = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={{ there }}">
<title>explorer</title><a href="{{ there }}">to the page</a></html>
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign in · explorer</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/login.css">
</head>
<body class="login">
<main>
<div class="login-mark" aria-hidden="true"></div>
<h1>Sign in</h1>
<p>to see what was found, and name it</p>
{% if problem %}<p class="login-problem" role="alert">{{ problem }}</p>{% endif %}
<form method="post" action="{{ path }}">
<input type="hidden" name="next" value="{{ next }}">
<label for="name">Name</label>
<input id="name" name="name" value="{{ name }}" autocomplete="username" maxlength="80" required
  spellcheck="false" autocapitalize="none" {% if not name %}autofocus{% endif %}>
{% if by_token and token %}<input type="hidden" name="token" value="{{ token }}">
<p class="login-note">What you decide is kept under this name.</p>
{% elif by_token %}<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required
  {% if name %}autofocus{% endif %}>
<p class="login-note">It stands at the end of the address that you were given.</p>
{% else %}<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
  {% if name %}autofocus{% endif %}>
{% endif %}<button type="submit">Sign in</button>
</form>
</main>
</body>
</html>
"""


def register(server: Flask, access: Access) -> None:
    """Answer the addresses of signing in and out."""
    throttle = Throttle()

    @server.get(PATH)
    def ask() -> AnyResponse:
        if request.args.get("token") and request.args.get("name"):
            return _enter(access, throttle, request.args)
        if "user" in g:
            return redirect(_own(request.args.get("next", "")), 303)
        return _page(access, request.args)

    @server.post(PATH)
    def enter() -> AnyResponse:
        return _enter(access, throttle, request.form)

    @server.post(OUT)
    def leave() -> AnyResponse:
        cookie.clear()
        return redirect(PATH, 303)


def lead_to(address: str) -> AnyResponse:
    """Send somebody who is not signed in to sign in, and then to an address.

    A browser that follows a link from another site keeps the cookie back, even of somebody who is
    signed in; it does not when a page of this site sends it on.
    """
    there = f"{PATH}?{urlencode({'next': address})}"
    if request.headers.get("Sec-Fetch-Site") != "cross-site":
        return redirect(there, 303)
    response = Response(render_template_string(_ON, there=there), mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response


def _enter(access: Access, throttle: Throttle, form: dict[str, str]) -> AnyResponse:
    address = request.remote_addr or ""
    wait = throttle.start(address)
    if wait > 0:
        seconds = int(wait) + 1
        page = _page(access, form, f"Too many wrong tries: wait {seconds} s, then try again", 429)
        page.headers["Retry-After"] = str(seconds)
        return page
    try:
        kept = access.sign_in(form)
    except UsersError as error:
        if access.token is None:
            raise
        throttle.was_right(address)
        return _page(access, form, str(error), 400)
    if kept is None:
        what = "password" if access.token is None else "token"
        return _page(access, {**form, "token": ""}, f"The name or the {what} is wrong", 401)
    throttle.was_right(address)
    cookie.clear()
    cookie.update(kept)
    cookie.permanent = True
    return redirect(_own(form.get("next", "")), 303)


def _page(access: Access, form: dict[str, str], problem: str = "", status: int = 200) -> Response:
    text = render_template_string(
        _PAGE,
        path=PATH,
        problem=problem,
        by_token=access.token is not None,
        next=_own(form.get("next", "")),
        name=form.get("name", ""),
        token=form.get("token", ""),
    )
    response = Response(text, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def _own(address: str) -> str:
    """Return an address of this page; one that leads elsewhere becomes the first page."""
    # A browser takes a backslash for a slash, skips control characters, and "//" for a host.
    odd = "\\" in address or not address.isprintable()
    return address if address.startswith("/") and not address.startswith("//") and not odd else "/"
