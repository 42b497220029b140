"""Growing on the page: answers take crops in, an address restores them, the last can be undone."""

import pytest

from app.crops.growing import Answer, Session, answer, line_of, take_back
from app.crops.selection import mask
from app.data import ClassRun, Explorer
from discover.labels import LabelError
from discover.naming.events import Conflict
from tests.app.survey_on_disk import RUNS


@pytest.fixture
def run(explorer: Explorer) -> ClassRun:
    found = explorer.class_run(RUNS["waste"])
    assert found is not None
    return found


def _group(explorer: Explorer, run: ClassRun, group: str) -> set[str]:
    crops = explorer.crops(run)
    return set(crops["crop_id"][mask(crops, {"group": group})])


@pytest.mark.parametrize(
    "said", [Answer(True), Answer(True, 7), Answer(False), Answer((3, 5), 9), Answer(())]
)
def test_an_answer_reads_back_from_an_address(said: Answer) -> None:
    assert Answer.of(said.text()) == said


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(LabelError, match="'x1-a' is none"):
        Answer.of("x1-a")


def test_the_line_is_of_the_nearest_and_holds_still(explorer: Explorer, run: ClassRun) -> None:
    inside = _group(explorer, run, "0")
    session = Session(run.name, "0", explorer.labels.last_event_id())
    line = line_of(explorer, run, session)
    assert set(line) == set(explorer.crops(run)["crop_id"]) - inside
    noise = explorer.crops(run).query("cluster == -1")
    explorer.labels.name(line[:3], "x", annotator="jon")
    fresh = Explorer(explorer.survey, "mara")  # as after a restart of the page
    assert line_of(fresh, run, session) == line
    assert line[0] in set(noise["crop_id"])  # of the noise, those of this kind come first
    fresh.labels.close()


def test_all_right_takes_in_also_what_was_not_shown(explorer: Explorer, run: ClassRun) -> None:
    explorer.labels.name(_group(explorer, run, "0"), "can", annotator="mara")
    session = Session(run.name, "0", explorer.labels.last_event_id())
    line = line_of(explorer, run, session)
    before = _group(explorer, run, "0")
    session, event = answer(explorer, run, session, True)
    assert event is not None
    assert _group(explorer, run, "0") == before | set(line[:18])
    session, event = answer(explorer, run, session, True)  # the look is further ahead
    assert event is not None
    shown = session.growth(line)
    joined = _group(explorer, run, "0") - before
    assert joined == set(line[: shown.good * 18])
    named = explorer.crops(run).set_index("crop_id")["name"]
    assert (named[list(joined)] == "can").all()
    assert Session.of(session.plain()) == session
    back = take_back(explorer, session)
    assert _group(explorer, run, "0") == before | set(line[:18])
    assert take_back(explorer, back).answers == ()
    assert _group(explorer, run, "0") == before
    with pytest.raises(LabelError, match="no answer"):
        take_back(explorer, take_back(explorer, back) if back.answers[1:] else Session("a", "0", 0))


def test_after_a_miss_each_crop_is_decided(explorer: Explorer, run: ClassRun) -> None:
    session = Session(run.name, "0", explorer.labels.last_event_id())
    line = line_of(explorer, run, session)
    session, event = answer(explorer, run, session, False)
    assert event is None
    growth = session.growth(line)
    assert growth.one_by_one
    session, event = answer(explorer, run, session, [0, 2])
    assert event is not None
    assert event.crops == 2
    assert {line[0], line[2]} <= _group(explorer, run, "0")
    assert line[1] not in _group(explorer, run, "0")
    assert session.growth(line).done  # few belonged


def test_what_others_decided_meanwhile_is_a_conflict(explorer: Explorer, run: ClassRun) -> None:
    session = Session(run.name, "0", explorer.labels.last_event_id())
    line = line_of(explorer, run, session)
    explorer.annotator, own = "jon", explorer.annotator
    with explorer.labels.write() as writer:
        from discover.naming.events import By, Change
        from discover.naming.groups import GROUP

        writer.append("move", [Change(GROUP, line[0], f"{run.name}/1")], By("jon"))
    explorer.annotator = own
    with pytest.raises(Conflict, match="jon changed 1"):
        answer(explorer, run, session, True)
    assert line[0] not in _group(explorer, run, "0")


def test_a_cluster_without_crops_cannot_grow(explorer: Explorer, run: ClassRun) -> None:
    with pytest.raises(LabelError, match="cluster 77"):
        line_of(explorer, run, Session(run.name, "77", 0))
