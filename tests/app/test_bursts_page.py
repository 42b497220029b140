"""The bursts page: the time line, the stacks, verdicts on them, proofs, leaks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient
from plotly.utils import PlotlyJSONEncoder

from app.auth import User
from app.crops.verdicts import describe
from app.data import Explorer
from app.figures import bursts as burst_figures
from app.frames import proofs, stacks
from app.frames.data import FramesData, frames_data
from app.frames.leaks_panel import leaks_panel, leaks_rows, split_file
from app.frames.verdicts import decide
from app.pages import bursts as page
from app.pages.burst_parts import card, opened_burst
from discover.listed import write_table
from discover.naming.burst_verdicts import Bursts
from discover.survey import Survey, open_survey
from tests.app.bursts_on_disk import RUN, add_bursts

DIVE = "dive-1"  # its fifteen frames are five bursts of three


@pytest.fixture
def bursts(survey: Survey) -> Survey:
    return add_bursts(survey)


@pytest.fixture
def data(bursts: Survey, explorer: Explorer) -> FramesData:
    return frames_data(explorer)


def _text(component: object) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder)


def _now(data: FramesData) -> tuple[Bursts, pd.DataFrame]:
    found = data.bursts()
    assert found is not None
    return found, stacks.stacks_of(stacks.dive_frames(data, found, DIVE), found)


def _say(explorer: Explorer, action: str, burst: str, **more: object) -> object:
    verdict = {"action": action, "burst": burst, "run": RUN, "dive": DIVE, **more}
    return decide(explorer, {"seen": explorer.labels.last_event_id(), **verdict})


def test_without_bursts_the_page_says_what_to_run(tmp_path: Path, explorer: Explorer) -> None:
    text = _text(page.layout(explorer, {}))
    assert "discover bursts" in text
    assert r"{\"command\": \"bursts\"}" in text
    empty = Explorer(open_survey(tmp_path / "new", create=True))
    assert "discover add FOLDER" in _text(page.layout(empty, {}))


def test_the_page_stands_whatever_the_address_asks_for(
    data: FramesData, explorer: Explorer
) -> None:
    for query in ({}, {"dive": "nowhere", "burst": "x", "show": "?", "leaf": "-4"}):
        assert DIVE in _text(page.layout(explorer, query))
    _, found = _now(data)
    other = data.frames().table.query("dive == 'dive-3'")["frame_id"].iloc[0]
    assert len(found) == 5
    assert '"dive": "dive-3"' in _text(page.layout(explorer, {"burst": min(_three(data, other))}))


def _three(data: FramesData, frame: str) -> list[str]:
    place = data.frames().place(frame)
    assert place is not None
    return data.frames().table["frame_id"].iloc[place : place + 3].tolist()


def test_stacks_hold_each_frame_of_the_dive_once(data: FramesData) -> None:
    found, table = _now(data)
    own = stacks.members(data, found, table.index.tolist())
    frames = [frame for rows in own.values() for frame in rows["frame_id"]]
    dive = data.frames().table.query("dive == @DIVE")["frame_id"]
    assert sorted(frames) == sorted(dive)
    assert all(rows["keyframe"].tolist() == [True, False, False] for rows in own.values())


def test_after_a_verdict_the_next_burst_to_check_is_open(
    data: FramesData, explorer: Explorer
) -> None:
    _, table = _now(data)
    first, second = table.index[:2]
    done = _say(explorer, "accept", first)
    assert done.message == "Accepted the burst of 3 frames \u2014 Ctrl-Z undoes it"
    assert done.opened == second
    _, table = _now(data)
    assert table["accepted"].tolist() == [True, False, False, False, False]
    assert first not in stacks.shown(table, "check").index
    assert _say(explorer, "accept", first).message == "Accepted already: nothing changed"


def test_split_then_merge_back_then_undo(data: FramesData, explorer: Explorer) -> None:
    before, table = _now(data)
    burst = table.index[1]
    rows = stacks.members(data, before, [burst])[burst]
    split = _say(explorer, "split", burst, frames=rows["frame_id"].iloc[1:].tolist())
    assert "Split off 2 of 3 frames" in split.message
    assert len(_now(data)[1]) == 6
    merged = _say(explorer, "merge", burst, into="before")
    assert not merged.failed
    assert merged.opened == table.index[0]
    assert _now(data)[1]["frames"].tolist() == [4, 2, 3, 3, 3]
    for _ in range(2):
        explorer.labels.undo(annotator="mara")
    assert _now(data)[1].equals(table)


def test_what_cannot_be_is_said_and_nothing_is_written(
    data: FramesData, explorer: Explorer
) -> None:
    _, table = _now(data)
    for action, burst, more, said in (
        ("merge", table.index[0], {"into": "before"}, "no burst before this one"),
        ("merge", table.index[0], {"into": "x"}, "'x' is not of run"),
        ("split", table.index[0], {"frames": []}, "choose some"),
        ("accept", None, {}, "No burst is open"),
        ("burn", table.index[0], {}, "is none of"),
    ):
        done = _say(explorer, action, burst, **more)
        assert done.failed
        assert said in done.message
    assert explorer.labels.last_event_id() == 0


def test_who_may_only_look_decides_nothing(
    data: FramesData, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = User("ana", "viewer")
    monkeypatch.setattr("app.frames.verdicts.current_user", lambda _explorer: viewer)
    done = _say(explorer, "accept", _now(data)[1].index[0])
    assert done.failed
    assert "ana may look, not decide" in done.message
    assert explorer.labels.last_event_id() == 0


def test_the_history_tells_what_was_done_to_bursts(data: FramesData, explorer: Explorer) -> None:
    _, table = _now(data)
    _say(explorer, "accept", table.index[0])
    _say(explorer, "merge", table.index[1], into="after")
    told = [describe(event) for event in explorer.labels.history()]
    assert told == [
        "merge bursts \u201c3 frames into one of 3 frames\u201d",
        "accept burst \u201c3 frames\u201d",
    ]


def test_a_conflict_is_shown_and_not_overwritten(data: FramesData, explorer: Explorer) -> None:
    found, table = _now(data)
    burst = table.index[0]
    frame = stacks.members(data, found, [burst])[burst]["frame_id"].iloc[1]
    explorer.annotator = "jon"
    _say(explorer, "split", burst, frames=[frame])
    explorer.annotator = "mara"
    done = _say(explorer, "accept", burst, seen=0)
    assert done.failed
    assert "jon changed this burst since you looked" in done.message
    assert not _now(data)[1]["accepted"].any()


def test_a_name_on_a_crop_leaves_the_bursts_as_they_are_held(
    data: FramesData, explorer: Explorer
) -> None:
    held = data.bursts()
    explorer.labels.name(["c"], "can", annotator="mara")
    assert data.bursts() is held


def test_cards_show_the_keyframe_first_and_words_are_text(data: FramesData) -> None:
    found, table = _now(data)
    burst = table.index[0]
    rows = stacks.members(data, found, [burst])[burst]
    text = _text(card(burst, rows, accepted=True, opened=False))
    at = [text.index(f"/frame-image/{frame}?") for frame in rows["frame_id"]]
    assert at == sorted(at)
    assert "3 frames, accepted" in text
    proof = data.proofs(rows["frame_id"].iloc[0], rows["frame_id"].iloc[1:].tolist())
    opened = _text(opened_burst(burst, rows, proof, accepted=False))
    assert "0.90 \\u00b7 40 points" in opened
    assert "not proven itself" in opened


def test_a_burst_whose_split_was_undone_is_said_to_be_gone(
    data: FramesData, explorer: Explorer
) -> None:
    assert stacks.members(data, _now(data)[0], ["s1"]) == {}
    assert stacks.beside(_now(data)[1], "s1", 1) is None


@pytest.mark.parametrize("timed", [False, True])
def test_the_time_line_has_a_mark_a_frame_and_a_bar_a_burst(data: FramesData, timed: bool) -> None:
    found, table = _now(data)
    frames = stacks.dive_frames(data, found, DIVE)
    if timed:
        times = pd.date_range("2024-05-01 10:00", periods=15, freq="10s", tz="UTC")
        frames = frames.assign(time_utc=times)
    figure = burst_figures.time_line(frames, table, opened=str(table.index[0]))
    bars, plain, keys, depth = figure.data
    assert [row[0] for row in bars.customdata] == table.index.tolist()
    assert len(plain.x) + len(keys.x) == 15
    assert len(keys.x) == 5
    assert list(depth.y) == frames["depth_m"].tolist()
    assert figure.layout.xaxis.type == ("date" if timed else "linear")
    assert PlotlyJSONEncoder().encode(figure)


@pytest.mark.parametrize("count", [burst_figures.MOST_MARKS + 1, 200_000])
def test_the_payload_of_a_long_dive_is_bounded_and_zooming_shows_frames(count: int) -> None:
    frames = pd.DataFrame(
        {
            "index": np.arange(count),
            "time_utc": pd.Series([pd.NaT] * count, dtype="datetime64[us, UTC]"),
            "depth_m": np.linspace(0, 900, count),
            "burst_id": [f"b{n // 4}" for n in range(count)],
            "keyframe": np.arange(count) % 4 == 0,
        }
    )
    rows = frames.groupby("burst_id", sort=False)["index"]
    table = rows.agg(frames="size", first="min", last="max").assign(accepted=False)
    whole = burst_figures.time_line(frames, table)
    assert sum(len(trace.x) for trace in whole.data) < 2 * burst_figures.MOST_MARKS
    part = burst_figures.time_line(frames, table, view=(1000.5, 1100.5))
    bars, plain, keys, _ = part.data
    assert len(plain.x) + len(keys.x) == 100
    assert 25 <= len(bars.x) <= 27


def test_leaks_of_the_split_in_the_survey_are_listed_with_their_proof(
    bursts: Survey, explorer: Explorer
) -> None:
    assert split_file(bursts) is None
    assert "discover split --survey" in _text(leaks_panel(explorer))
    frames = bursts.frames.read(["path", "index"]).to_pandas()
    part = np.where(frames["index"] % 3 == 1, "test", "train")
    table = pd.DataFrame({"image": frames["path"], "split": part})
    write_table(table, bursts.root / "split.csv")
    (bursts.root / "labels.csv").write_text("image,label\na.jpg,x\n")
    assert split_file(bursts) == bursts.root / "split.csv"
    assert "Look for leaks in split.csv" in _text(leaks_panel(explorer))
    found = leaks_rows(explorer)
    text = _text(found)
    assert "this split leaks" in text
    pairs = bursts.table("pairs", RUN).read().to_pandas()
    shown = text.count('"data-proof"')
    assert 0 < shown <= len(pairs)


def test_proofs_are_asked_for_by_frames_of_the_survey_alone(
    bursts: Survey, client: FlaskClient
) -> None:
    frame = bursts.frames.read(["frame_id"])["frame_id"][0].as_py()
    for address in (
        f"/proof/{frame}/nowhere",
        f"/proof/..%2f..%2fx/{frame}",
        f"/proof-image/{frame}/nowhere",
        f"/proof-image/{frame}/{frame}",
    ):
        assert client.get(address).status_code == 404


def test_a_proof_is_drawn_once_and_a_comparison_that_fails_says_why(
    bursts: Survey, client: FlaskClient, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = bursts.frames.read(["frame_id"])["frame_id"].to_pylist()[:2]
    code = (
        "import json, pathlib, sys; out = sys.argv[sys.argv.index('--out') + 1]; "
        "pathlib.Path(out).write_bytes(b'png'); "
        "print(json.dumps({'verdict': ' '.join(sys.argv[1:5]), 'probability': 1, 'inliers': 3}))"
    )
    monkeypatch.setattr(proofs, "DISCOVER", [proofs.DISCOVER[0], "-c", code])
    said = client.get(f"/proof/{a}/{b}").get_json()
    assert said["verdict"] == f"bursts --explain {a} {b}"
    assert client.get(f"/proof-image/{a}/{b}").data == b"png"
    broken = [proofs.DISCOVER[0], "-c", "import sys; sys.exit('no such luck')"]
    monkeypatch.setattr(proofs, "DISCOVER", broken)
    assert client.get(f"/proof/{a}/{b}").get_json() == said  # it is kept
    assert client.get(f"/proof/{b}/{a}").get_json() == {"error": "no such luck"}


def test_while_one_proof_is_drawn_another_is_asked_to_wait(
    bursts: Survey, explorer: Explorer
) -> None:
    drawing = proofs.Proofs(explorer)
    a, b = bursts.frames.read(["frame_id"])["frame_id"].to_pylist()[:2]
    with drawing.one_at_a_time:
        assert drawing.draw(a, b) is None


def test_the_comparison_is_asked_of_the_program_as_it_is(
    survey: Survey, explorer: Explorer
) -> None:
    a, b = survey.frames.read(["frame_id"])["frame_id"].to_pylist()[:2]
    said = proofs.Proofs(explorer).draw(a, b)
    assert said is not None
    assert "has no bursts: run `discover bursts` first" in said["error"]
