import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.auth import User, badge, current_user
from app.data import Explorer
from app.signing.access import Access, AccessError
from app.signing.guard import Reach
from app.signing.throttle import Throttle
from discover import cli
from discover.survey import Survey
from discover.users import (
    Account,
    UsersError,
    hashed,
    password_fits,
    read_users,
    write_users,
)
from tests.app.people import PASSWORD, sign_in, users_file

TOKEN = "a-token-that-nobody-guesses"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return users_file(tmp_path, mara="annotator", vic="viewer", ada="admin")


@pytest.fixture
def shared(survey: Survey, users: Path) -> Dash:
    return create_app(survey, annotator="nobody", access=Access(users=users))


@pytest.fixture
def guest(shared: Dash) -> FlaskClient:
    return shared.server.test_client()


@pytest.fixture
def by_token(survey: Survey) -> FlaskClient:
    return create_app(survey, access=Access(token=TOKEN)).server.test_client()


def _problem(answer: TestResponse) -> str:
    return BeautifulSoup(answer.data, "html.parser").select_one("[role=alert]").text


def _inside(app: Dash, client: FlaskClient, ask: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Return what `ask` returns within a request of a client."""
    answers: list[Any] = []
    app.server.view_functions["/_dash-layout"] = lambda: answers.append(ask()) or ""
    assert client.get("/_dash-layout").status_code == 200
    return answers.pop()


# The file of users


def test_a_file_of_users_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    password = hashed("rock & roll")
    names = {"mara": "admin", 'Zoë "z" <b>': "viewer", "a.b = 1": "annotator", "\\": "viewer"}
    held = {name: Account(role, password) for name, role in names.items()}
    write_users(file, held)
    assert read_users(file) == held
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "rock" not in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["users.toml"]


def test_a_password_fits_its_account_alone() -> None:
    account = Account("viewer", hashed("first password"))
    assert password_fits(account, "first password")
    assert not password_fits(account, "second password")
    assert not password_fits(None, "first password")
    assert hashed("first password") != account.password


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mara]\nrole = 'king'\npassword = 'x'", "mara.*role 'king'.*viewer, annotator, admin"),
        ("[mara]\nrole = 'admin'\npassword = 'secret'", "mara.*discover users add"),
        ("[mara]\nrole = 'admin'", "mara.*role and a password"),
        ("[mara]\nrole = 'admin'\npassword = 'x'\nadmin = true", "mara.*no more"),
        ("mara", "cannot be read"),
        ('["\\t"]\nrole = "admin"\npassword = "x"', "printable"),
    ],
)
def test_a_damaged_file_of_users_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "users.toml"
    file.write_text(text)
    with pytest.raises(UsersError, match=message):
        read_users(file)


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_a_bad_password_is_not_kept(password: str) -> None:
    with pytest.raises(UsersError, match=f"{len(password)} characters"):
        hashed(password)


def _users(*tokens: str) -> None:
    cli.app(["users", *tokens], result_action="return_value")


def test_users_are_added_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users.toml"
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "typed by hand")
    _users("add", "mara", "--role", "admin", "--users", str(file))
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe\nrest"))
    _users("add", "vic", "--role", "viewer", "--password-stdin", "--users", str(file))
    held = read_users(file)
    assert password_fits(held["mara"], "typed by hand")
    assert password_fits(held["vic"], "from a pipe")

    capsys.readouterr()
    _users("list", "--users", str(file), "--json")
    listed = json.loads(capsys.readouterr().out)
    assert listed == [{"name": "mara", "role": "admin"}, {"name": "vic", "role": "viewer"}]

    _users("remove", "mara", "--users", str(file))
    assert list(read_users(file)) == ["vic"]
    with pytest.raises(UsersError, match=r"'mara' is none of the users of .*: vic"):
        _users("remove", "mara", "--users", str(file))


def test_passwords_that_differ_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["one password", "another password"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    with pytest.raises(UsersError, match="differ"):
        _users("add", "mara", "--users", str(tmp_path / "users.toml"))
    assert list(tmp_path.iterdir()) == []


# Who may sign in


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "--users FILE or --token"),
        ({"users": Path("u"), "token": TOKEN}, "not both"),
        ({"token": "hello"}, "5 characters can be guessed"),
        ({"token": TOKEN, "token_role": "king"}, "'king' is none of"),
    ],
)
def test_access_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(AccessError, match=message):
        Access(**given)


def test_nobody_in_the_file_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match=r"no such file.*discover users add"):
        Access(users=tmp_path / "users.toml")
    with pytest.raises(UsersError, match="holds nobody"):
        Access(users=users_file(tmp_path))


def test_a_token_is_made_anew_each_time() -> None:
    tokens = {Access(token="auto").token for _ in range(3)}
    assert len(tokens) == 3
    assert min(len(token) for token in tokens) >= 32


# Signing in


def test_a_stranger_is_led_to_the_sign_in_and_back(guest: FlaskClient) -> None:
    answer = guest.get("/queue?run=a%26b", headers=PAGE)
    assert answer.status_code == 303
    form = guest.get(answer.location, headers=PAGE)
    (kept,) = BeautifulSoup(form.data, "html.parser").select("input[name=next]")
    assert kept["value"] == "/queue?run=a%26b"
    into = {"name": "mara", "password": PASSWORD, "next": kept["value"]}
    answer = guest.post("/login", data=into)
    assert (answer.status_code, answer.location) == (303, "/queue?run=a%26b")
    assert guest.get("/queue", headers=PAGE).status_code == 200


@pytest.mark.parametrize("address", ["/", "/image/0", "/_dash-layout", "/_dash-dependencies",
                                     "/assets/explorer.css", "/data/names", "/login/", "/LOGIN",
                                     "/assets/../assets/explorer.css"])  # fmt: skip
def test_a_stranger_gets_nothing(guest: FlaskClient, address: str) -> None:
    assert guest.get(address).status_code == 401
    assert guest.post(address, json={}).status_code == 401


def test_a_stranger_is_nobody_and_may_nothing(shared: Dash, explorer: Explorer) -> None:
    with shared.server.test_request_context():
        user = current_user(explorer)
    assert (user.name, user.may_label, user.may_run) == ("nobody", False, False)


def test_the_sign_in_loads_its_style_and_nothing_else(guest: FlaskClient) -> None:
    page = guest.get("/login")
    assert page.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'self'"
    )
    assert b"<script" not in page.data
    assert guest.get("/assets/login.css").status_code == 200
    inside = sign_in(guest, "vic").get("/", headers=PAGE)
    assert b"login.css" not in inside.data


@pytest.mark.parametrize(
    "form",
    [
        {"name": "mara", "password": "wrong password"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "mara"},
        {"name": "mara", "token": PASSWORD},
        {},
    ],
)
def test_the_wrong_one_stays_outside(guest: FlaskClient, form: dict[str, str]) -> None:
    answer = guest.post("/login", data=form)
    assert answer.status_code == 401
    assert _problem(answer) == "The name or the password is wrong"
    assert "Set-Cookie" not in answer.headers
    assert guest.get("/_dash-layout").status_code == 401


def test_what_was_typed_comes_back_as_text(guest: FlaskClient) -> None:
    name = '"><script>alert(1)</script>'
    answer = guest.post("/login", data={"name": name, "password": "x", "next": f"/{name}"})
    assert b"<script" not in answer.data
    soup = BeautifulSoup(answer.data, "html.parser")
    assert soup.select_one("#name")["value"] == name


def test_a_link_from_another_site_finds_who_is_signed_in(guest: FlaskClient) -> None:
    link, elsewhere = "/queue?run=a%26b", {**PAGE, "Sec-Fetch-Site": "cross-site"}
    landed = guest.get(link, headers=elsewhere)  # such a request comes without the cookie
    assert landed.status_code == 200
    leads = BeautifulSoup(landed.data, "html.parser").select_one("a")["href"]
    assert leads in landed.text.replace("&amp;", "&").split("url=")[1]
    assert guest.get(leads, headers=PAGE).status_code == 200
    assert guest.get(link, headers=PAGE).location == leads
    assert sign_in(guest, "mara").get(leads, headers=PAGE).location == link


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "", "queue"],
)
def test_the_sign_in_never_leads_elsewhere(guest: FlaskClient, address: str) -> None:
    answer = guest.post("/login", data={"name": "mara", "password": PASSWORD, "next": address})
    assert (answer.status_code, answer.location) == (303, "/")


def test_the_cookie_is_out_of_reach(guest: FlaskClient, survey: Survey, users: Path) -> None:
    into = {"name": "mara", "password": PASSWORD}
    cookie = guest.post("/login", data=into).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    proxied = create_app(
        survey, access=Access(users=users), reach=Reach(names=("rov.example",), behind_proxy=True)
    ).server.test_client()
    sent = {"Host": "rov.example", "X-Forwarded-Proto": "https", "Origin": "https://rov.example"}
    assert "Secure" in proxied.post("/login", data=into, headers=sent).headers["Set-Cookie"]


def test_a_cookie_of_another_start_or_another_hand_is_no_cookie(
    guest: FlaskClient, survey: Survey, users: Path
) -> None:
    sign_in(guest, "vic")
    ((name, cookie),) = ((c.key, c.value) for c in guest._cookies.values())
    again = create_app(survey, access=Access(users=users)).server.test_client()
    again.set_cookie(name, cookie)
    assert again.get("/_dash-layout").status_code == 401
    head, _, tail = cookie.partition(".")
    guest.set_cookie(name, f"{head[:-3]}AAA.{tail}")
    assert guest.get("/_dash-layout").status_code == 401


def test_signing_out_ends_it_and_takes_a_post(guest: FlaskClient) -> None:
    sign_in(guest, "mara")
    assert guest.get("/logout").status_code != 303
    assert guest.get("/_dash-layout").status_code == 200
    assert guest.post("/logout").status_code == 303
    assert guest.get("/_dash-layout").status_code == 401


def test_who_is_removed_or_changed_is_so_at_once(
    shared: Dash, guest: FlaskClient, explorer: Explorer, users: Path
) -> None:
    sign_in(guest, "mara")
    held = read_users(users)
    assert _inside(shared, guest, lambda: current_user(explorer)) == User("mara", "annotator")
    write_users(users, held | {"mara": Account("admin", held["mara"].password)})
    assert _inside(shared, guest, lambda: current_user(explorer)) == User("mara", "admin")
    write_users(users, held | {"mara": Account("admin", hashed("a new password"))})
    assert guest.get("/_dash-layout").status_code == 401
    write_users(users, held)
    sign_in(guest, "mara")
    write_users(users, {name: held[name] for name in ("vic", "ada")})
    assert guest.get("/_dash-layout").status_code == 401


def test_a_file_of_users_that_is_gone_lets_nobody_in(guest: FlaskClient, users: Path) -> None:
    sign_in(guest, "mara")
    users.unlink()
    assert guest.get("/_dash-layout").status_code == 503
    assert guest.post("/login", data={"name": "mara", "password": PASSWORD}).status_code == 503


def test_a_token_and_a_name_come_in(by_token: FlaskClient) -> None:
    for form in ({"name": "mara", "token": "wrong"}, {"name": "mara"}, {"token": "é" * 27}):
        assert by_token.post("/login", data=form).status_code == 401
    asked = BeautifulSoup(by_token.get(f"/login?token={TOKEN}").data, "html.parser")
    assert asked.select_one("input[name=token]")["value"] == TOKEN
    assert by_token.get("/_dash-layout").status_code == 401
    nameless = by_token.post("/login", data={"name": " ", "token": TOKEN})
    assert nameless.status_code == 400
    assert "printable" in _problem(nameless)
    assert by_token.post("/login", data={"name": "mara", "token": TOKEN}).status_code == 303
    assert by_token.get("/_dash-layout").status_code == 200


def test_an_address_with_token_and_name_signs_in(survey: Survey, explorer: Explorer) -> None:
    app = create_app(survey, access=Access(token=TOKEN, token_role="viewer"))
    client = app.server.test_client()
    assert client.get(f"/login?token={TOKEN}&name=mara").location == "/"
    assert _inside(app, client, lambda: current_user(explorer)) == User("mara", "viewer")


# Guessing


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_guessing_costs_twice_as_much_each_time() -> None:
    clock = _Clock()
    throttle = Throttle(free=3, first=1, longest=100, clock=clock)
    waits = []
    for _ in range(9):
        while (wait := throttle.start("10.0.0.1")) > 0:
            clock.now += wait
            waits.append(wait)
    assert waits == [1, 2, 4, 8, 16, 32]
    assert throttle.start("10.0.0.1") == 64
    assert throttle.start("10.0.0.2") == 0
    clock.now += 100
    assert throttle.start("10.0.0.1") == 0


def test_a_right_one_does_not_wash_off_the_wrong_ones() -> None:
    throttle = Throttle(free=3, clock=_Clock())
    waits = []
    for is_right in (False, True, False, True, False):
        waits.append(throttle.start("10.0.0.1"))
        if is_right:
            throttle.was_right("10.0.0.1")
    assert waits == [0, 0, 0, 0, 0]
    assert throttle.start("10.0.0.1") > 0


def test_guesses_are_remembered_in_bounded_memory() -> None:
    throttle = Throttle(most=100, clock=_Clock())
    for number in range(5000):
        throttle.start(f"10.0.{number // 250}.{number % 250}")
    assert len(throttle._tries) == 100


def test_a_network_of_ipv6_counts_as_one() -> None:
    throttle = Throttle(free=2, clock=_Clock())
    assert [throttle.start(f"2001:db8::{n}") > 0 for n in range(3)] == [False, False, True]


def test_guessing_at_the_page_is_slowed_down(guest: FlaskClient) -> None:
    form = {"name": "mara", "password": "wrong password"}
    codes = [guest.post("/login", data=form).status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    answer = guest.post("/login", data={"name": "mara", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    elsewhere = {"REMOTE_ADDR": "10.1.2.3"}
    form["password"] = PASSWORD
    assert guest.post("/login", data=form, environ_overrides=elsewhere).status_code == 303


# Roles


@pytest.mark.parametrize(
    ("role", "labels", "runs"),
    [("viewer", False, False), ("annotator", True, False), ("admin", True, True)],
)
def test_a_role_says_what_one_may(role: str, labels: bool, runs: bool) -> None:
    assert (User("mara", role).may_label, User("mara", role).may_run) == (labels, runs)


def test_without_users_the_one_at_the_computer_may_all(app: Dash, explorer: Explorer) -> None:
    assert current_user(explorer) == User("mara", "admin")
    assert _inside(app, app.server.test_client(), lambda: current_user(explorer)) == User(
        "mara", "admin"
    )


def test_the_badge_says_who_is_signed_in(
    shared: Dash, guest: FlaskClient, app: Dash, explorer: Explorer
) -> None:
    assert _inside(app, app.server.test_client(), lambda: badge(explorer)).hidden
    shown = _inside(shared, sign_in(guest, "vic"), lambda: badge(explorer))
    assert (shown.action, shown.method) == ("/logout", "POST")
    assert [part.children for part in shown.children] == ["vic", "viewer", "Sign out"]
