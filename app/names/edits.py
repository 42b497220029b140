"""What a person does to the tree of subcategories on its page, written as events."""

from typing import Any

from app.data import Explorer
from discover.labels import By, Event, LabelError
from discover.naming import subcategories
from discover.naming.eventlog import Writer
from discover.naming.tree import Tree, used_ids

_SAID = {
    "add": "Added to the tree",
    "name": "Renamed",
    "codes": "Codes changed",
    "colour": "Colour changed",
    "move": "Moved",
    "merge": "Merged",
    "delete": "Deleted",
}
TOP = "(top)"  # where a move goes to that ends below nothing; no id is written so


def edit(explorer: Explorer, asked: dict[str, Any], by: By) -> tuple[str, bool]:
    """Carry out an edit.

    Args:
        explorer: the survey.
        asked: `do` is "name", "codes" or "colour" (with `value`), "move" or "merge" (with `to`, an
            id, or `TOP`), "delete", or "add" (with `value`, a name or a path); `id` is the
            subcategory.
        by: who asks, and the latest event that the page shows: what somebody else changed since is
            a conflict, and is not overwritten.

    Returns:
        What happened, and whether it failed.
    """
    try:
        with explorer.labels.write() as writer:
            event = _write(writer, asked, by)
    except LabelError as error:
        return str(error), True
    if event is None:
        return "Nothing changed", False
    return f"{_SAID[asked['do']]} — Ctrl-Z undoes it", False


def codes_of(text: str) -> dict[str, str]:
    """Return the codes in "AphiaID: 123776; SFDO: x".

    Raises:
        LabelError: a part has no key or no value.
    """
    codes = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ";").split(";"))):
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not (key and colon and value):
            raise LabelError(f"codes {part!r} is not one such as 'AphiaID: 123776'")
        codes[key] = value
    return codes


def _write(writer: Writer, asked: dict[str, Any], by: By) -> Event | None:
    do, which, value = asked.get("do"), str(asked.get("id") or ""), str(asked.get("value") or "")
    if do == "add":
        return subcategories.add(writer, value, by)
    tree = Tree.read(writer, used_ids(writer))
    node = tree.get(which)
    text = tree.text(node.id)  # what the history says; ids say nothing to a person
    if do == "name":
        return subcategories.rename(writer, which, value, by)
    if do == "codes":
        given = {**dict.fromkeys(node.codes, ""), **codes_of(value)}
        return subcategories.add(writer, text, by, codes=given)
    if do == "colour":
        return subcategories.add(writer, text, by, colour=value)
    if do == "delete":
        return subcategories.remove(writer, text, by)
    if do in ("move", "merge"):
        to = str(asked.get("to") or "")
        if not to or (do == "merge" and to == TOP):
            raise LabelError(f"{do}: say where to, by the list beside the button")
        if do == "move":
            return subcategories.move(writer, which, None if to == TOP else to, by)
        return subcategories.merge(writer, which, to, by)
    raise LabelError(f"edit {do!r} is none that the tree knows")
