"""What people and machines have decided on the crops of one run, kept true event by event.

A verdict on a hundred of a million crops costs a hundred look-ups: what stands is held in arrays,
beside the crops' table, and only what an event changed is read again.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discover.labels import Labels
from discover.naming.groups import FLAG, GROUP, VALIDATED
from discover.naming.qualifiers import with_qualifier
from discover.naming.standing import Reader
from discover.naming.tree import LABEL, MARKS, Tree, qualifier_of, subcategory_of

Codes = npt.NDArray[np.int32]
_COLUMNS = ["field", "key", "value", "origin"]
_NONE = np.int32(-1)
_NOWHERE = np.int32(np.iinfo(np.int32).min)  # the number of no group


def group_number(group: str) -> int:
    """Return the number of a group: of a cluster its own, of one split off by event n, -1 - n.

    Raises:
        ValueError: it is neither.
    """
    return -1 - int(group[1:]) if group.startswith("s") else int(group)


def group_text(number: int) -> str:
    """Return the group of a number, as in "7", "-1" (noise) or "s12"."""
    return str(number) if number >= -1 else f"s{-1 - number}"


@dataclass
class Texts:
    """Texts by number, so that a column of a million is one of numbers."""

    known: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of a text, a new one where it is new."""
        found = self._numbers.setdefault(text, len(self.known))
        if found == len(self.known):
            self.known.append(text)
        return found


@dataclass(frozen=True)
class State:
    """What stands on the crops of a run after one event.

    Attributes:
        event: the latest event that is in it.
        columns: a column for each of `group` (number), `label` (a name or a mark), `name` (a label
            that is no mark), `origin`, `validated`, `flag` (why a second look is asked for).
    """

    event: int
    columns: Mapping[str, object]


class Standing:
    """Reads what stands on the crops of one run, and afterwards only what changed.

    Args:
        run: the clustering run.
        crop_ids: its crops, in the order of the columns.
        clusters: int32 [n], the cluster of each as it was found.
    """

    def __init__(self, run: str, crop_ids: pd.Index, clusters: Codes) -> None:
        self._prefix = f"{run}/"
        self._ids = crop_ids
        self._found = clusters
        self._values = Texts()
        self._notes = Texts()
        n = len(crop_ids)
        self._held: dict[str, npt.NDArray[np.int32]] = {
            "group": clusters.astype(np.int32, copy=True),
            "label": np.full(n, _NONE),
            "flag": np.full(n, _NONE),
            "approved": np.full(n, _NOWHERE),  # the group that each was approved in
        }
        self._human = np.zeros(n, bool)
        self._event: int | None = None
        self._state: State | None = None  # after that event
        self._lock = threading.Lock()

    def now(self, labels: Labels) -> State:
        """Return what stands; the arrays of an earlier state are left as they were."""
        with self._lock, labels.read() as reader:
            last = reader.last_event_id()
            if self._state is None or last != self._event:
                self._take(reader)
                self._tree = Tree.read(reader, self._used())
                self._event, self._state = last, State(last, self._columns())
            return self._state

    def after(self, labels: Labels, event: int) -> State:
        """Return what stood after an event; for one that has not been asked yet."""
        with labels.read() as reader:
            self._take(reader, until=event)
            self._tree = Tree.read(reader, self._used())
        return State(event, self._columns())

    def _take(self, reader: Reader, until: int | None = None) -> None:
        keys = None if self._event is None else reader.changed_keys(since=self._event)
        found = reader.rows(_COLUMNS, [LABEL, GROUP, VALIDATED, FLAG], keys, until=until)
        rows: list[tuple[Any, ...]] = [tuple(row) for row in found]  # faster by place than by name
        held = {name: column.copy() for name, column in self._held.items()}
        human = self._human.copy()
        if keys is not None:  # what is no longer there was taken away
            self._clear(held, human, self._places(keys))
        places = self._places([key for _, key, _, _ in rows])
        for place, (name, _, value, origin) in zip(places.tolist(), rows, strict=True):
            if place >= 0 and value is not None:
                self._put(held, human, place, name, value, origin)
        self._held, self._human = held, human

    def _places(self, keys: Iterable[str]) -> npt.NDArray[np.intp]:
        return np.asarray(self._ids.get_indexer(pd.Index(list(keys), dtype=object)))

    def _clear(
        self, held: dict[str, Codes], human: npt.NDArray[np.bool_], places: npt.NDArray[np.intp]
    ) -> None:
        places = places[places >= 0]
        held["group"][places] = self._found[places]
        held["label"][places] = held["flag"][places] = _NONE
        held["approved"][places] = _NOWHERE
        human[places] = False

    def _put(
        self, held: dict[str, Codes], human: npt.NDArray[np.bool_], place: int, name: str,
        value: str, origin: str,
    ) -> None:  # fmt: skip
        if name == LABEL:
            held["label"][place] = self._values.number(value)
            human[place] = origin == "human"
        elif name == FLAG:
            held["flag"][place] = self._notes.number(value)
        elif value.startswith(self._prefix):
            number = group_number(value.removeprefix(self._prefix))
            held["group" if name == GROUP else "approved"][place] = number

    def _used(self) -> set[str]:
        """Return the subcategories that crops of the run bear."""
        label = self._held["label"]
        borne = np.flatnonzero(np.bincount(label[label >= 0]))
        return {s for i in borne if (s := subcategory_of(self._values.known[i]))}

    def _columns(self) -> dict[str, object]:
        held, texts = self._held, Texts()
        of_value = [texts.number(self._said(value)) for value in self._values.known]
        label = np.array([*of_value, _NONE], np.int32)[held["label"]]  # -1 is the last: none
        marks = [texts.number(mark) for mark in MARKS]
        named = np.where(np.isin(label, marks), _NONE, label)
        origin = np.where(label < 0, _NONE, self._human.astype(np.int32))
        return {
            "group": held["group"],
            "label": _categorical(label, texts.known),
            "name": _categorical(named, texts.known),
            "origin": _categorical(origin, ["machine", "human"]),
            "validated": held["approved"] == held["group"],
            "flag": _categorical(held["flag"], self._notes.known),
        }

    def _said(self, value: str) -> str:
        node = subcategory_of(value)
        return value if node is None else with_qualifier(self._tree.text(node), qualifier_of(value))


def _categorical(codes: npt.NDArray[Any], texts: list[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(texts, dtype=object))
