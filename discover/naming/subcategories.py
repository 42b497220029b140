"""What a person does to the tree of subcategories: each verb is an event, which undo takes back.

`discover.naming.tree` is the tree as it stands. Light.
"""

import json
import re
from collections.abc import Mapping

from discover.naming.database import LabelError
from discover.naming.eventlog import Writer
from discover.naming.events import By, Change, Event
from discover.naming.tree import (
    CODES,
    COLOUR,
    LABEL,
    LISTED,
    MERGED,
    NAME,
    PARENT,
    Subcategory,
    Tree,
    checked_name,
    label_value,
    qualifier_of,
    split_path,
    subcategory_of,
    used_ids,
)


def add(
    writer: Writer,
    path: str,
    by: By,
    *,
    colour: str | None = None,
    codes: Mapping[str, str] | None = None,
) -> Event | None:
    """Add a subcategory to the tree, or give one that is there its colour and codes.

    Args:
        writer: of the events.
        path: a name, or a path `A > B`, of which what is missing is made.
        by: who does so.
        colour: "#rrggbb"; None leaves it.
        codes: free fields; an empty value takes one away; None leaves them.

    Raises:
        LabelError: the name or the colour cannot be, or the name is that of several.
    """
    tree = Tree.read(writer)
    node = tree.find(path)
    at, changes = (node.id, []) if node else tree.creation(split_path(path))
    changes += looks(tree.known.get(at), at, colour, codes)
    action = "edit subcategory" if node else "add subcategory"
    return writer.append(action, changes, by, detail=path)


def rename(writer: Writer, which: str, name: str, by: By) -> Event | None:
    """Rename a subcategory; its crops, its place and its id stay.

    Raises:
        LabelError: it is not there, or another in the same place has the name: merge them.
    """
    tree = _tree(writer)
    node, name = tree.get(which), checked_name(name)
    _refuse_twin(tree, node, name, node.parent)
    changes = [Change(NAME, node.id, name)]
    return writer.append("rename subcategory", changes, by, detail=f"{node.name} to {name}")


def move(writer: Writer, which: str, parent: str | None, by: By) -> Event | None:
    """Put a subcategory, with all below it, under another; None puts it at the top.

    Raises:
        LabelError: either is not there, or the move would make a circle or two of one name.
    """
    tree = _tree(writer)
    node = tree.get(which)
    above = None if parent is None else tree.get(parent)
    if above is not None and node.id in tree.ids(above.id):
        raise LabelError(f"{which!r} cannot lie below itself: choose a parent outside of it")
    _refuse_twin(tree, node, node.name, above.id if above else None)
    change = Change(PARENT, node.id, above.id if above else "")
    where = f"below {above.name}" if above else "to the top"
    return writer.append("move subcategory", [change], by, detail=f"{node.name} {where}")


def merge(writer: Writer, which: str, into: str, by: By) -> Event | None:
    """Give the crops and the children of a subcategory to another, and take it out of the tree.

    Its id leads to the other from then on, so that files with the old id still import.

    Raises:
        LabelError: either is not there, they are one, or the other lies below it.
    """
    tree = _tree(writer)
    node, target = tree.get(which), tree.get(into)
    if node.id in tree.ids(target.id):
        raise LabelError(f"{which!r} cannot be merged into {into!r}, which is it or lies below it")
    changes = [Change(MERGED, node.id, target.id), Change(LISTED, node.id, None)]
    changes.append(Change(LISTED, target.id, "yes"))
    for child in tree.children(node.id):
        _refuse_twin(tree, child, child.name, target.id)
        changes.append(Change(PARENT, child.id, target.id))
    for row in writer.standing([LABEL]):
        if subcategory_of(row.value) == node.id:
            value = label_value(target.id, qualifier_of(row.value))
            changes.append(Change(LABEL, row.key, value, row.based_on, row.confidence))
    return writer.append("merge subcategory", changes, by, detail=f"{node.name} into {target.name}")


def remove(writer: Writer, which: str, by: By) -> Event | None:
    """Take a subcategory out of the tree.

    Raises:
        LabelError: it is not there, crops bear it, or others lie below it.
    """
    tree = _tree(writer)
    node = tree.get(which)
    if node.id in used_ids(writer):
        raise LabelError(f"subcategory {which!r} is the name of crops: merge it into another")
    if tree.children(node.id):
        raise LabelError(f"subcategory {which!r} has others below it: move or remove those first")
    return writer.append("remove subcategory", [Change(LISTED, node.id, None)], by, detail=which)


def looks(
    node: Subcategory | None, at: str, colour: str | None, codes: Mapping[str, str] | None
) -> list[Change]:
    """Return the changes that give the subcategory `at` its colour and codes.

    Raises:
        LabelError: the colour is none.
    """
    changes = []
    if colour is not None:
        changes.append(Change(COLOUR, at, checked_colour(colour)))
    if codes is not None:
        held = {**(node.codes if node else {}), **{k.strip(): v.strip() for k, v in codes.items()}}
        kept = {k: v for k, v in sorted(held.items()) if v}
        changes.append(Change(CODES, at, json.dumps(kept, ensure_ascii=False) if kept else None))
    return changes


def checked_colour(colour: str) -> str:
    """Return a colour as "#rrggbb".

    Raises:
        LabelError: it is none.
    """
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})", colour.strip())
    if found is None:
        raise LabelError(f"colour {colour!r} is not one such as '#1f77b4'")
    return "#" + found[1].lower()


def _tree(writer: Writer) -> Tree:
    return Tree.read(writer, used_ids(writer))


def _refuse_twin(tree: Tree, node: Subcategory, name: str, parent: str | None) -> None:
    for other in tree.children(parent):
        if other.name == name and other.id != node.id:
            raise LabelError(f"there is a {name!r} in that place already: merge the two instead")
