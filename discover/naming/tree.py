"""The tree of subcategories as it stands, and what the value of a crop's label says. Light.

A subcategory gets its id when it is first named and keeps it through every rename, move and merge.
It is in the tree while it is listed, while a crop bears it, or while one below it is in the tree.
Naming lists it, the undo unlists it; so an undo takes back the subcategory that it made, unless
others use it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from discover.naming.database import LabelError
from discover.naming.events import Change
from discover.naming.standing import Reader

SEPARATOR = " > "
LABEL = "crop.label"
REJECTED, INDETERMINATE = MARKS = ("rejected", "indeterminate")  # in a subcategory's place
NAME, PARENT, COLOUR, CODES, LISTED, MERGED = FIELDS = (
    "subcategory.name",
    "subcategory.parent",  # an id, "" at the top
    "subcategory.colour",
    "subcategory.codes",  # JSON
    "subcategory.listed",
    "subcategory.merged",  # the id that this one leads to
)
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Subcategory:
    """One node of the tree.

    Attributes:
        id: never changes.
        parent: the id of the node above, None at the top.
        colour: "#rrggbb" or None.
        codes: free fields, such as {"AphiaID": "123776"}, of the vocabularies that a person brings.
        listed: whether it is in the tree even where no crop bears it.
    """

    id: str
    name: str
    parent: str | None = None
    colour: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    listed: bool = False


class Tree:
    """The subcategories as they stand.

    Args:
        nodes: all that were ever named, by id.
        used: the ids that crops bear.
        merged: where the ids lead that were merged into others.

    Attributes:
        known: all that were ever named, by id.
        nodes: those in the tree, by id.
    """

    def __init__(
        self,
        nodes: Mapping[str, Subcategory],
        used: Iterable[str] = (),
        merged: Mapping[str, str] | None = None,
    ) -> None:
        self.known = _without_circles(nodes)
        self.merged = dict(merged or {})
        self.nodes: dict[str, Subcategory] = {}
        for start in [*used, *(n.id for n in nodes.values() if n.listed)]:
            for node in self._up(start):
                self.nodes[node.id] = node
        self._texts, self._by_last = self._name_all()
        self._by_text = {text: node_id for node_id, text in self._texts.items()}

    @classmethod
    def read(cls, reader: Reader, used: Iterable[str] = ()) -> "Tree":
        """Read the tree as it stands; `used` are the subcategories that crops bear."""
        values: dict[str, dict[str, str]] = {}
        for row in reader.standing(FIELDS):
            if row.value is not None:
                values.setdefault(row.key, {})[row.field] = row.value
        nodes = {key: _node(key, v) for key, v in values.items() if NAME in v}
        return cls(nodes, used, {key: v[MERGED] for key, v in values.items() if MERGED in v})

    def path(self, node_id: str) -> tuple[str, ...]:
        """Return the names from the top down to the node."""
        return tuple(node.name for node in self._up(node_id))[::-1]

    def ids(self, node_id: str) -> tuple[str, ...]:
        """Return the ids from the top down to the node."""
        return tuple(node.id for node in self._up(node_id))[::-1]

    def text(self, node_id: str) -> str:
        """Return how a person names the node: its name, or its path where two have that name.

        `find` of this text is the node.
        """
        return self._texts.get(node_id) or SEPARATOR.join(self.path(node_id))

    def find(self, text: str) -> Subcategory | None:
        """Return the node that a person means by a name, a path `A > B` or an id; None if none.

        Raises:
            LabelError: it is the name of several.
        """
        if text in self.merged:
            return self.find(self.merged[text])
        if text in self.nodes:
            return self.nodes[text]
        if text in self._by_text:
            return self.nodes[self._by_text[text]]
        names = tuple(text.split(SEPARATOR))
        ends = ((i, self.path(i)) for i in self._by_last.get(names[-1], ()))
        found = [i for i, path in ends if path[-len(names) :] == names]
        if len(found) == 1:
            return self.nodes[found[0]]
        if found:
            paths = " or ".join(repr(SEPARATOR.join(self.path(i))) for i in sorted(found)[:3])
            raise LabelError(f"name {text!r} is that of {len(found)} subcategories: give {paths}")
        return None

    def get(self, text: str) -> Subcategory:
        """Return the node that `find` finds.

        Raises:
            LabelError: there is none, or it is the name of several.
        """
        node = self.find(text)
        if node is None:
            known = ", ".join(sorted(repr(self.text(i)) for i in self.nodes)[:8]) or "none yet"
            raise LabelError(f"subcategory {text!r} is not in the tree; there are: {known}")
        return node

    def children(self, parent: str | None) -> list[Subcategory]:
        """Return the nodes below `parent` (None: at the top), by name."""
        below = (n for n in self.nodes.values() if n.parent == parent)
        return sorted(below, key=lambda n: (n.name.casefold(), n.id))

    def walk(self) -> list[Subcategory]:
        """Return all nodes, each before those below it, siblings by name."""
        key = {i: tuple((n.name.casefold(), n.id) for n in self._up(i))[::-1] for i in self.nodes}
        return sorted(self.nodes.values(), key=lambda n: key[n.id])

    def creation(self, names: tuple[str, ...]) -> tuple[str, list[Change]]:
        """Return the id of the path `names`, and the changes that make what is missing of it."""
        parent, changes = "", []
        for name in names:
            at = next((n.id for n in self.children(parent or None) if n.name == name), None)
            at = at or self._new_id(name, parent)
            if at not in self.known:
                changes += [Change(NAME, at, name), Change(PARENT, at, parent)]
            parent = at
        return parent, [*changes, Change(LISTED, parent, "yes")]

    def _new_id(self, name: str, parent: str) -> str:
        """Return an id for a name: the one it had before, where an undo took it out of the tree."""
        attempt = 0
        while True:
            digest = hashlib.sha256(json.dumps([parent, name, attempt]).encode()).hexdigest()[:12]
            node = self.known.get(digest)
            if node is None or (node.name == name and (node.parent or "") == parent
                                and digest not in self.merged):  # fmt: skip
                return digest
            attempt += 1

    def _up(self, node_id: str | None) -> list[Subcategory]:
        found = []
        while node_id is not None and node_id in self.known:
            found.append(self.known[node_id])
            node_id = self.known[node_id].parent
        return found

    def _name_all(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Name each node by its name alone where it is the only one of that name."""
        by_last: dict[str, list[str]] = {}
        for node in self.nodes.values():
            by_last.setdefault(node.name, []).append(node.id)
        texts = {}
        for name, same in by_last.items():
            paths = [SEPARATOR.join(self.path(i)) for i in same]
            for node_id, path in zip(same, paths, strict=True):
                twin = f"{path} [{node_id}]" if paths.count(path) > 1 else path
                texts[node_id] = name if len(same) == 1 else twin
        return texts, by_last


def used_ids(reader: Reader) -> set[str]:
    """Return the ids of the subcategories that crops bear."""
    ids = {subcategory_of(row.value) for row in reader.rows(["value"], [LABEL], distinct=True)}
    return {i for i in ids if i is not None}


def label_value(subcategory: str, qualifier: str | None = None) -> str:
    """Return the value of a crop's label: one text, so that name and qualifier change as one."""
    return f"{subcategory} {qualifier}" if qualifier else subcategory


def subcategory_of(value: str | None) -> str | None:
    """Return the id in the value of a label, None where it is a mark or nothing."""
    return None if value is None or value in MARKS else value.split(" ", 1)[0]


def qualifier_of(value: str | None) -> str | None:
    """Return the qualifier in the value of a label, None where there is none."""
    return value.split(" ", 1)[1] if value and " " in value else None


def split_path(text: str) -> tuple[str, ...]:
    """Split `A > B` into its names.

    Raises:
        LabelError: one of them is empty or longer than 200 characters.
    """
    return tuple(checked_name(name) for name in text.split(SEPARATOR))


def checked_name(name: str) -> str:
    """Return a name without surrounding white space.

    Raises:
        LabelError: it is empty, longer than 200 characters, or a path.
    """
    name = name.strip()
    if not name:
        raise LabelError("name is empty: give a subcategory such as 'plastic bag'")
    if len(name) > _MOST_CHARACTERS:
        raise LabelError(f"name has {len(name)} characters: at most {_MOST_CHARACTERS} are kept")
    if SEPARATOR in name:
        raise LabelError(f"name {name!r} holds {SEPARATOR!r}, which parts the names of a path")
    return name


def _node(node_id: str, values: dict[str, str]) -> Subcategory:
    return Subcategory(
        node_id,
        values[NAME],
        values.get(PARENT) or None,
        values.get(COLOUR),
        json.loads(values.get(CODES, "{}")),
        values.get(LISTED) == "yes",
    )


def _without_circles(nodes: Mapping[str, Subcategory]) -> dict[str, Subcategory]:
    """Put one node of each circle at the top: two people's undos can close one."""
    nodes = dict(nodes)
    for start in sorted(nodes):
        seen, at = {start}, nodes[start].parent
        while at is not None and at in nodes and at not in seen:
            seen.add(at)
            at = nodes[at].parent
        if at == start:
            nodes[start] = replace(nodes[start], parent=None)
    return nodes
