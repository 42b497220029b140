import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import create_app, serve
from app.server import ServeError, bind
from app.signing.access import Access
from app.signing.guard import Reach
from discover.survey import Survey
from tests.app.people import PASSWORD, users_file


def test_the_page_and_what_it_needs_come_from_here(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert b"https://" not in page.data
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1:9999", "0.0.0.0"])
def test_a_forged_host_is_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host}, environ_overrides={"SERVER_PORT": "80"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost", "http://localhost:9999", "null"]
)
def test_a_forged_origin_is_refused(client: FlaskClient, origin: str) -> None:
    for address in ("/", "/image/0", "/_dash-layout"):
        assert client.get(address, headers={"Origin": origin}).status_code == 403


def test_the_pages_own_origin_is_allowed(client: FlaskClient) -> None:
    headers = {"Host": "127.0.0.1:8050", "Origin": "http://127.0.0.1:8050"}
    port = {"SERVER_PORT": "8050"}
    assert client.get("/", headers=headers, environ_overrides=port).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "rov.example"])
def test_others_are_served_only_where_they_sign_in(survey: Survey, host: str) -> None:
    with pytest.raises(ServeError, match=rf"--host {host}.*discover users add.*--token auto"):
        serve(survey, host=host, port=0)


@pytest.mark.parametrize(
    ("reach", "asked", "is_page"),
    [
        (Reach(), "localhost:8050", True),
        (Reach(), "[::1]:8050", True),
        (Reach(), "LOCALHOST:8050", True),
        (Reach(), "localhost", False),
        (Reach(), "rov.example:8050", False),
        (Reach(names=("rov.example",)), "rov.example:8050", True),
        (Reach(names=("rov.example",)), "127.0.0.1:8050", True),
        (Reach(names=("rov.example",)), "rov.example", True),
        (Reach(names=("rov.example",)), "rov.example:9000", False),
        (Reach(names=("rov.example:9000",)), "rov.example:9000", True),
        (Reach(names=("rov.example:9000",)), "rov.example.evil:9000", False),
        (Reach("0.0.0.0"), "127.0.0.1:8050", True),
        (Reach("0.0.0.0"), "127.4.5.6:8050", True),
        (Reach("0.0.0.0"), f"{socket.gethostname()}:8050", True),
        (Reach("0.0.0.0"), "192.0.2.1:8050", False),
        (Reach("0.0.0.0"), "evil.example:8050", False),
        (Reach("0.0.0.0"), "0.0.0.0:8050", False),
        (Reach("0.0.0.0", ("rov.example",)), "rov.example:8050", True),
        (Reach("0.0.0.0", ("rov.example",)), f"{socket.gethostname()}:8050", False),
        (Reach("192.0.2.1"), "192.0.2.1:8050", True),
        (Reach("192.0.2.1"), "192.0.2.2:8050", False),
        (Reach(names=("rov.example",), behind_proxy=True), "rov.example", True),
        (Reach(names=("rov.example",), behind_proxy=True), "evil.example", False),
        (Reach(), "", False),
        (Reach(), ":8050", False),
        (Reach(), "localhost:8050:8050", False),
        (Reach("0.0.0.0"), "[::1", False),
    ],
)
def test_the_page_answers_to_its_own_names_alone(reach: Reach, asked: str, is_page: bool) -> None:
    assert reach.answers_to(asked, port="8050", scheme="http") == is_page


@pytest.mark.parametrize("behind_proxy", [True, False])
def test_a_proxy_is_believed_only_where_there_is_one(
    survey: Survey, tmp_path: Path, behind_proxy: bool
) -> None:
    reach = Reach(names=("rov.example",), behind_proxy=behind_proxy)
    access = Access(users=users_file(tmp_path, mara="annotator"))
    server = bind(create_app(survey, access=access, reach=reach), port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    line = http.client.HTTPConnection("127.0.0.1", server.effective_port)
    name = "rov.example" if behind_proxy else f"rov.example:{server.effective_port}"
    headers = {
        "Host": name,
        "Origin": f"https://{name}",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "10.9.8.7",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    line.request("POST", "/login", urlencode({"name": "mara", "password": PASSWORD}), headers)
    answer = line.getresponse()
    assert answer.status == (303 if behind_proxy else 403)
    assert ("Secure" in (answer.getheader("Set-Cookie") or "")) == behind_proxy


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, r"http://127.0.0.1:\d+/ "),
        ({"host": "::1"}, r"http://localhost:\d+/ "),
        ({"host": "0.0.0.0"}, r"http://localhost:\d+/login\?token=a-token"),
        ({"names": ["rov.example"]}, r"http://rov.example:\d+/login\?token=a-token"),
        ({"names": ["rov.example:9000"]}, r"http://rov.example:9000/login\?token="),
        ({"names": ["rov.example"], "behind_proxy": True}, r"https://rov.example/login\?token="),
    ],
)
def test_the_address_to_open_is_told(
    survey: Survey, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], address: str
) -> None:
    class Stopped:
        effective_port = 8123

        def run(self) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr("app.server.bind", lambda _app, port: Stopped())
    access = (
        None
        if set(given) <= {"host"} and given.get("host") != "0.0.0.0"
        else Access(token="a-token-that-nobody-guesses")
    )
    told: list[str] = []
    serve(survey, **given, access=access, ready=told.append)
    assert re.match(f"the page is at {address}", told[0])


def test_a_taken_port_is_named(app: Dash) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"{port} .*--port"):
            bind(app, port=port)


def test_two_surveys_in_one_process(
    survey: Survey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.app.survey_on_disk import build

    other = build(tmp_path_factory.mktemp("other") / "Bay 2", clusters=False, crops=False)
    texts = [
        json.dumps(create_app(s).layout().to_plotly_json(), default=str) for s in (survey, other)
    ]
    assert "Reef 7" in texts[0]
    assert "Bay 2" in texts[1]
    assert "Reef 7" not in texts[1]


def test_the_page_starts_without_heavy_modules() -> None:
    heavy = "{'torch', 'umap', 'numba', 'faiss', 'hdbscan', 'sklearn'}"
    code = f"import sys, app; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)
