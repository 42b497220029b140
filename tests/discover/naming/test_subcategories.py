import random
from collections.abc import Iterator

import pytest

from discover.labels import LabelError, Labels
from discover.naming import subcategories
from discover.naming.events import By, Event

EVA, JON = By("eva"), By("jon")


@pytest.fixture
def labels() -> Iterator[Labels]:
    opened = Labels("sqlite://")
    yield opened
    opened.close()


def _do(labels: Labels, verb: str, *args: object, **options: object) -> Event | None:
    with labels.write() as writer:
        return getattr(subcategories, verb)(writer, *args, **options)


def _paths(labels: Labels) -> list[str]:
    tree = labels.tree()
    return [" > ".join(tree.path(node.id)) for node in tree.walk()]


def _named(labels: Labels) -> dict[str, str]:
    names = labels.names()
    return dict(zip(names["crop_id"], names["name"], strict=True))


def test_naming_makes_the_tree_and_undo_takes_it_back(labels: Labels) -> None:
    labels.name(["a"], "waste > plastic > bag", annotator="eva")
    labels.name(["b"], "bag", annotator="eva")
    assert _paths(labels) == ["waste", "waste > plastic", "waste > plastic > bag"]
    assert _named(labels) == {"a": "bag", "b": "bag"}
    assert labels.decided()["path"].tolist() == ["waste > plastic > bag"] * 2
    labels.undo(annotator="eva")
    labels.undo(annotator="eva")
    assert _paths(labels) == []
    first = _id_of_next(labels)
    assert _id_of_next(labels) == first  # an id once given is given again


def _id_of_next(labels: Labels) -> str:
    labels.name(["a"], "waste > plastic > bag", annotator="eva")
    found = labels.decided()["subcategory"].iloc[0]
    labels.undo(annotator="eva")
    return str(found)


def test_a_subcategory_that_others_use_outlives_the_undo_that_made_it(labels: Labels) -> None:
    labels.name(["a"], "bag", annotator="eva")
    labels.name(["b"], "bag", annotator="jon")
    labels.undo(annotator="eva")
    assert _named(labels) == {"b": "bag"}
    assert _paths(labels) == ["bag"]
    labels.name(["c"], "bag", annotator="mia")
    assert labels.decided()["subcategory"].nunique() == 1
    labels.undo(annotator="mia")
    labels.undo(annotator="jon")
    assert _paths(labels) == []


def test_a_name_that_two_have_is_told_by_its_path(labels: Labels) -> None:
    labels.name(["a"], "fauna > other", annotator="eva")
    assert _named(labels) == {"a": "other"}
    labels.name(["b"], "waste > other", annotator="eva")
    assert _named(labels) == {"a": "fauna > other", "b": "waste > other"}
    with pytest.raises(LabelError, match=r"'other' is that of 2 subcategories: give '.* > other'"):
        labels.name(["c"], "other", annotator="eva")
    tree = labels.tree()
    assert all(tree.get(tree.text(node.id)) == node for node in tree.walk())


def test_renaming_keeps_id_crops_and_history(labels: Labels) -> None:
    labels.name(["a"], "bag", annotator="eva")
    before = labels.decided()["subcategory"].iloc[0]
    _do(labels, "rename", "bag", "plastic bag", JON)
    assert _named(labels) == {"a": "plastic bag"}
    assert labels.decided()["subcategory"].iloc[0] == before
    assert labels.history()[0].detail == "bag to plastic bag"
    labels.name(["b"], "bag", annotator="eva")  # the old name is free for another
    assert _named(labels) == {"a": "plastic bag", "b": "bag"}
    with pytest.raises(LabelError, match="merge the two instead"):
        _do(labels, "rename", "bag", "plastic bag", EVA)
    labels.undo(annotator="jon")
    tree = labels.tree()
    assert len({tree.text(node.id) for node in tree.walk()}) == 2  # twins are told apart
    assert all(tree.get(tree.text(node.id)) == node for node in tree.walk())


def test_moving_takes_along_what_lies_below(labels: Labels) -> None:
    for path in ("Echinodermata > Asteroidea > Asterias rubens", "fauna"):
        _do(labels, "add", path, EVA)
    _do(labels, "move", "Echinodermata", "fauna", EVA)
    assert _paths(labels)[-1] == "fauna > Echinodermata > Asteroidea > Asterias rubens"
    with pytest.raises(LabelError, match="cannot lie below itself"):
        _do(labels, "move", "fauna", "Asteroidea", EVA)
    _do(labels, "move", "Asteroidea", None, EVA)
    assert "Asteroidea > Asterias rubens" in _paths(labels)
    labels.undo(annotator="eva")
    labels.undo(annotator="eva")
    assert _paths(labels)[-1] == "fauna"


def test_merging_gives_crops_children_and_old_ids_to_the_other(labels: Labels) -> None:
    labels.name(["a"], "sack sp.", annotator="eva", confidence=0.4)
    labels.name(["b"], "sack > torn", annotator="eva")
    labels.name(["c"], "bag", annotator="eva")
    old = labels.tree().get("sack").id
    _do(labels, "merge", "sack", "bag", JON)
    assert _named(labels) == {"a": "bag sp.", "b": "torn", "c": "bag"}
    assert _paths(labels) == ["bag", "bag > torn"]
    assert labels.tree().get(old).name == "bag"
    assert labels.decided().set_index("crop_id").loc["a", "confidence"] == 0.4
    labels.undo(annotator="jon")
    assert _paths(labels) == ["bag", "sack", "sack > torn"]
    assert set(labels.decided()["annotator"]) == {"eva"}
    with pytest.raises(LabelError, match="cannot be merged into"):
        _do(labels, "merge", "sack", "torn", EVA)


def test_a_name_merged_away_can_be_given_anew(labels: Labels) -> None:
    labels.name(["a"], "sack", annotator="eva")
    labels.name(["b"], "bag", annotator="eva")
    _do(labels, "merge", "sack", "bag", EVA)
    labels.name(["c"], "sack", annotator="eva")
    assert _named(labels) == {"a": "bag", "b": "bag", "c": "sack"}


def test_codes_and_colours_are_kept_and_taken_back(labels: Labels) -> None:
    _do(labels, "add", "Asterias rubens", EVA, colour="1F77B4", codes={"AphiaID": "123776"})
    _do(labels, "add", "Asterias rubens", EVA, codes={"CATAMI": "80600000"})
    node = labels.tree().get("Asterias rubens")
    assert node.colour == "#1f77b4"
    assert dict(node.codes) == {"AphiaID": "123776", "CATAMI": "80600000"}
    _do(labels, "add", "Asterias rubens", EVA, codes={"AphiaID": ""})
    assert dict(labels.tree().get("Asterias rubens").codes) == {"CATAMI": "80600000"}
    told = [(event.action, event.detail) for event in labels.history()]
    edited, added = (f"{verb} subcategory" for verb in ("edit", "add"))
    assert told == [(verb, "Asterias rubens") for verb in (edited, edited, added)]
    for _ in range(3):
        labels.undo(annotator="eva")
    assert _paths(labels) == []
    with pytest.raises(LabelError, match="colour 'red' is not one such as '#1f77b4'"):
        _do(labels, "add", "x", EVA, colour="red")


def test_only_what_nobody_bears_can_be_removed(labels: Labels) -> None:
    labels.name(["a"], "waste > bag", annotator="eva")
    with pytest.raises(LabelError, match="is the name of crops"):
        _do(labels, "remove", "bag", EVA)
    with pytest.raises(LabelError, match="has others below it"):
        _do(labels, "remove", "waste", EVA)
    with pytest.raises(LabelError, match="'rope' is not in the tree; there are: 'bag', 'waste'"):
        _do(labels, "remove", "rope", EVA)
    _do(labels, "add", "rope", EVA)
    _do(labels, "remove", "rope", EVA)
    assert _paths(labels) == ["waste", "waste > bag"]


def test_two_people_cannot_close_a_circle(labels: Labels) -> None:
    _do(labels, "add", "a", EVA)
    _do(labels, "add", "b", EVA)
    _do(labels, "move", "a", "b", EVA)
    labels.undo(annotator="eva")
    _do(labels, "move", "b", "a", JON)
    labels.redo(annotator="eva")  # now each lies below the other
    assert len(_paths(labels)) == 2
    assert labels.tree().walk()[0].parent is None


def test_whatever_is_done_everything_undone_is_the_empty_tree(labels: Labels) -> None:
    rng = random.Random(3)
    people = ("eva", "jon")
    for step in range(120):
        who, names = By(rng.choice(people)), ["a", "b", "c", "a > b", "c > a"]
        verb = rng.choice(["add", "rename", "move", "merge", "remove", "name", "undo", "redo"])
        try:
            if verb == "name":
                labels.name([str(step % 7)], rng.choice(names), annotator=who.annotator)
            elif verb in ("undo", "redo"):
                getattr(labels, verb)(annotator=who.annotator)
            elif verb in ("add", "remove"):
                _do(labels, verb, rng.choice(names), who)
            else:
                _do(labels, verb, rng.choice(names), rng.choice(["a", "b", "d"]), who)
        except LabelError:
            pass
        tree = labels.tree()
        assert all(tree.get(tree.text(node.id)) == node for node in tree.walk())
    while any(labels.undo(annotator=who) for who in people):
        pass
    assert labels.decided().empty
