"""The labels of crops: who named which crops what, when, and what was undone.

A label is a subcategory, with the qualifier of open nomenclature where the name has one, or a mark:
rejected (no such thing is there) or indeterminate (nobody can tell). Light.
"""

import getpass
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from discover.naming.database import LabelError
from discover.naming.eventlog import EventLog, Writer
from discover.naming.events import By, Change, Conflict, Event
from discover.naming.qualifiers import split_qualifier, with_qualifier
from discover.naming.standing import Reader
from discover.naming.tree import (
    LABEL,
    MARKS,
    SEPARATOR,
    Tree,
    checked_name,
    label_value,
    qualifier_of,
    subcategory_of,
    used_ids,
)
from discover.survey import Survey

__all__ = [
    "By",
    "Conflict",
    "Event",
    "LabelError",
    "Labels",
    "decided_so_far",
    "in_words",
    "label_changes",
    "labels_so_far",
    "name_changes",
    "user_name",
]  # fmt: skip

_NAMES = ["crop_id", "name", "origin", "event_id"]
_DECIDED = [
    "crop_id", "label", "subcategory", "qualifier", "path", "origin", "annotator", "time_utc",
    "confidence", "based_on", "event_id",
]  # fmt: skip

_STORED = {
    "key": "object", "value": "object", "confidence": "float64", "based_on": "object",
    "event_id": "int64",
}  # fmt: skip
_TYPES = {**dict.fromkeys(_DECIDED, "object"), "confidence": "float64", "event_id": "int64"}


def user_name() -> str:
    """Return the name of the operating system's user, who decides where no other name is given."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no entry
        return "unknown"


def decided_so_far(survey: Survey) -> pd.DataFrame:
    """Return `Labels.decided` of a survey; reading makes no file where nothing was decided yet."""
    address = sa.make_url(survey.labels_url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return pd.DataFrame(columns=_DECIDED)
    labels = Labels(survey.labels_url)
    try:
        return labels.decided()
    finally:
        labels.close()


def labels_so_far(survey: Survey) -> pd.DataFrame:
    """Return `Labels.names` of a survey, as `decided_so_far` does."""
    return _named(decided_so_far(survey))


def _named(decided: pd.DataFrame) -> pd.DataFrame:
    named = decided[decided["subcategory"].notna()]
    return named.rename(columns={"label": "name"})[_NAMES].reset_index(drop=True)


class Labels:
    """The labels of one survey.

    Args:
        url: SQLAlchemy's address: `sqlite:///PATH` or `postgresql://USER@HOST/DATABASE`.

    Raises:
        LabelError: the address cannot be opened, or is a file on a network drive.
    """

    def __init__(self, url: str) -> None:
        self.log = EventLog(url)
        self._held: tuple[int, pd.DataFrame] | None = None  # the last event, and what stood then

    def name(
        self,
        crop_ids: Iterable[str],
        name: str | None,
        *,
        annotator: str,
        based_on: str | None = None,
        origin: str = "human",
        confidence: Mapping[str, float] | float | None = None,
        seen: int | None = None,
    ) -> Event | None:
        """Give the crops a subcategory; None takes their label away.

        Args:
            crop_ids: the crops; those that have this name already are left out of the event, and,
                where a machine names, those that a person labelled.
            name: the subcategory: a name, or a path `A > B`; a new one joins the tree. A qualifier
                is told from it, as in "Asterias cf. rubens".
            annotator: who says so.
            based_on: what the verdict was based on, such as "<cluster run>/<cluster>".
            origin: "human" or "machine".
            confidence: 0..1, of all or by crop.
            seen: the latest event that the annotator had seen; None overwrites what others did
                since.

        Returns:
            The event, or None when nothing would change.

        Raises:
            LabelError: the name is empty or longer than 200 characters, is that of several
                subcategories, or the origin is unknown.
            Conflict: somebody else labelled one of the crops since `seen`.
        """
        by = By(annotator, origin, based_on, seen)
        with self.write() as writer:
            changes = name_changes(writer, crop_ids, name, confidence=confidence)
            return in_words(
                writer.append("name", changes, by, detail=name and name.strip()), Tree.read(writer)
            )

    def undo(self, *, annotator: str, origin: str = "human") -> Event | None:
        """Take back the annotator's last event that stands; None when there is none left.

        What somebody else changed since stays; the event counts what it changed.
        """
        return self._invert("undo", By(annotator, origin))

    def redo(self, *, annotator: str, origin: str = "human") -> Event | None:
        """Do again what the annotator undid last; None when there is nothing, or it is stale."""
        return self._invert("redo", By(annotator, origin))

    def names(self) -> pd.DataFrame:
        """Return the crops that have a name now: `crop_id`, `name`, `origin`, `event_id`."""
        return _named(self.decided())

    def decided(self, *, until: int | None = None) -> pd.DataFrame:
        """Return the crops that have a label now, those rejected or indeterminate included.

        Args:
            until: as it was after this event; None = now.

        Returns:
            By crop_id: `crop_id, label` (the name as a person reads it, or the mark),
            `subcategory` (id; null for a mark), `qualifier, path` ("A > B"), `origin, annotator,
            time_utc` (ISO 8601), `confidence, based_on, event_id`.
        """
        with self.read() as reader:
            table = self._standing(reader).copy() if until is None else _frame(reader, until=until)
            value, values = pd.factorize(table["value"])
            given, event_ids = pd.factorize(table["event_id"])
            events = reader.events(event_ids.tolist())
            tree = Tree.read(reader, {s for s in map(subcategory_of, values) if s})
        said = [_said(tree, v) for v in values]
        for place, name in enumerate(("label", "subcategory", "qualifier", "path")):
            table[name] = _taken([words[place] for words in said], value)
        of_event = [events[event] for event in event_ids.tolist()]
        for name in ("origin", "annotator", "time_utc"):
            table[name] = _taken([getattr(event, name) for event in of_event], given)
        own, grounds = table["based_on"], _taken([event.based_on for event in of_event], given)
        table["based_on"] = own.where(own.notna(), grounds).astype(object)
        return table.rename(columns={"key": "crop_id"})[_DECIDED].astype(_TYPES)

    def tree(self) -> Tree:
        """Return the subcategories as they stand."""
        with self.read() as reader:
            return Tree.read(reader, used_ids(reader))

    def history(self, limit: int | None = 50, *, crop_id: str | None = None) -> list[Event]:
        """Return the last events (of one crop), the latest first; `name` is that after it."""
        with self.read() as reader:
            events = reader.history(limit, key=crop_id)
            tree = Tree.read(reader)
        return [in_words(event, tree) for event in events]

    def last_event_id(self) -> int:
        """Return the id of the latest event, 0 before the first: cheap to poll for changes."""
        with self.read() as reader:
            return reader.last_event_id()

    def read(self) -> AbstractContextManager[Reader]:
        """Return what reads a state that holds still; use it by `with`."""
        return self.log.read()

    def write(self) -> AbstractContextManager[Writer]:
        """Return what appends events of several verdicts, all or none; use it by `with`."""
        return self.log.write()

    def _standing(self, reader: Reader) -> pd.DataFrame:
        """Return what `_frame` returns; of what was read before only the changes are read."""
        last, held = reader.last_event_id(), self._held
        if held is None:
            table = _frame(reader)
        elif held[0] < last:
            keys = reader.changed_keys(since=held[0])
            left = held[1][~held[1]["key"].isin(keys)]
            table = pd.concat([left, _frame(reader, keys)])
            table = table.sort_values("key", kind="stable", ignore_index=True)
        else:
            return held[1]
        self._held = (last, table)
        return table

    def _invert(self, action: str, by: By) -> Event | None:
        with self.write() as writer:
            return in_words(writer.invert(action, by), Tree.read(writer))

    def close(self) -> None:
        """Give back the connections."""
        self.log.close()


def name_changes(
    reader: Reader,
    crop_ids: Iterable[str],
    name: str | None,
    *,
    confidence: Mapping[str, float] | float | None = None,
) -> list[Change]:
    """Return the changes that give crops a name (None: take their label away).

    Raises:
        LabelError: see `Labels.name`.
    """
    crop_ids = list(crop_ids)
    value: str | None = None
    changes: list[Change] = []
    if name is not None and crop_ids:
        value, changes = label_changes(Tree.read(reader), name)
    sure = confidence if isinstance(confidence, Mapping) else None
    for crop in crop_ids:
        one = sure.get(crop) if sure is not None else confidence
        changes.append(Change(LABEL, crop, value, confidence=one))  # type: ignore[arg-type]
    return changes


E = TypeVar("E", Event, Event | None)


def in_words(event: E, tree: Tree) -> E:
    """Return an event with its label in words."""
    if event is None or LABEL not in event.fields or event.value is None:
        return event
    return replace(event, name=_said(tree, event.value)[0])


def _frame(
    reader: Reader, keys: Iterable[str] | None = None, *, until: int | None = None
) -> pd.DataFrame:
    """Return the labels that stand: `key, value, confidence, based_on, event_id`, by key."""
    rows = [r for r in reader.rows(list(_STORED), [LABEL], keys, until=until) if r.value]
    columns = zip(*rows, strict=True) if rows else [()] * len(_STORED)
    table = pd.DataFrame(
        {n: pd.Series(list(c), dtype=_STORED[n]) for n, c in zip(_STORED, columns, strict=True)}
    )
    return table.sort_values("key", ignore_index=True)


def _taken(values: list[str | None], places: npt.NDArray[np.intp]) -> pd.Series:
    """Return the values at the places; what is None stays None."""
    held = np.array([*values, None], object)
    return pd.Series(held[places], dtype=object)


def label_changes(tree: Tree, label: str) -> tuple[str, list[Change]]:
    """Return the value of a label (a name, a path, a mark), and what puts it into the tree.

    Raises:
        LabelError: see `Labels.name`.
    """
    if label in MARKS:
        return label, []
    *above, last = label.split(SEPARATOR)
    bare, qualifier = split_qualifier(checked_name(last))
    names = (*map(checked_name, above), bare)
    node = tree.find(SEPARATOR.join(names))
    at, changes = (node.id, []) if node else tree.creation(names)
    return label_value(at, qualifier), changes


def _said(tree: Tree, value: str) -> tuple[str, str | None, str | None, str | None]:
    """Return label, subcategory, qualifier and path of a label's value."""
    if value in MARKS:
        return value, None, None, None
    node, qualifier = subcategory_of(value), qualifier_of(value)
    assert node is not None  # a value is a mark or has an id
    path = SEPARATOR.join(tree.path(node))
    return with_qualifier(tree.text(node), qualifier), node, qualifier, path
