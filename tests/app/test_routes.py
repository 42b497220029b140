"""What the page's scripts ask for is answered by id, bounded, and as JSON."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from app.crops import likeness
from app.crops.likeness import PictureError, keep_picture
from app.data import Explorer
from tests.app.survey_on_disk import RUNS

Ask = Callable[..., TestResponse]


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    def get(path: str, **sent: object) -> TestResponse:
        call = client.post if sent else client.get
        return call(path, base_url="http://127.0.0.1:80", **sent)  # type: ignore[arg-type]

    return get


def _png(width: int = 40, height: int = 30) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_crops_are_told_by_id(explorer: Explorer, ask: Ask) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)["crop_id"].head(3).tolist()
    explorer.labels.name(crops[:1], "<b>can</b>", annotator="mara")
    asked = {"run": run.name, "crops": [*crops, "nothing"]}
    answer = ask("/data/crops", json=asked)
    assert answer.mimetype == "application/json"
    found = answer.get_json()
    assert sorted(found) == sorted(crops)
    assert found[crops[0]]["label"] == "<b>can</b>"
    assert found[crops[0]]["origin"] == "human"
    assert found[crops[1]]["label"] is None
    assert found[crops[1]]["where"].startswith("dive dive-")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"run": RUNS["waste"], "crops": ["x"] * 601}, 400),
        ({"run": RUNS["waste"], "crops": "x"}, 400),
        ({"run": "../frames", "crops": []}, 404),
        ([], 400),
    ],
)
def test_what_cannot_be_answered_is_refused(ask: Ask, sent: object, status: int) -> None:
    assert ask("/data/crops", json=sent).status_code == status


def test_groups_names_and_parts_are_listed(explorer: Explorer, ask: Ask) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    groups = ask(f"/data/groups?run={run.name}").get_json()
    assert {row["group"] for row in groups} == {"-1", "0", "1", "2"}
    assert sum(row["size"] for row in groups) == run.counts["crops"]
    explorer.labels.name(explorer.crops(run)["crop_id"].head(2), "can", annotator="mara")
    assert ask(f"/data/names?run={run.name}").get_json() == [["can", 2]]
    parts = ask(f"/data/parts?run={run.name}&group=0").get_json()
    assert [row["part"] for row in parts] == [0, 1]
    whole = next(row for row in groups if row["group"] == "0")
    assert sum(row["size"] for row in parts) == whole["size"]
    assert ask(f"/data/parts?run={run.name}&group=1").get_json() == []
    assert ask(f"/data/parts?run={run.name}&group=x").status_code == 400
    assert ask("/data/names?run=nowhere").status_code == 404


def test_a_picture_is_kept_as_pixels_alone(explorer: Explorer, ask: Ask) -> None:
    key = keep_picture(explorer, _png())
    assert key == keep_picture(explorer, _png())
    answer = ask(f"/picture/{key}")
    assert answer.mimetype == "image/png"
    with Image.open(io.BytesIO(answer.data)) as kept:
        assert kept.size == (40, 30)
    large = keep_picture(explorer, _png(2000, 1000))
    with Image.open(io.BytesIO(ask(f"/picture/{large}").data)) as kept:
        assert kept.size == (1024, 512)
    assert ask("/picture/p0000").status_code == 404
    assert ask("/picture/..%2F..%2Fsurvey.toml").status_code == 404


@pytest.mark.parametrize(
    "data", [b"", b"<svg onload=alert(1)>", b"\xff\xd8\xff not a jpeg", _png()[:60], b"GIF89a"]
)
def test_what_is_no_picture_is_refused_in_words(explorer: Explorer, ask: Ask, data: bytes) -> None:
    answer = ask(f"/data/similar?run={RUNS['waste']}", data=data)
    assert answer.status_code == 422
    assert "no picture" in answer.get_json()["error"]
    assert not list((explorer.survey.cache / "pictures").glob("*"))


def test_a_picture_of_too_many_pixels_is_refused(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "_MOST_PIXELS", 1000)
    with pytest.raises(PictureError, match="40 x 30 pixels"):
        keep_picture(explorer, _png())


def test_the_like_of_a_picture_are_looked_up_once(
    explorer: Explorer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)["crop_id"]
    asked: list[str] = []

    def told(_explorer: Explorer, _run: object, key: str) -> str:
        asked.append(key)
        return f'[{{"crop_id": "{crops[5]}"}}, {{"crop_id": "of another class"}}]'

    monkeypatch.setattr(likeness, "_ask", told)
    for _ in range(2):
        found = ask(f"/data/similar?run={run.name}", data=_png()).get_json()
        assert found["found"] == 1
    assert asked == [found["like"]]
    assert crops.iloc[likeness.like(explorer, run, found["like"])].tolist() == [crops[5]]


def test_a_picture_that_cannot_be_compared_says_why(explorer: Explorer, tmp_path: Path) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    key = keep_picture(explorer, _png())
    # The survey's embeddings were written by hand: they say nothing of how an image becomes one.
    with pytest.raises(PictureError, match=r"cannot be compared: .*embeddings"):
        likeness.like(explorer, run, key)
