import json
from typing import Any

import numpy as np
import pytest
from plotly.utils import PlotlyJSONEncoder

from app.data import Explorer
from app.figures import survey as figures_survey
from app.names import data as subcategory_data
from app.names import parts as subcategory_parts
from app.names.edits import TOP, codes_of, edit
from app.pages import subcategories
from discover.labels import By, LabelError
from tests.app.test_overview import add_suggestions, job

MARA = By("mara")


@pytest.fixture
def named(explorer: Explorer) -> Explorer:
    (waste,) = [run for run in explorer.class_runs() if run.class_name == "waste"]
    crops = explorer.crops(waste)["crop_id"].tolist()
    explorer.labels.name(crops[:6], "plastic > bag", annotator="mara")
    explorer.labels.name(crops[6:10], "plastic > bottle", annotator="jon")
    explorer.labels.name(crops[10:13], "can", annotator="head", origin="machine")
    return explorer


def by_name(explorer: Explorer) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in subcategory_data.tree_rows(explorer)}


def ask(explorer: Explorer, do: str, name: str | None = None, **more: Any) -> tuple[str, bool]:  # noqa: ANN401
    rows = by_name(explorer)
    asked = {"do": do, "id": rows[name]["id"] if name else None, **more}
    if more.get("to") in rows:
        asked["to"] = rows[more["to"]]["id"]
    return edit(explorer, asked, MARA)


def test_the_tree_counts_what_lies_below(named: Explorer) -> None:
    rows = subcategory_data.tree_rows(named)
    assert [(r["name"], r["depth"], r["crops"]) for r in rows] == [
        ("can", 0, 3), ("plastic", 0, 10), ("bag", 1, 6), ("bottle", 1, 4),
    ]  # fmt: skip
    found = by_name(named)
    assert (found["plastic"]["own"], found["plastic"]["human"]) == (0, 10)
    assert (found["can"]["human"], found["can"]["machine"], found["can"]["who"]) == (0, 3, "head")
    assert found["bag"]["parent"] == found["plastic"]["id"]
    assert found["bottle"]["who"] == "jon"
    dives = named.survey.frames.read(["dive"])["dive"].unique().to_pylist()
    assert 1 <= found["bag"]["dives"] <= found["plastic"]["dives"] <= len(dives)


def test_edits_are_events_that_undo_takes_back(named: Explorer) -> None:
    before = subcategory_data.tree_rows(named)
    assert ask(named, "name", "can", value=" tin ") == ("Renamed — Ctrl-Z undoes it", False)
    assert by_name(named)["tin"]["crops"] == 3
    assert not ask(named, "codes", "bag", value="AphiaID: 12; group: soft: thin")[1]
    assert by_name(named)["bag"]["codes"] == "AphiaID: 12; group: soft: thin"
    assert not ask(named, "codes", "bag", value="group: soft")[1]  # what is gone is taken away
    assert by_name(named)["bag"]["codes"] == "group: soft"
    assert not ask(named, "colour", "bag", value="#00FF00")[1]
    assert by_name(named)["bag"]["colour"] == "#00ff00"
    assert not ask(named, "move", "bag", to=TOP)[1]
    assert by_name(named)["bag"]["depth"] == 0
    assert not ask(named, "move", "bag", to="tin")[1]
    assert by_name(named)["bag"]["path"] == "tin > bag"
    assert not ask(named, "merge", "bottle", to="bag")[1]
    assert "bottle" not in by_name(named)
    assert by_name(named)["bag"]["own"] == 10
    assert not ask(named, "add", value="rope > thick")[1]
    assert by_name(named)["thick"]["crops"] == 0
    assert not ask(named, "delete", "thick")[1]
    assert "thick" not in by_name(named)
    for _ in range(9):
        named.labels.undo(annotator="mara")
    assert subcategory_data.tree_rows(named) == before


@pytest.mark.parametrize(
    ("do", "name", "more", "says"),
    [
        ("name", "bag", {"value": "bottle"}, "merge the two instead"),
        ("name", "bag", {"value": " "}, "name is empty"),
        ("codes", "bag", {"value": "12345"}, "AphiaID: 123776"),
        ("colour", "bag", {"value": "red"}, "colour 'red'"),
        ("move", "plastic", {"to": "bag"}, "cannot lie below itself"),
        ("move", "bag", {}, "say where to"),
        ("merge", "bag", {"to": TOP}, "say where to"),
        ("delete", "bag", {}, "is the name of crops"),
        ("delete", "plastic", {}, "has others below it"),
        ("delete", None, {}, "is not in the tree"),
        ("burn", "bag", {}, "'burn'"),
    ],
)
def test_an_edit_that_cannot_be_is_said(
    named: Explorer, do: str, name: str | None, more: dict[str, str], says: str
) -> None:
    before = named.labels.last_event_id()
    said, failed = ask(named, do, name, **more)
    assert failed
    assert says in said
    assert named.labels.last_event_id() == before


def test_what_somebody_else_changed_since_is_not_overwritten(named: Explorer) -> None:
    seen, bag = named.labels.last_event_id(), by_name(named)["bag"]["id"]
    assert not edit(named, {"do": "name", "id": bag, "value": "sack"}, By("jon", seen=seen))[1]
    said, failed = edit(named, {"do": "name", "id": bag, "value": "foil"}, By("mara", seen=seen))
    assert failed
    assert "jon changed 1 of these since you looked" in said
    assert "sack" in by_name(named)


def test_codes_are_read_as_they_are_written() -> None:
    codes = {"AphiaID": "123776", "SFDO": "a: b"}
    assert codes_of(subcategory_data.codes_text(codes)) == codes
    assert codes_of("") == {}
    with pytest.raises(LabelError, match="'x:'"):
        codes_of("AphiaID: 1; x:")


def test_the_pace_is_a_running_sum_without_what_was_undone(named: Explorer) -> None:
    rows = subcategory_data.pace(named.labels)
    assert rows.groupby("annotator")["crops"].last().to_dict() == {"jon": 4, "mara": 6}
    named.labels.undo(annotator="mara")
    rows = subcategory_data.pace(named.labels)
    assert rows.groupby("annotator")["crops"].last().to_dict() == {"jon": 4, "mara": 0}
    assert {trace.name for trace in figures_survey.pace(rows).data} == {"jon", "mara"}


def test_the_pace_is_bounded(named: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subcategory_data, "MOST_MARKS", 3)
    crop = named.names()["crop_id"].iloc[0]
    for number in range(8):
        named.labels.name([crop], f"kind {number}", annotator="mara")
    rows = subcategory_data.pace(named.labels)
    mine = rows[rows["annotator"] == "mara"]["crops"].tolist()
    assert len(mine) == 3
    assert mine[-1] == 14


def test_nobody_has_named_anything(explorer: Explorer) -> None:
    assert subcategory_data.tree_rows(explorer) == []
    assert subcategory_data.pace(explorer.labels).empty
    assert len(figures_survey.pace(subcategory_data.pace(explorer.labels)).data) == 0


def test_a_confusion_keeps_its_most_frequent_kinds_and_shows_names_as_text() -> None:
    kinds = [f"<b>kind {number}" for number in range(40)]
    counts = np.diag(np.arange(40)).tolist()
    (drawn,) = figures_survey.confusion(kinds, counts).data
    assert len(drawn.x) == figures_survey.MOST_KINDS
    assert drawn.x[-1] == "&lt;b&gt;kind 39"
    assert drawn.customdata[-1][-1] == 39
    assert np.max(drawn.z) == 1


def test_the_page_says_how_right_the_latest_head_is(explorer: Explorer) -> None:
    assert "Learn the kinds" in _text(subcategory_parts.confusion(explorer))
    add_suggestions(explorer.survey, [])
    shown = _text(subcategory_parts.confusion(explorer))
    assert "right on 85% of 20 named crops" in shown
    assert '"customdata"' in shown


def test_each_format_has_a_button_and_finished_exports_a_download() -> None:
    done = job(command="export", state="done", result={"out": "x", "labels": 5})
    shown = _text(subcategory_parts.exports([done, job(command="cluster")]))
    assert shown.count("data-job") == 10
    assert "/job/a1/download" in shown
    assert "5 labels" in shown
    assert "Finished" not in _text(subcategory_parts.exports([]))


def test_a_viewer_changes_nothing(named: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.auth import User

    monkeypatch.setattr(subcategories, "current_user", lambda _: User("eve", "viewer"))
    before = named.labels.last_event_id()
    said, failed = subcategories._answer(named, {"do": "add", "value": "x"}, before)
    assert failed
    assert "eve may look" in said
    assert named.labels.last_event_id() == before
    assert '"editable": true' not in _text(subcategories.layout(named, {}))


def _text(component: Any) -> str:  # noqa: ANN401
    return json.dumps(component.to_plotly_json(), cls=PlotlyJSONEncoder)
