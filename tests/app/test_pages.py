import json
from pathlib import Path

import pytest
from plotly.utils import PlotlyJSONEncoder

from app.data import Explorer
from app.pages import PAGES
from app.verdicts import decide, describe
from discover import annotate
from discover.annotate import Verdict
from discover.naming import subcategories
from discover.naming.events import By
from tests.app.survey_on_disk import RUNS, build


def _text(explorer: Explorer, page: str, **query: str) -> str:
    return json.dumps(PAGES[page](explorer, query).to_plotly_json(), cls=PlotlyJSONEncoder)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_layout_for_any_query(explorer: Explorer, page: str) -> None:
    for query in ({}, {"run": "nothing", "cluster": "x", "view": "?", "order": "?", "leaf": "-4"}):
        assert _text(explorer, page, **query)
    assert _text(explorer, page, run=RUNS["waste"], cluster="1", view="mask", leaf="99")


@pytest.mark.parametrize("page", ["/queue", "/cluster", "/map"])
def test_an_empty_page_says_what_to_run(tmp_path: Path, page: str) -> None:
    bare = Explorer(build(tmp_path / "a", crops=False))
    assert "discover embed" in _text(bare, page)
    unclustered = Explorer(build(tmp_path / "b", clusters=False))
    assert "discover cluster --class" in _text(unclustered, page)


def test_a_verdict_and_its_undo(explorer: Explorer) -> None:
    target = {"run": RUNS["waste"], "cluster": 0}
    said, failed = decide(explorer, {"action": "name", "name": " can ", "target": target})
    assert not failed
    assert "“can”" in said
    assert "Ctrl-Z" in said
    named = explorer.names()
    assert set(named["name"]) == {"can"}
    assert (
        "nothing changed"
        in decide(explorer, {"action": "name", "name": "can", "target": target})[0]
    )
    assert "unnamed" in decide(explorer, {"action": "undo"})[0]
    assert explorer.names().empty
    assert "“can”" in decide(explorer, {"action": "redo"})[0]
    assert explorer.names()["crop_id"].tolist() == named["crop_id"].tolist()
    decide(explorer, {"action": "unname", "target": target})
    assert explorer.names().empty


def test_a_lasso_and_chosen_crops_are_targets(explorer: Explorer) -> None:
    run = RUNS["waste"]
    everything = {"x": [-99, 99, 99, -99], "y": [-99, -99, 99, 99]}
    said, _ = decide(
        explorer, {"action": "name", "name": "a", "target": {"run": run, "shape": everything}}
    )
    assert f"{len(explorer.names())} crops" in said
    crop = explorer.names()["crop_id"].iloc[0]
    target = {"run": run, "crops": [crop, "not-a-crop"]}
    decide(explorer, {"action": "name", "name": "b", "target": target})
    assert explorer.names().set_index("crop_id")["name"][crop] == "b"
    assert "not-a-crop" not in set(explorer.names()["crop_id"])


@pytest.mark.parametrize(
    "verdict",
    [
        {"action": "name", "name": "x"},
        {"action": "name", "name": "x", "target": {"run": "nowhere", "cluster": 0}},
        {"action": "name", "name": "", "target": {"run": RUNS["waste"], "cluster": 0}},
        {"action": "name", "name": "x" * 201, "target": {"run": RUNS["waste"], "cluster": 0}},
    ],
)
def test_a_verdict_that_cannot_be_is_said_to_fail(explorer: Explorer, verdict: dict) -> None:
    assert decide(explorer, verdict)[1]
    assert explorer.names().empty


def test_undo_with_nothing_done(explorer: Explorer) -> None:
    assert decide(explorer, {"action": "undo"}) == ("Nothing to undo", False)


def test_what_somebody_else_named_since_is_shown_and_not_overwritten(explorer: Explorer) -> None:
    target = {"run": RUNS["waste"], "cluster": 0}
    seen = explorer.labels.last_event_id()
    crop = (
        explorer.crops(explorer.class_run(RUNS["waste"])).query("cluster == 0")["crop_id"].iloc[0]
    )
    explorer.labels.name([crop], "tin", annotator="jon")
    verdict = {"action": "name", "name": "can", "target": target, "seen": seen}
    said, failed = decide(explorer, verdict)
    assert failed
    assert "jon changed 1 of these since you looked" in said
    assert explorer.names()["name"].tolist() == ["tin"]
    assert not decide(explorer, {**verdict, "seen": explorer.labels.last_event_id()})[1]
    assert set(explorer.names()["name"]) == {"can"}


def test_every_event_can_be_told(explorer: Explorer) -> None:
    with explorer.labels.write() as writer:
        subcategories.add(writer, "waste > can", By("mara"))
        by_hand = Verdict("flag", ("c1", "c2"), note="odd")
        annotate.decide(writer, by_hand, By("mara"))
    told = [describe(event) for event in explorer.labels.history()]
    assert told == ["flag “odd” 2 crops", "add subcategory “waste > can”"]
