import json
import socket
import subprocess
import sys

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import create_app, serve
from app.server import ServeError, bind
from discover.survey import Survey


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
