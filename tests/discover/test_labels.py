import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discover.labels import Conflict, LabelError, Labels
from discover.naming.events import By


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


@settings(max_examples=30)
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


class _Model:
    """What must hold: an undone verdict is as though it had never been."""

    def __init__(self) -> None:
        self.verdicts: list[tuple[set[str], str | None]] = []
        self.stacks: dict[str, tuple[list[int], list[int]]] = {"eva": ([], []), "jon": ([], [])}

    def name(self, who: str, crops: set[str], name: str | None) -> None:
        now = self.named()
        changed = {crop for crop in crops if now.get(crop) != name}
        if changed:
            done, undone = self.stacks[who]
            done.append(len(self.verdicts))
            undone.clear()
            self.verdicts.append((changed, name))

    def turn(self, who: str, action: str) -> None:
        from_, to = self.stacks[who] if action == "undo" else self.stacks[who][::-1]
        if from_:
            to.append(from_.pop())

    def named(self) -> dict[str, str]:
        standing = sorted(verdict for done, _ in self.stacks.values() for verdict in done)
        names: dict[str, str | None] = {}
        for verdict in standing:
            crops, name = self.verdicts[verdict]
            names |= dict.fromkeys(crops, name)
        return {crop: name for crop, name in names.items() if name is not None}


@settings(max_examples=40)
@given(st.lists(_TWO, max_size=16), st.booleans())
def test_an_undone_verdict_is_as_though_it_had_never_been(
    steps: list[tuple[str, tuple[str, set[str], str | None]]], eva_first: bool
) -> None:
    labels, model = Labels("sqlite://"), _Model()
    for who, (action, crops, name) in steps:
        before = _named(labels)
        if action == "name":
            event = labels.name(crops, name, annotator=who)
            model.name(who, crops, name)
        else:
            event = getattr(labels, action)(annotator=who)
            model.turn(who, action)
        after = _named(labels)
        assert after == model.named()
        changed = {c for c in "abcd" if before.get(c) != after.get(c)}
        assert len(changed) <= (event.crops if event else 0)
    for who in ("eva", "jon") if eva_first else ("jon", "eva"):
        while labels.undo(annotator=who):
            pass
    assert _named(labels) == {}
    assert labels.tree().walk() == []
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


def test_eight_writers_at_once_lose_nothing(url: str) -> None:
    writers = [_writer(url, f"person{n}", 12) for n in range(8)]
    written = [int(line) for w in writers for line in w.communicate(timeout=120)[0].split()]
    assert [w.returncode for w in writers] == [0] * 8
    assert sorted(written) == list(range(1, 97))
    labels = Labels(url)
    named = _named(labels)
    assert len(named) == 97
    assert all(named[f"person{w}/{n}"] == f"person{w} {n}" for w in range(8) for n in range(12))
    # Each event on the shared crop saw the one before it: the chain of names has no gap.
    chain = labels.history(None, crop_id="shared")
    with labels.read() as reader:
        before = [reader.standing(["crop.label"], ["shared"], until=e.event_id - 1) for e in chain]
    assert [b[0].event_id for b in before[:-1]] == [e.event_id for e in chain[1:]]
    labels.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_loses_no_acknowledged_event_and_leaves_no_half(
    url: str,
    seed: int,
) -> None:
    process = _writer(url, "eva", 10_000)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(20)]
    time.sleep(random.Random(seed).uniform(0, 0.2))
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.communicate()[0].split()]
    labels = Labels(url)
    last = labels.last_event_id()
    assert last in (acknowledged[-1], acknowledged[-1] + 1)
    named = _named(labels)
    assert all(named[f"eva/{n}"] == f"eva {n}" for n in range(last))
    assert named["shared"] == f"eva {last - 1}"  # an event has both of its crops or is not there
    assert {e.crops for e in labels.history(None)} == {2}
    assert labels.undo(annotator="eva") is not None  # and it can be written to
    labels.close()


def test_undoing_everything_leads_back_to_the_first_state_with_all_that_was_known_of_it(
    labels: Labels,
) -> None:
    labels.name(["a", "b"], "rope", annotator="head-1", origin="machine", confidence={"a": 0.7})
    labels.name(["c"], "cf. net", annotator="jon", based_on="waste-1/2", confidence=0.5)
    first = labels.decided()
    assert first.set_index("crop_id").loc["a", "confidence"] == 0.7
    names = ["rope", "net", "can > tin", "bag sp.", None]
    for n in range(40):
        crops = random.Random(n).sample("abcdefg", 3)
        labels.name(crops, names[n % 5], annotator="eva")
    while labels.undo(annotator="eva"):
        pass
    assert labels.decided().to_csv() == first.to_csv()
    assert [n.name for n in labels.tree().walk()] == ["net", "rope"]
    labels.redo(annotator="eva")
    assert labels.decided().to_csv() != first.to_csv()


def test_a_state_of_the_past_can_be_read(labels: Labels) -> None:
    tables = []
    for n, name in enumerate(["rope", "net", None, "can"]):
        labels.name(["a", str(n)], name, annotator="eva")
        tables.append(labels.decided())
    labels.undo(annotator="eva")
    for number, table in enumerate(tables):
        assert labels.decided(until=number + 1).to_csv() == table.to_csv()


def test_what_somebody_else_changed_since_is_a_conflict_and_stays(labels: Labels) -> None:
    labels.name(["a", "b"], "rope", annotator="eva")
    seen = labels.last_event_id()
    labels.name(["b"], "net", annotator="jon")
    with pytest.raises(Conflict, match="jon changed 1 of these since you looked") as caught:
        labels.name(["a", "b"], "can", annotator="eva", seen=seen)
    assert [(s.key, s.annotator) for s in caught.value.standing] == [("b", "jon")]
    assert _named(labels) == {"a": "rope", "b": "net"}
    labels.name(["a"], "can", annotator="eva", seen=seen)  # that one nobody touched
    labels.name(["a"], "tin", annotator="eva", seen=seen)  # her own event is no conflict
    labels.name(["a", "b"], "can", annotator="eva", seen=labels.last_event_id())
    assert _named(labels) == {"a": "can", "b": "can"}


def test_a_machine_leaves_alone_what_a_person_decided(labels: Labels) -> None:
    labels.name(["a"], "rope", annotator="eva")
    labels.name(["a", "b"], "net", annotator="head-1", origin="machine")
    assert _named(labels) == {"a": "rope", "b": "net"}
    assert labels.name(["a"], "bag", annotator="head-1", origin="machine") is None
    assert "bag" not in [node.name for node in labels.tree().walk()]
    confirmed = labels.name(["b"], "net", annotator="eva")  # the same name, but now a person's
    assert confirmed is not None
    assert set(labels.names()["origin"]) == {"human"}
    labels.undo(annotator="eva")
    assert labels.names().set_index("crop_id")["origin"].to_dict() == {"a": "human", "b": "machine"}
    assert labels.undo(annotator="head-1", origin="machine") is not None
    assert _named(labels) == {"a": "rope"}


def test_the_history_of_a_crop_has_all_that_happened_to_it(labels: Labels) -> None:
    labels.name(["a", "b"], "rope", annotator="eva")
    labels.name(["b"], "net", annotator="jon")
    labels.undo(annotator="jon")
    labels.name(["c"], "can", annotator="jon")
    told = [(e.action, e.annotator, e.name, e.crops) for e in labels.history(crop_id="b")]
    assert told == [
        ("undo", "jon", "rope", 1),
        ("name", "jon", "net", 1),
        ("name", "eva", "rope", 2),
    ]
    assert labels.history(crop_id="z") == []


def test_names_are_read_anew_by_their_changes_alone_with_the_same_result(url: str) -> None:
    ours, theirs = Labels(url), Labels(url)
    rng = random.Random(0)
    for n in range(30):
        crops = rng.sample("abcdefgh", 3)
        step = rng.choice(["name", "name", "undo", "redo"])
        if step == "name":
            theirs.name(crops, rng.choice(["x", "y > x", "z", None]), annotator="jon")
        else:
            getattr(theirs, step)(annotator="jon")
        if n % 3 == 0:
            fresh = Labels(url)
            assert ours.decided().to_csv() == fresh.decided().to_csv()
            fresh.close()
    ours.close()
    theirs.close()


def test_several_verdicts_are_kept_together_or_not_at_all(labels: Labels) -> None:
    from discover.naming.events import Change

    def both() -> None:
        with labels.write() as writer:
            writer.append("flag", [Change("crop.flag", "a", "odd")], By("eva"))
            raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError):
        both()
    assert labels.last_event_id() == 0


def test_a_file_of_a_development_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "labels.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("create table event_items (event_id integer)")
    connection.close()
    with pytest.raises(LabelError, match=r"labels.sqlite.*move it away"):
        Labels(f"sqlite:///{file}")


def test_a_damaged_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.sqlite").write_bytes(b"no database at all, but some text" * 99)
    with pytest.raises(LabelError, match=r"labels.sqlite cannot be opened \(file is not a data"):
        Labels(f"sqlite:///{tmp_path / 'labels.sqlite'}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me@host/db", r"sqlite:///FILE or postgresql://"),
        ("postgresql://me@127.0.0.1:9/db", r"cannot be opened"),
    ],
)
def test_an_address_that_cannot_be_opened_is_an_error_of_one_line(url: str, words: str) -> None:
    with pytest.raises(LabelError, match=words) as caught:
        Labels(url)
    assert "\n" not in str(caught.value)
