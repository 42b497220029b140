from collections.abc import Iterator
from pathlib import Path

import pytest

from discover.annotate import Verdict, decide, states, undecided
from discover.labels import LabelError, Labels
from discover.naming.events import By, Event
from discover.naming.groups import Groups
from discover.survey import Survey
from tests.discover.tables_by_hand import add_run, make_survey

EVA = By("eva")
# Crops k0..k3 stand for their bursts; f0, g0 take after k0, f1 after k1.
CROPS = ["k0", "f0", "g0", "k1", "f1", "k2", "k3"]
CLUSTERS = [0, 0, 0, 0, 0, 1, -1]
SOURCES = [None, "k0", "k0", None, "k1", None, None]


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    made = make_survey(tmp_path / "s", {"d": 7})
    add_run(made, "clusters", "waste-1", crop_id=CROPS, cluster=CLUSTERS, inherited_from=SOURCES)
    add_run(made, "crops", "r", crop_id=CROPS, frame_id=[f"d/{n:02d}" for n in range(7)])
    return made


@pytest.fixture
def labels(survey: Survey) -> Iterator[Labels]:
    opened = Labels(survey.labels_url)
    yield opened
    opened.close()


def _decide(
    labels: Labels, survey: Survey, action: str, *crops: str, **more: object
) -> Event | None:
    by = more.pop("by", EVA)
    with labels.write() as writer:
        groups = Groups.read(survey, "waste-1", writer)
        return decide(writer, Verdict(action, crops, **more), by, groups=groups)  # type: ignore[arg-type]


def _groups(labels: Labels, survey: Survey) -> dict[str, str]:
    with labels.read() as reader:
        table = Groups.read(survey, "waste-1", reader).table
    return {crop: group.removeprefix("waste-1/") for crop, group in table["group"].items()}


def test_a_burst_named_once_names_its_frames_and_says_so(labels: Labels, survey: Survey) -> None:
    event = _decide(labels, survey, "name", "k0", name="bag")
    assert event is not None
    assert (event.crops, event.name) == (3, "bag")
    decided = labels.decided().set_index("crop_id")
    assert decided["label"].to_dict() == {"k0": "bag", "f0": "bag", "g0": "bag"}
    assert decided["based_on"].to_dict() == {"k0": None, "f0": "burst/k0", "g0": "burst/k0"}
    labels.undo(annotator="eva")
    assert labels.decided().empty


def test_what_a_person_said_of_a_frame_itself_stays(labels: Labels, survey: Survey) -> None:
    _decide(labels, survey, "name", "f0", name="rope", each_seen=True)
    _decide(labels, survey, "name", "k0", name="bag")
    assert labels.decided().set_index("crop_id")["label"].to_dict() == {
        "f0": "rope", "g0": "bag", "k0": "bag",
    }  # fmt: skip
    _decide(labels, survey, "name", "k0", "f0", name="net", each_seen=True)
    decided = labels.decided().set_index("crop_id")
    assert decided.loc["f0", "label"] == "net"
    assert decided.loc["f0", "based_on"] is None
    assert decided.loc["g0", "based_on"] == "burst/k0"


def test_a_whole_cluster_names_frames_by_their_keyframes(labels: Labels, survey: Survey) -> None:
    with labels.read() as reader:
        crops = Groups.read(survey, "waste-1", reader).crops("0")
    _decide(labels, survey, "name", *crops, name="bag", by=By("eva", based_on="waste-1/0"))
    assert labels.decided().set_index("crop_id")["based_on"].to_dict() == {
        "k0": "waste-1/0", "f0": "burst/k0", "g0": "burst/k0", "k1": "waste-1/0", "f1": "burst/k1",
    }  # fmt: skip


def test_reject_indeterminate_and_clear(labels: Labels, survey: Survey) -> None:
    _decide(labels, survey, "reject", "k2")
    _decide(labels, survey, "indeterminate", "k3", confidence=0.2)
    decided = labels.decided().set_index("crop_id")
    assert decided["label"].to_dict() == {"k2": "rejected", "k3": "indeterminate"}
    assert decided["subcategory"].isna().all()
    assert labels.names().empty
    assert undecided(labels, CROPS) == ["k0", "f0", "g0", "k1", "f1"]
    _decide(labels, survey, "name", "k2", name="can")  # a name takes the place of a mark
    _decide(labels, survey, "clear", "k3")
    assert labels.decided()["label"].tolist() == ["can"]


def test_what_a_machine_suggests_is_still_undecided(labels: Labels) -> None:
    labels.name(["k0"], "bag", annotator="head-1", origin="machine")
    labels.name(["k1"], "bag", annotator="eva")
    assert undecided(labels, ["k0", "k1", "k2"]) == ["k0", "k2"]


def test_split_merge_and_move_with_their_undo(labels: Labels, survey: Survey) -> None:
    first = _groups(labels, survey)
    _decide(labels, survey, "split", "k1")
    split = _groups(labels, survey)
    assert split["k1"] == split["f1"] == "s1"  # the burst goes along
    assert split["k0"] == "0"
    _decide(labels, survey, "merge", "k2", to="s1")
    _decide(labels, survey, "move", "k0", to="-1")
    moved = _groups(labels, survey)
    assert (moved["k2"], moved["k0"], moved["g0"]) == ("s1", "-1", "-1")
    for _ in range(3):
        labels.undo(annotator="eva")
    assert _groups(labels, survey) == first
    _decide(labels, survey, "split", "k2")
    assert _groups(labels, survey)["k2"] == "s7"  # a name is never used again
    with pytest.raises(LabelError, match="group 's1' is not of run waste-1; the largest are"):
        _decide(labels, survey, "move", "k0", to="s1")


def test_what_was_validated_is_so_only_in_its_group(labels: Labels, survey: Survey) -> None:
    def validated() -> list[str]:
        with labels.read() as reader:
            table = states(reader, Groups.read(survey, "waste-1", reader))
        return table.index[table["validated"]].tolist()

    _decide(labels, survey, "validate", "k0", "k2")
    assert validated() == ["k0", "f0", "g0", "k2"]
    _decide(labels, survey, "move", "k2", to="0")
    assert validated() == ["k0", "f0", "g0"]
    labels.undo(annotator="eva")
    assert validated() == ["k0", "f0", "g0", "k2"]


def test_a_flag_is_of_one_crop_and_keeps_its_note(labels: Labels, survey: Survey) -> None:
    _decide(labels, survey, "flag", "k0", note="two objects")
    with labels.read() as reader:
        table = states(reader, Groups.read(survey, "waste-1", reader))
    assert table["flag"].dropna().to_dict() == {"k0": "two objects"}
    assert labels.history()[0].detail == "two objects"
    _decide(labels, survey, "unflag", "k0")
    with labels.read() as reader:
        assert states(reader, Groups.read(survey, "waste-1", reader))["flag"].isna().all()


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ({"action": "praise"}, "action 'praise' is none of validate, reject"),
        ({"action": "name"}, "needs a name"),
        ({"action": "merge"}, "needs the group"),
        ({"action": "reject", "confidence": 1.5}, "confidence 1.5 must be between 0 and 1"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused(verdict: dict, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        Verdict(crops=("a",), **verdict)


def test_a_verdict_on_groups_needs_them(labels: Labels) -> None:
    with labels.write() as writer, pytest.raises(LabelError, match="needs the clustering run"):
        decide(writer, Verdict("validate", ("k0",)), EVA)
