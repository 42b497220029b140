"""A verdict is written once, to what was shown, and is told in words."""

import pytest

from app.crops.listing import selected
from app.crops.verdicts import decide, describe
from app.data import ClassRun, Explorer
from classify.runs import start_run
from discover import annotate
from discover.annotate import Verdict
from discover.naming import subcategories
from discover.naming.events import By
from discover.survey import concat_rows
from tests.app.survey_on_disk import EMBED_RUN, RUNS

WASTE = RUNS["waste"]


@pytest.fixture
def run(explorer: Explorer) -> ClassRun:
    found = explorer.class_run(WASTE)
    assert found is not None
    return found


def _count(explorer: Explorer, run: ClassRun, **what: object) -> int:
    return len(selected(explorer, run, what)[1])


def test_a_name_and_its_undo(explorer: Explorer) -> None:
    target = {"run": WASTE, "group": "0"}
    said, failed = decide(explorer, {"action": "name", "name": " can ", "target": target})
    assert not failed
    assert "“can”" in said
    assert "Ctrl-Z" in said
    named = explorer.names()
    assert set(named["name"]) == {"can"}
    again = decide(explorer, {"action": "name", "name": "can", "target": target})[0]
    assert "so already" in again
    assert "as before" in decide(explorer, {"action": "undo"})[0]
    assert explorer.names().empty
    assert "“can”" in decide(explorer, {"action": "redo"})[0]
    assert explorer.names()["crop_id"].tolist() == named["crop_id"].tolist()
    decide(explorer, {"action": "clear", "target": target})
    assert explorer.names().empty


@pytest.mark.parametrize(
    ("action", "column", "value"),
    [
        ("validate", "validated", True),
        ("reject", "label", "rejected"),
        ("indeterminate", "label", "indeterminate"),
        ("flag", "flag", "look again"),
    ],
)
def test_each_verdict_marks_its_crops_and_no_others(
    explorer: Explorer, run: ClassRun, action: str, column: str, value: object
) -> None:
    said, failed = decide(explorer, {"action": action, "target": {"run": WASTE, "group": "1"}})
    assert not failed, said
    crops = explorer.crops(run)
    marked = crops[column] == value
    assert (marked == (crops["cluster"] == 1)).all()
    decide(explorer, {"action": "undo"})
    assert not (explorer.crops(run)[column] == value).any()


def test_split_merge_and_move_change_groups_and_come_back(
    explorer: Explorer, run: ClassRun
) -> None:
    crops = explorer.crops(run)
    chosen = crops.loc[crops["cluster"] == 0, "crop_id"].head(3).tolist()
    size = _count(explorer, run, group="0")
    said, _ = decide(explorer, {"action": "split", "target": {"run": WASTE, "crops": chosen}})
    assert "as cluster s1" in said
    assert _count(explorer, run, group="s1") == 3
    assert _count(explorer, run, group="0") == size - 3
    decide(explorer, {"action": "merge", "to": "1", "target": {"run": WASTE, "group": "0"}})
    assert _count(explorer, run, group="0") == 0
    moved = {"run": WASTE, "crops": chosen[:1]}
    decide(explorer, {"action": "move", "to": "2", "target": moved})
    assert _count(explorer, run, group="s1") == 2
    for _ in range(3):
        decide(explorer, {"action": "undo"})
    assert (explorer.crops(run)["group"] == crops["cluster"]).all()


def test_a_lasso_and_chosen_crops_are_targets(explorer: Explorer) -> None:
    everything = {"x": [-99, 99, 99, -99], "y": [-99, -99, 99, 99]}
    target = {"run": WASTE, "shape": everything}
    said, _ = decide(explorer, {"action": "name", "name": "a", "target": target})
    assert f"{len(explorer.names())} crops" in said
    crop = explorer.names()["crop_id"].iloc[0]
    target = {"run": WASTE, "crops": [crop, "not-a-crop"]}
    decide(explorer, {"action": "name", "name": "b", "target": target})
    assert explorer.names().set_index("crop_id")["name"][crop] == "b"
    assert "not-a-crop" not in set(explorer.names()["crop_id"])


@pytest.mark.parametrize(
    "verdict",
    [
        {"action": "name", "name": "x"},
        {"action": "drop table", "target": {"run": WASTE, "group": "0"}},
        {"action": "name", "name": "x", "target": {"run": "nowhere", "group": "0"}},
        {"action": "name", "name": "x", "target": {"run": WASTE, "group": "zero"}},
        {"action": "name", "name": "x", "target": {"run": WASTE, "group": "99"}},
        {"action": "name", "name": "", "target": {"run": WASTE, "group": "0"}},
        {"action": "name", "name": "x" * 201, "target": {"run": WASTE, "group": "0"}},
        {"action": "merge", "to": "99", "target": {"run": WASTE, "group": "0"}},
        {"action": "merge", "target": {"run": WASTE, "group": "0"}},
    ],
)
def test_a_verdict_that_cannot_be_is_said_to_fail(explorer: Explorer, verdict: dict) -> None:
    assert decide(explorer, verdict)[1]
    assert explorer.labels.history() == []


def test_undo_with_nothing_done(explorer: Explorer) -> None:
    assert decide(explorer, {"action": "undo"}) == ("Nothing to undo", False)


def test_what_somebody_else_named_since_is_shown_and_not_overwritten(
    explorer: Explorer, run: ClassRun
) -> None:
    target = {"run": WASTE, "group": "0"}
    seen = explorer.labels.last_event_id()
    crop = explorer.crops(run).query("cluster == 0")["crop_id"].iloc[0]
    explorer.labels.name([crop], "tin", annotator="jon")
    verdict = {"action": "name", "name": "can", "target": target, "seen": seen}
    said, failed = decide(explorer, verdict)
    assert failed
    assert "jon changed 1 of these since you looked" in said
    assert explorer.names()["name"].tolist() == ["tin"]
    assert not decide(explorer, {**verdict, "seen": explorer.labels.last_event_id()})[1]
    assert set(explorer.names()["name"]) == {"can"}


def test_a_cluster_that_others_changed_is_not_decided_on_unseen(
    explorer: Explorer, run: ClassRun
) -> None:
    count = _count(explorer, run, group="0")
    crops = explorer.crops(run).query("cluster == 1")["crop_id"].head(2).tolist()
    decide(explorer, {"action": "move", "to": "0", "target": {"run": WASTE, "crops": crops}})
    verdict = {"action": "validate", "count": count, "target": {"run": WASTE, "group": "0"}}
    said, failed = decide(explorer, verdict)
    assert failed
    assert f"{count + 2} crops now and were {count}" in said


def test_a_verdict_under_a_filter_leaves_what_is_not_shown(
    explorer: Explorer, run: ClassRun
) -> None:
    frame = explorer.crops(run).query("cluster == 0")["frame_id"].iloc[0]
    made = start_run(explorer.survey.run_folder("bursts", "b"), command="bursts", config={})
    table = explorer.survey.table("bursts", "b")
    row = {"frame_id": [frame], "burst_id": ["0"], "flags": [["frozen", "dark"]]}
    columns = {name: row.get(name, [None]) for name in table.schema.names}
    table.write("d", concat_rows(columns, "bursts"))
    made.complete(counts={})
    crops = explorer.crops(run)
    flagged = crops["frame_id"] == frame
    assert set(crops.loc[flagged, "flags"]) == {"dark, frozen"}
    assert crops.loc[~flagged, "flags"].isna().all()
    target = {"run": WASTE, "group": "0", "flags": "dark"}
    decide(explorer, {"action": "name", "name": "can", "target": target})
    named = explorer.crops(run)["name"].notna()
    assert (named == (flagged & (crops["cluster"] == 0))).all()
    assert named.any()


def test_suggestions_are_taken_as_they_were_made(explorer: Explorer, run: ClassRun) -> None:
    target = {"run": WASTE, "group": "0"}
    said, failed = decide(explorer, {"action": "name", "target": target})
    assert failed
    assert "None of these has a suggestion" in said
    own = explorer.crops(run).query("cluster == 0")["crop_id"].tolist()
    made = start_run(
        explorer.survey.run_folder("suggestions", "waste-1"), command="discover predict",
        config={"class_name": "waste"}, parents={"embeddings": EMBED_RUN},
    )  # fmt: skip
    rows = {
        "crop_id": own[:4], "name": ["tin", "tin", "can", "tin"],
        "confidence": [0.9] * 4, "novelty": [0.1] * 4, "next": [0, 1, None, None],
    }  # fmt: skip
    explorer.survey.table("suggestions", "waste-1").write("all", concat_rows(rows, "suggestions"))
    made.complete(counts={})
    assert _count(explorer, run, show="suggested") == 4
    assert _count(explorer, run, show="next") == 2
    said, failed = decide(explorer, {"action": "name", "target": target})
    assert not failed
    assert explorer.names()["name"].value_counts().to_dict() == {"tin": 3, "can": 1}
    assert _count(explorer, run, show="suggested") == 0


def test_every_event_can_be_told(explorer: Explorer) -> None:
    with explorer.labels.write() as writer:
        subcategories.add(writer, "waste > can", By("mara"))
        annotate.decide(writer, Verdict("flag", ("c1", "c2"), note="odd"), By("mara"))
    explorer.labels.undo(annotator="mara")
    told = [describe(event) for event in explorer.labels.history()]
    assert told == [
        "undid: 2 crops as before", "flagged 2 crops: “odd”", "add subcategory “waste > can”"
    ]  # fmt: skip
