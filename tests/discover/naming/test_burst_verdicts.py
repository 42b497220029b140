"""What a person says of bursts, and who uses it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from discover.cluster import ClusterConfig, cluster
from discover.counts import count_kinds
from discover.kinds.inherit import inheritance
from discover.labels import Labels
from discover.learning.named import crops_with_vectors, read_named
from discover.naming import burst_verdicts
from discover.naming.burst_verdicts import Bursts, bursts_so_far, corrected_bursts
from discover.naming.database import LabelError
from discover.naming.events import By, Conflict
from discover.splits import SplitConfig, split_frames
from discover.survey import Survey, SurveyError
from tests.discover.tables_by_hand import add_run, make_survey
from tests.discover.vectors_by_hand import add_bursts, groups, survey_of


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Make eight frames of one dive in two bursts of four; the later a frame, the sharper."""
    made = make_survey(
        tmp_path / "s", {"d": 8}, sharpness=[float(n) for n in range(8)], brightness=[90.0] * 8
    )
    ids = made.frames.read(["frame_id"])["frame_id"].to_pylist()
    add_run(
        made,
        "bursts",
        frame_id=ids,
        burst_id=["d/00"] * 4 + ["d/04"] * 4,
        keyframe=[n in (3, 7) for n in range(8)],
        proof=[0.9] * 8,
    )
    return made


@pytest.fixture
def labels(survey: Survey) -> Iterator[Labels]:
    made = Labels(survey.labels_url)
    yield made
    made.close()


def _say(survey: Survey, labels: Labels, verb: str, *what: object, **by: object) -> object:
    with labels.write() as writer:
        bursts = Bursts.read(survey, None, writer)
        who = By(**{"annotator": "mara", **by})  # type: ignore[arg-type]
        return getattr(burst_verdicts, verb)(writer, bursts, *what, who)


def _bursts(survey: Survey) -> dict[str, list[str]]:
    table = corrected_bursts(survey)
    return {str(name): rows["frame_id"].tolist() for name, rows in table.groupby("burst_id")}


def _keyframes(survey: Survey) -> list[str]:
    table = corrected_bursts(survey)
    return table.loc[table["keyframe"], "frame_id"].tolist()


def test_what_nobody_changed_is_the_table_and_reading_makes_no_file(survey: Survey) -> None:
    found = survey.table("bursts", "r").read().to_pandas()
    assert corrected_bursts(survey).equals(found)
    assert not (survey.root / "labels.sqlite").exists()


def test_without_bursts_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="discover bursts"):
        corrected_bursts(make_survey(tmp_path, {"d": 1}))


def test_a_split_gives_each_part_its_keyframe_and_undo_restores(
    survey: Survey, labels: Labels
) -> None:
    before = corrected_bursts(survey)
    event = _say(survey, labels, "split", "d/00", ["d/02", "d/03"])
    assert _bursts(survey)["d/00"] == ["d/00", "d/01"]
    assert _bursts(survey)[f"s{event.event_id}"] == ["d/02", "d/03"]
    assert _keyframes(survey) == ["d/01", "d/03", "d/07"]
    labels.undo(annotator="mara")
    assert corrected_bursts(survey).equals(before)
    labels.redo(annotator="mara")
    assert _keyframes(survey) == ["d/01", "d/03", "d/07"]


def test_a_dark_frame_is_no_keyframe(tmp_path: Path) -> None:
    survey = make_survey(
        tmp_path, {"d": 4}, sharpness=[1.0, 2.0, 9.0, 3.0], brightness=[80.0, 90.0, 5.0, 85.0]
    )
    ids = survey.frames.read(["frame_id"])["frame_id"].to_pylist()
    add_run(survey, "bursts", frame_id=ids, burst_id=["a"] * 4, keyframe=[False] * 3 + [True])
    labels = Labels(survey.labels_url)
    _say(survey, labels, "split", "a", ["d/03"])
    labels.close()
    assert _keyframes(survey) == ["d/01", "d/03"]


def test_a_merge_and_one_back(survey: Survey, labels: Labels) -> None:
    _say(survey, labels, "merge", "d/04", "d/00")
    assert [len(frames) for frames in _bursts(survey).values()] == [8]
    assert _keyframes(survey) == ["d/07"]
    _say(survey, labels, "split", "d/00", ["d/07"])
    _say(survey, labels, "merge", *sorted(_bursts(survey), reverse=True))
    assert [len(frames) for frames in _bursts(survey).values()] == [8]


def test_acceptance_is_of_the_frames_that_were_seen(survey: Survey, labels: Labels) -> None:
    def accepted() -> dict[str, bool]:
        now = bursts_so_far(survey)
        return {name: now.accepted(name, frames) for name, frames in _bursts(survey).items()}

    _say(survey, labels, "accept", "d/00")
    assert accepted() == {"d/00": True, "d/04": False}
    assert _say(survey, labels, "accept", "d/00") is None
    _say(survey, labels, "split", "d/00", ["d/00"])
    assert not any(accepted().values())
    labels.undo(annotator="mara")
    assert accepted() == {"d/00": True, "d/04": False}


@pytest.mark.parametrize(
    ("verb", "what", "problem"),
    [
        ("accept", ["x"], "burst 'x' is not of run r"),
        ("split", ["d/00", []], "0 of the 4 frames"),
        ("split", ["d/00", ["d/00", "d/01", "d/02", "d/03"]], "not all"),
        ("split", ["d/00", ["d/00", "d/07"]], "frame 'd/07' is not in burst"),
        ("merge", ["d/00", "d/00"], "into itself"),
        ("merge", ["d/00", "x"], "burst 'x' is not of run r"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    survey: Survey, labels: Labels, verb: str, what: list[object], problem: str
) -> None:
    with pytest.raises(LabelError, match=problem):
        _say(survey, labels, verb, *what)
    assert labels.last_event_id() == 0


@pytest.mark.parametrize(
    ("verb", "what"), [("accept", ["d/00"]), ("merge", ["d/04", "d/00"]), ("split", ["d/00", "1"])]
)
def test_what_somebody_changed_since_is_a_conflict(
    survey: Survey, labels: Labels, verb: str, what: list[object]
) -> None:
    seen = labels.last_event_id()
    _say(survey, labels, "split", "d/00", ["d/03"], annotator="jon")
    what = [["d/00"] if part == "1" else part for part in what]
    with pytest.raises(Conflict, match="jon changed this burst"):
        _say(survey, labels, verb, *what, seen=seen)
    assert _say(survey, labels, verb, *what, seen=labels.last_event_id())


def test_ones_own_change_and_one_elsewhere_are_none(survey: Survey, labels: Labels) -> None:
    _say(survey, labels, "split", "d/00", ["d/03"], seen=0)
    _say(survey, labels, "split", "d/04", ["d/07"], annotator="jon")
    assert _say(survey, labels, "accept", "d/00", seen=0)


def test_an_undo_of_somebody_else_is_a_conflict_too(survey: Survey, labels: Labels) -> None:
    _say(survey, labels, "split", "d/00", ["d/03"], annotator="jon")
    seen = labels.last_event_id()
    labels.undo(annotator="jon")
    with pytest.raises(Conflict, match="jon"):
        _say(survey, labels, "accept", "d/00", seen=seen)


def test_events_of_bursts_lie_beside_those_of_crops(survey: Survey, labels: Labels) -> None:
    labels.name(["c1", "c2"], "can", annotator="mara")
    _say(survey, labels, "split", "d/00", ["d/03"])
    told = labels.history()
    assert [(e.action, e.detail, e.crops) for e in told] == [
        ("split burst", "1 of 4 frames", 0),
        ("name", "can", 2),
    ]
    assert told[0].based_on == "r/d/00"
    assert labels.names()["crop_id"].tolist() == ["c1", "c2"]
    labels.undo(annotator="mara")
    labels.undo(annotator="mara")
    assert labels.names().empty
    assert len(_bursts(survey)) == 2


def test_a_split_burst_is_two_scenes_to_splits_and_to_inheritance(
    survey: Survey, labels: Labels
) -> None:
    def scenes() -> tuple[int, int]:
        table = split_frames(survey, SplitConfig("burst", folds=2)).table
        crops = corrected_bursts(survey).assign(score=0.9)
        taken = inheritance(crops, np.ones((len(crops), 2), np.float32))
        return table["burst"].nunique(), len(set(taken.tolist()))

    assert scenes() == (2, 2)
    _say(survey, labels, "split", "d/00", ["d/00", "d/01"])
    assert scenes() == (3, 3)
    labels.undo(annotator="mara")
    assert scenes() == (2, 2)


def test_corrections_make_another_cluster_run_and_undo_the_same_again(tmp_path: Path) -> None:
    vectors, _ = groups()
    survey = survey_of(tmp_path, np.repeat(vectors, 2, axis=0))
    add_bursts(survey, 2 * len(vectors), each=2)
    config = ClusterConfig("waste", min_score=0, method="pca-hdbscan")
    first = cluster(survey, config)
    table = corrected_bursts(survey)
    burst = str(table["burst_id"].iloc[0])
    frame = str(table["frame_id"].iloc[0])
    labels = Labels(survey.labels_url)
    _say(survey, labels, "split", burst, [frame])
    second = cluster(survey, config)
    assert second.name != first.name
    assert second.info["counts"]["inherited"] == first.info["counts"]["inherited"] - 1
    labels.undo(annotator="mara")
    labels.close()
    assert cluster(survey, config).name == first.name


def test_counts_are_of_the_bursts_as_they_were_corrected(survey: Survey, labels: Labels) -> None:
    frames = survey.frames.read(["frame_id"])["frame_id"].to_pylist()
    add_run(survey, "crops", crop_id=frames, frame_id=frames, **{"class": ["fauna"] * 8})
    add_run(survey, "clusters", crop_id=frames, cluster=[0] * 8)
    assert count_kinds(survey)["bursts"].tolist() == [2]
    _say(survey, labels, "split", "d/00", frames[:2])
    assert count_kinds(survey)["bursts"].tolist() == [3]
    labels.undo(annotator="mara")
    _say(survey, labels, "merge", "d/04", "d/00")
    assert count_kinds(survey)["bursts"].tolist() == [1]


def test_a_head_keeps_corrected_bursts_together(tmp_path: Path) -> None:
    survey = survey_of(tmp_path / "s", groups()[0])
    add_bursts(survey, 180, 30)
    source = survey.run("embeddings")
    crops = crops_with_vectors(survey, source, "waste")
    ids = crops["crop_id"].tolist()
    labels = Labels(survey.labels_url)
    labels.name(ids[:90], "bag", annotator="mara")
    labels.name(ids[90:], "can", annotator="mara")
    assert len(np.unique(read_named(survey, source, crops).scenes)) == 6
    _say(survey, labels, "merge", "b1", "b0")
    labels.close()
    scenes = read_named(survey, source, crops).scenes
    assert len(np.unique(scenes)) == 5
    assert len(np.unique(scenes[:60])) == 1
