import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discover.labels import LabelError, Labels


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'labels.sqlite'}"


@pytest.fixture
def labels(url: str) -> Iterator[Labels]:
    opened = Labels(url)
    yield opened
    opened.close()


def _named(labels: Labels) -> dict[str, str]:
    names = labels.names()
    return dict(zip(names["crop_id"], names["name"], strict=True))


def test_naming_renaming_and_taking_away(labels: Labels) -> None:
    assert _named(labels) == {}
    assert labels.last_event_id() == 0
    event = labels.name(["a", "b", "a"], "  plastic bag ", annotator="eva", based_on="waste-1/7")
    assert event is not None
    assert (event.crops, event.name, event.annotator) == (2, "plastic bag", "eva")
    assert _named(labels) == {"a": "plastic bag", "b": "plastic bag"}
    labels.name(["b", "c"], "rope", annotator="jon")
    assert _named(labels) == {"a": "plastic bag", "b": "rope", "c": "rope"}
    taken = labels.name(["a", "z"], None, annotator="eva")
    assert taken is not None
    assert taken.crops == 1  # `z` had no name to take away
    assert _named(labels) == {"b": "rope", "c": "rope"}
    assert labels.last_event_id() == taken.event_id


def test_what_changes_nothing_is_no_event(labels: Labels) -> None:
    labels.name(["a"], "rope", annotator="eva")
    assert labels.name(["a"], "rope", annotator="jon") is None
    assert labels.name([], "rope", annotator="jon") is None
    assert labels.name(["b"], None, annotator="jon") is None
    assert len(labels.history()) == 1


@pytest.mark.parametrize("name", ["", "  \t\n", "x" * 201])
def test_empty_and_endless_names_are_refused(labels: Labels, name: str) -> None:
    with pytest.raises(LabelError, match=r"^name (is empty|has 201 characters)"):
        labels.name(["a"], name, annotator="eva")
    assert labels.last_event_id() == 0


def test_names_may_hold_what_people_write(labels: Labels) -> None:
    for crop, name in enumerate(["x" * 200, "Seegras 🌿", "'; drop table events; --", "a%b_c"]):
        labels.name([str(crop)], name, annotator="eva")
        assert _named(labels)[str(crop)] == name


def test_an_unknown_origin_is_refused(labels: Labels) -> None:
    with pytest.raises(LabelError, match="'robot' is neither 'human' nor 'machine'"):
        labels.name(["a"], "rope", annotator="eva", origin="robot")


def test_undo_and_redo_outlive_the_process_that_wrote(url: str) -> None:
    def reopened() -> Labels:
        return Labels(url)

    reopened().name(["a", "b"], "rope", annotator="eva")
    reopened().name(["b"], "net", annotator="eva")
    undone = reopened().undo(annotator="eva")
    assert undone is not None
    assert undone.crops == 1
    assert _named(reopened()) == {"a": "rope", "b": "rope"}
    reopened().undo(annotator="eva")
    assert _named(reopened()) == {}
    assert reopened().undo(annotator="eva") is None
    reopened().redo(annotator="eva")
    reopened().redo(annotator="eva")
    assert _named(reopened()) == {"a": "rope", "b": "net"}
    assert reopened().redo(annotator="eva") is None
    actions = [e.action for e in reopened().history()]
    assert actions == ["redo", "redo", "undo", "undo", "name", "name"]


def test_a_new_name_clears_what_could_be_done_again(labels: Labels) -> None:
    labels.name(["a"], "rope", annotator="eva")
    labels.undo(annotator="eva")
    labels.name(["a"], "net", annotator="eva")
    assert labels.redo(annotator="eva") is None
    assert _named(labels) == {"a": "net"}


def test_undo_leaves_what_another_person_named_since(labels: Labels) -> None:
    labels.name(["a", "b"], "rope", annotator="eva")
    labels.name(["b"], "net", annotator="jon")
    undone = labels.undo(annotator="eva")
    assert undone is not None
    assert undone.crops == 1
    assert _named(labels) == {"b": "net"}
    assert labels.undo(annotator="eva") is None  # Jon's event is not hers to undo
    labels.redo(annotator="eva")
    assert _named(labels) == {"a": "rope", "b": "net"}


def test_machine_names_are_told_apart_and_not_undone(labels: Labels) -> None:
    labels.name(["a"], "rope", annotator="eva", origin="machine")
    assert labels.names()["origin"].tolist() == ["machine"]
    assert labels.undo(annotator="eva") is None
    labels.name(["a"], "net", annotator="eva")
    assert labels.names()["origin"].tolist() == ["human"]


def test_history_shows_the_latest_first(labels: Labels) -> None:
    for name in ("rope", "net", "can"):
        labels.name(["a", "b"], name, annotator="eva")
    shown = labels.history(limit=2)
    assert [(e.name, e.crops) for e in shown] == [("can", 2), ("net", 2)]
    assert shown[0].event_id > shown[1].event_id


def test_thousands_of_crops_fit_in_one_event(labels: Labels) -> None:
    crops = [f"{n:016x}" for n in range(5000)]
    event = labels.name(crops, "pebble", annotator="eva")
    assert event is not None
    assert event.crops == 5000
    labels.name(crops[::2], "rock", annotator="eva")
    labels.undo(annotator="eva")
    assert _named(labels) == dict.fromkeys(crops, "pebble")
    labels.undo(annotator="eva")
    assert _named(labels) == {}


_CROPS = st.sets(st.sampled_from("abcd"), min_size=1)
_STEPS = st.one_of(
    st.tuples(st.just("name"), _CROPS, st.sampled_from(["rope", "net", None])),
    st.tuples(st.sampled_from(["undo", "redo"]), st.just(set()), st.none()),
)


@settings(max_examples=60)
@given(st.lists(_STEPS, max_size=14))
def test_one_person_walks_back_and_forth_through_every_state(
    steps: list[tuple[str, set[str], str | None]],
) -> None:
    labels = Labels("sqlite://")
    labels.name(["a"], "first", annotator="jon")
    states: list[dict[str, str]] = [_named(labels)]  # those an undo leads back through
    ahead: list[dict[str, str]] = []
    for action, crops, name in steps:
        if action == "name":
            expected = {**states[-1], **dict.fromkeys(crops, name)}
            expected = {crop: n for crop, n in expected.items() if n is not None}
            event = labels.name(crops, name, annotator="eva")
            assert (event is None) == (expected == states[-1])
            if event is not None:
                states.append(expected)
                ahead = []
        elif action == "undo":
            assert (labels.undo(annotator="eva") is None) == (len(states) == 1)
            if len(states) > 1:
                ahead.append(states.pop())
        else:
            assert (labels.redo(annotator="eva") is None) == (not ahead)
            if ahead:
                states.append(ahead.pop())
        assert _named(labels) == states[-1]
    undone = 0
    while labels.undo(annotator="eva"):
        undone += 1
    assert undone == len(states) - 1
    assert _named(labels) == {"a": "first"}
    while labels.redo(annotator="eva"):
        undone -= 1
        assert undone >= -len(ahead)
    assert undone == -len(ahead)
    labels.close()


_TWO = st.tuples(st.sampled_from(["eva", "jon"]), _STEPS)


@settings(max_examples=40)
@given(st.lists(_TWO, max_size=14))
def test_names_are_always_what_the_events_say(
    steps: list[tuple[str, tuple[str, set[str], str | None]]],
) -> None:
    labels = Labels("sqlite://")
    for annotator, (action, crops, name) in steps:
        before = _named(labels)
        event = (
            labels.name(crops, name, annotator=annotator)
            if action == "name"
            else getattr(labels, action)(annotator=annotator)
        )
        after = _named(labels)
        changed = {c for c in "abcd" if before.get(c) != after.get(c)}
        assert len(changed) == (event.crops if event else 0)
        if action == "name":
            assert changed <= crops
    labels.close()


_WRITER = """
import sys
from discover.labels import Labels
url, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
labels = Labels(url)
for n in range(count):
    event = labels.name([f"{who}/{n}", "shared"], f"{who} {n}", annotator=who)
    print(event.event_id, flush=True)
"""


def _writer(url: str, who: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, url, who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_writers_at_once_lose_nothing(url: str) -> None:
    writers = [_writer(url, f"person{n}", 25) for n in range(4)]
    written = [int(line) for w in writers for line in w.communicate(timeout=120)[0].split()]
    assert [w.returncode for w in writers] == [0] * 4
    assert sorted(written) == list(range(1, 101))
    labels = Labels(url)
    named = _named(labels)
    assert len(named) == 101
    assert all(named[f"person{w}/{n}"] == f"person{w} {n}" for w in range(4) for n in range(25))
    # Each event on the shared crop saw the one before it: the chain of names has no gap.
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        chain = connection.execute(
            "select before, after from event_items where crop_id = 'shared' order by event_id"
        ).fetchall()
    assert [before for before, _ in chain[1:]] == [after for _, after in chain[:-1]]
    labels.close()


def test_a_killed_writer_loses_no_acknowledged_event(url: str) -> None:
    process = _writer(url, "eva", 100_000)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(20)]
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.communicate()[0].split()]
    labels = Labels(url)
    assert labels.last_event_id() in (acknowledged[-1], acknowledged[-1] + 1)
    named = _named(labels)
    assert all(named[f"eva/{n}"] == f"eva {n}" for n in range(len(acknowledged)))
    assert labels.undo(annotator="eva") is not None  # and the file can be written to
    labels.close()
