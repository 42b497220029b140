"""What the page does when somebody means it ill."""

import http.client
import io
import json
import re
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from dash import Dash
from flask.testing import FlaskClient
from PIL import Image

from app import create_app, ids
from app.data import Explorer
from app.server import bind
from app.signing.access import Access
from app.signing.guard import LARGEST, Reach
from discover.survey import Survey
from tests.app.people import PASSWORD, sign_in, users_file
from tests.app.survey_on_disk import EMBED_RUN, RUNS

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@contextmanager
def _served(app: Dash) -> Iterator[int]:
    """Serve an application by sockets, and yield the port."""
    server = bind(app, port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        # In the thread that waits on the sockets, which must not be closed under it.
        with suppress(OSError):  # it may be awake already, and done
            server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()


class _Browser:
    """Speaks to a served page by a socket, and keeps its cookie."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def send(
        self, method: str, target: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request, whose target goes out as it is given."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {"Cookie": self.cookie} | {k.replace("_", "-"): v for k, v in headers.items()}
        line.request(method, target, body, sent)
        answer = line.getresponse()
        data = answer.read()
        if given := answer.getheader("Set-Cookie"):
            self.cookie = "; ".join(f"{m.key}={m.value}" for m in SimpleCookie(given).values())
        line.close()
        return answer.status, data

    def sign_in(self, name: str) -> "_Browser":
        form = urlencode({"name": name, "password": PASSWORD})
        kind = "application/x-www-form-urlencoded"
        assert self.send("POST", "/login", form, Content_Type=kind)[0] == 303
        return self

    def call_back(self, request: dict[str, Any]) -> tuple[int, bytes]:
        kind = "application/json"
        body = json.dumps(request)
        return self.send("POST", "/_dash-update-component", body, Content_Type=kind)


def _verdict(app: Dash, verdict: dict[str, Any], seen: int | None) -> dict[str, Any]:
    """Return the request by which the page sends a verdict."""
    (key,) = (
        key
        for key, one in app.callback_map.items()
        if [i["id"] for i in one["inputs"]] == [ids.VERDICT]
    )
    outputs = [{"id": i, "property": p} for i, p in re.findall(r"([\w-]+)\.(\w+)", key.strip("."))]
    return {
        "output": key,
        "outputs": outputs,
        "inputs": [{"id": ids.VERDICT, "property": "data", "value": verdict}],
        "state": [{"id": ids.EVENT, "property": "data", "value": seen}],
        "changedPropIds": [f"{ids.VERDICT}.data"],
    }


def _name(name: str, crops: list[str]) -> dict[str, Any]:
    target = {"run": RUNS["waste"], "crops": crops}
    return {"action": "name", "name": name, "target": target, "at": 1, "before": 0}


def _crops(explorer: Explorer) -> list[str]:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    return explorer.crops(run)["crop_id"].astype(str).tolist()


# Where requests lead and come from


@pytest.mark.parametrize(
    "target",
    [
        "/assets/../server.py",
        "/assets/..%2fserver.py",
        "/assets/%2e%2e/server.py",
        "/assets/..%5cserver.py",
        "/assets//etc/passwd",
        "/assets/%00",
        "/image/../../../../etc/passwd",
        "/image/..%2f..%2flabels.sqlite",
        "/image/%00",
        "/image/x?run=../../..&kind=crop",
        "/data/../labels.sqlite",
        "/data/..%2f..%2fsurvey.toml",
        "/picture/..%2f..%2fsurvey.toml",
        "/picture/%2e%2e",
        "/frame/..%2f..%2fsurvey.toml",
        "/_dash-component-suites/dash/../../../../etc/passwd",
        "/_dash-component-suites/dash/..%2f..%2f..%2fetc%2fpasswd",
        "http://evil.example/assets/../server.py",
        "//evil.example/etc/passwd",
    ],
)
def test_no_address_leads_out_of_the_page(app: Dash, survey: Survey, target: str) -> None:
    secrets = [(survey.root / "survey.toml"), Path("app/server.py"), Path("/etc/passwd")]
    with _served(app) as port:
        status, data = _Browser(port).send("GET", target)
    assert status < 500
    for secret in [file.read_bytes() for file in secrets if file.exists()]:
        assert secret[:40] not in data
    assert b"SQLite" not in data


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": ""},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "localhost.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"X_Forwarded_Host": "localhost", "Host": "evil.example"},
        {"Forwarded": "host=localhost", "Host": "evil.example"},
    ],
)
def test_a_forged_verdict_is_refused(
    app: Dash, explorer: Explorer, headers: dict[str, str]
) -> None:
    verdict = json.dumps(_verdict(app, _name("forged", _crops(explorer)[:3]), 0))
    with _served(app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port)
        line.putrequest("POST", "/_dash-update-component", skip_host="Host" in headers)
        given = {"Content-Type": "application/json", "Content-Length": str(len(verdict))}
        for key, value in (given | headers).items():
            line.putheader(key.replace("_", "-"), value)
        line.endheaders(verdict.encode())
        assert line.getresponse().status in (400, 403)
    assert explorer.labels.last_event_id() == 0


@pytest.mark.parametrize("headers", [{}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": "own"}])
def test_the_pages_own_verdict_is_taken(
    app: Dash, explorer: Explorer, headers: dict[str, str]
) -> None:
    verdict = json.dumps(_verdict(app, _name("own", _crops(explorer)[:3]), 0))
    with _served(app) as port:
        own = {k: f"http://127.0.0.1:{port}" if v == "own" else v for k, v in headers.items()}
        browser = _Browser(port)
        sent = {"Content_Type": "application/json", **own}
        assert browser.send("POST", "/_dash-update-component", verdict, **sent)[0] == 200
    assert explorer.names()["name"].tolist() == ["own"] * 3


def test_a_page_that_frames_or_reads_this_one_gets_nothing(client: FlaskClient) -> None:
    for address in ("/", "/image/0", "/_dash-layout", "/nowhere", "/assets/explorer.css"):
        headers = client.get(address).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


# What is too large


def test_a_request_that_is_too_large_is_told_so(app: Dash) -> None:
    with _served(app) as port:
        browser = _Browser(port)
        body = b"x" * (LARGEST + 1)
        kind = {"Content_Type": "application/json"}
        status, data = browser.send("POST", "/_dash-update-component", body, **kind)
        assert (status, json.loads(data)) == (
            413,
            {"error": "a request may hold 32,768 kB; this one holds more"},
        )
        assert browser.send("GET", "/_dash-layout")[0] == 200


def test_a_stranger_can_send_little(survey: Survey, tmp_path: Path) -> None:
    app = create_app(survey, access=Access(users=users_file(tmp_path, mara="annotator")))
    with _served(app) as port:
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        form = "name=" + "x" * 20_000
        assert _Browser(port).send("POST", "/login", form, **kind)[0] == 413
        assert _Browser(port).send("POST", "/data/similar", b"x" * 20_000)[0] == 401


# Pictures that harm


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _png(width: int, height: int, rows: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG of zeros that declares a size, and holds `rows` of it."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(width * channels * depth // 8 if rows else 0)
    packed = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _jpeg(width: int = 320, height: int = 180) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def _with_comment(data: bytes, text: bytes) -> bytes:
    """Put a text into a JPEG, which stays a JPEG."""
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[2:] + text


def _tiff(tag: int, count: int) -> bytes:
    """Return a TIFF whose one tag says that it has very many values."""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", tag, 4, count, 0xFFFFFF) + b"\0" * 4


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a bomb of 3.6 gigapixels": lambda: _png(60_000, 60_000, 20),
    "a bomb that says more than it may": lambda: _png(2**31 - 1, 2**31 - 1, 0),
    "a PNG without rows": lambda: _png(320, 180, 0),
    "a picture without pixels": lambda: _png(0, 0, 0),
    "a line of 60,000 pixels": lambda: _png(60_000, 1, 1),
    "a column of 60,000 pixels": lambda: _png(1, 60_000, 60_000),
    "a truncated JPEG": lambda: _jpeg()[:2000],
    "a JPEG that ends in its header": lambda: _jpeg()[:30],
    "a JPEG of another size": lambda: _jpeg(31, 700),
    "a JPEG that is a page too": lambda: _with_comment(_jpeg(), SCRIPT.encode()),
    "a GIF that is a script too": lambda: b"GIF89a/*\0\0\0*/=1;alert(1)//" + SCRIPT.encode(),
    "an SVG with a script": lambda: (
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(2)</script></svg>'
    ),
    "a page": lambda: b"<!doctype html>" + SCRIPT.encode(),
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "a TIFF of too many values": lambda: _tiff(256, 2**32 - 1),
    "a TIFF that leads nowhere": lambda: b"II*\0\xff\xff\xff\xff",
    "noise": lambda: bytes(range(256)) * 40,
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_frame_is_a_picture_or_a_placeholder(
    client: FlaskClient, survey: Survey, explorer: Explorer, what: str
) -> None:
    crop = _crops(explorer)[0]
    survey.frame_path(explorer.boxes(EMBED_RUN).loc[crop, "path"]).write_bytes(HOSTILE[what]())
    for kind in ("crop", "mask", "heat", "frame"):
        answer = client.get(f"/image/{crop}?kind={kind}")
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        Image.open(io.BytesIO(answer.data)).load()
        assert b"alert(2)" not in answer.data


@pytest.mark.parametrize("cut", range(0, 1200, 60))
def test_a_frame_with_damage_anywhere_is_no_error(
    client: FlaskClient, survey: Survey, explorer: Explorer, cut: int
) -> None:
    crop = _crops(explorer)[0]
    file = survey.frame_path(explorer.boxes(EMBED_RUN).loc[crop, "path"])
    data = bytearray(file.read_bytes())
    data[cut : cut + 24] = bytes(255 - byte for byte in data[cut : cut + 24])
    file.write_bytes(data)
    for kind in ("crop", "frame"):
        assert client.get(f"/image/{crop}?kind={kind}").status_code == 200


_PEAK = """
import resource, sys
from pathlib import Path
from app import create_app
from app.data import Explorer
from discover.survey import open_survey

client = create_app(open_survey(Path(sys.argv[1]))).server.test_client()
assert client.get(f"/image/{sys.argv[2]}?kind=frame").status_code == 200
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Path(sys.argv[3]).write_bytes(Path(sys.argv[4]).read_bytes())
answer = client.get(f"/image/{sys.argv[2]}?kind=crop")
assert answer.headers["Cache-Control"] == "no-store", "a bomb was drawn"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_no_memory(survey: Survey, explorer: Explorer, tmp_path: Path) -> None:
    crop = _crops(explorer)[0]
    file = survey.frame_path(explorer.boxes(EMBED_RUN).loc[crop, "path"])
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(_png(60_000, 60_000, 2000))
    command = [sys.executable, "-c", _PEAK, survey.root, crop, file, bomb]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000  # kB; the rows that it holds are 360 MB


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_upload_is_kept_as_pixels_or_refused(
    client: FlaskClient, survey: Survey, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("app.crops.likeness.like", lambda *_: [])  # its network is tested elsewhere
    answer = client.post(f"/data/similar?run={RUNS['waste']}", data=HOSTILE[what]())
    assert answer.status_code in (200, 422)
    assert answer.mimetype == "application/json"
    kept = [file for file in survey.cache.rglob("*") if file.is_file()]
    assert len(kept) == (answer.status_code == 200)
    for file in kept:
        shown = client.get(f"/picture/{answer.json['like']}")
        assert (shown.mimetype, shown.data) == ("image/png", file.read_bytes())
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert b"alert(2)" not in shown.data


def test_an_upload_that_is_too_large_is_told_so(app: Dash, survey: Survey) -> None:
    with _served(app) as port:
        status, data = _Browser(port).send(
            "POST", f"/data/similar?run={RUNS['waste']}", b"x" * (LARGEST + 1)
        )
    assert (status, list(json.loads(data))) == (413, ["error"])
    assert not (survey.cache / "pictures").exists()


# Names that are code


def test_code_in_a_name_stays_text(app: Dash, explorer: Explorer, client: FlaskClient) -> None:
    verdict = _verdict(app, _name(SCRIPT, _crops(explorer)[:3]), 0)
    answer = client.post("/_dash-update-component", json=verdict)
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert explorer.names()["name"].tolist() == [SCRIPT] * 3
    shown = client.get("/", headers={"Accept": "text/html"})
    assert SCRIPT.encode() not in shown.data


@pytest.mark.parametrize("address", ["/image/{}", "/image/x/{}", "/image/x?run={}", "/data/{}"])
def test_code_in_an_address_stays_text(client: FlaskClient, address: str) -> None:
    answer = client.get(address.format("<script>alert(1)</script>"))
    assert b"<script>alert(1)" not in answer.data


# Many at once

PEOPLE = [f"person {number:02}" for number in range(20)]


@pytest.fixture
def team(survey: Survey, tmp_path: Path) -> Dash:
    roles = dict.fromkeys(PEOPLE, "annotator") | {"vic": "viewer"}
    return create_app(survey, access=Access(users=users_file(tmp_path, **roles)))


def test_twenty_annotators_at_once_lose_nothing(team: Dash, explorer: Explorer) -> None:
    crops = _crops(explorer)
    each = 3
    shares = {who: crops[n * each : (n + 1) * each] for n, who in enumerate(PEOPLE)}
    assert len(crops) >= each * len(PEOPLE)
    start = threading.Barrier(len(PEOPLE) + 1, timeout=60)

    def label(who: str) -> list[int]:
        browser = _Browser(port).sign_in(who)
        start.wait()
        requests = [_verdict(team, _name(f"of {who}", [crop]), 0) for crop in shares[who]]
        return [browser.call_back(request)[0] for request in requests]

    def look() -> list[bytes]:
        browser = _Browser(port).sign_in("vic")
        start.wait()
        return [
            browser.call_back(_verdict(team, _name("of vic", [crop]), 0))[1] for crop in crops[:9]
        ]

    with _served(team) as port, ThreadPoolExecutor(len(PEOPLE) + 1) as pool:
        refused = pool.submit(look)
        codes = list(pool.map(label, PEOPLE))
        assert codes == [[200] * each] * len(PEOPLE)
        assert all(b"may look" in answer for answer in refused.result())

    events = explorer.labels.history(None)
    assert sorted(event.event_id for event in events) == list(range(1, each * len(PEOPLE) + 1))
    by = {who: sorted(e.name for e in events if e.annotator == who) for who in PEOPLE}
    assert by == {who: [f"of {who}"] * each for who in PEOPLE}
    stands = explorer.names().set_index("crop_id")["name"].to_dict()
    assert stands == {crop: f"of {who}" for who, share in shares.items() for crop in share}


def test_of_twenty_who_name_one_crop_one_does_and_the_others_hear_of_it(
    team: Dash, explorer: Explorer
) -> None:
    crop = _crops(explorer)[0]
    start = threading.Barrier(len(PEOPLE), timeout=60)

    def label(who: str) -> str:
        browser = _Browser(port).sign_in(who)
        start.wait()
        return browser.call_back(_verdict(team, _name(f"of {who}", [crop]), 0))[1].decode()

    with _served(team) as port, ThreadPoolExecutor(len(PEOPLE)) as pool:
        answers = list(pool.map(label, PEOPLE))
    (event,) = explorer.labels.history(None)
    winner = PEOPLE.index(event.annotator)
    assert explorer.names()["name"].tolist() == [f"of {event.annotator}"]
    told = [f"{event.annotator} changed 1 of these" in answer for answer in answers]
    assert told == [number != winner for number in range(len(PEOPLE))]


@pytest.mark.parametrize(
    "verdict",
    [
        {"action": "name", "name": "x"},
        {"action": "clear"},
        {"action": "undo"},
        {"action": "redo"},
    ],
)
def test_a_viewer_changes_nothing(team: Dash, explorer: Explorer, verdict: dict[str, str]) -> None:
    crops = _crops(explorer)[:3]
    explorer.labels.name(crops, "can", annotator="vic")
    client = sign_in(team.server.test_client(), "vic")
    answer = client.post(
        "/_dash-update-component", json=_verdict(team, _name("y", crops) | verdict, None)
    )
    assert "may look" in answer.text
    assert explorer.labels.last_event_id() == 1


def test_a_viewer_cannot_write_by_a_way_that_forgot_to_ask(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Explorer] = []
    monkeypatch.setattr("app.crops.verdicts.register", lambda _app, explorer: held.append(explorer))
    users = users_file(tmp_path, vic="viewer", mara="annotator")
    server = create_app(survey, access=Access(users=users)).server
    (explorer,) = held
    crops = _crops(explorer)[:1]
    server.view_functions["/_dash-layout"] = lambda: str(
        explorer.labels.name(crops, "can", annotator="mara")
    )
    answer = sign_in(server.test_client(), "vic").get("/_dash-layout")
    assert (answer.status_code, answer.text) == (403, "vic is a viewer here and may look only")
    assert explorer.labels.last_event_id() == 0
    assert sign_in(server.test_client(), "mara").get("/_dash-layout").status_code == 200
    assert explorer.labels.last_event_id() == 1


# Who reaches the page


@pytest.mark.parametrize(
    "reach",
    [
        Reach(host="0.0.0.0"),
        Reach(host="::"),
        Reach(names=("rov.example",)),
        Reach(behind_proxy=True),
    ],
)
def test_a_page_that_others_reach_has_a_sign_in(survey: Survey, reach: Reach) -> None:
    from app.server import ServeError

    with pytest.raises(ServeError, match=r"discover users add.*--token auto"):
        create_app(survey, reach=reach)
