"""Trees of subcategories that a person brings: a BIIGLE label tree, a CSV, a list. Light."""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from discover.footage.tabular import plain
from discover.naming.database import LabelError
from discover.naming.eventlog import Writer
from discover.naming.events import By, Change, Event
from discover.naming.subcategories import checked_colour, looks
from discover.naming.tree import LISTED, SEPARATOR, Tree, checked_name, split_path

_COLUMNS = {
    "name": "name", "path": "path", "parent": "parent", "parent_id": "parent_id", "id": "id",
    "color": "colour", "colour": "colour", "source_id": "AphiaID",
}  # fmt: skip
_LEFT_OUT = {"label_tree_id", "label_source_id", "created_at", "updated_at", "uuid", "version"}


@dataclass(frozen=True)
class Entry:
    """A subcategory as a file has it: where it stands there, its path, colour and codes."""

    place: str
    path: tuple[str, ...]
    colour: str | None = None
    codes: dict[str, str] = field(default_factory=dict)


def import_tree(writer: Writer, file: Path, by: By) -> Event | None:
    """Bring a file's subcategories into the tree as one event; what is there already stays.

    Args:
        writer: of the events.
        file: see `read_tree`.
        by: who brings it.

    Raises:
        LabelError: the file is wrong; the message names the row, and nothing is changed.
    """
    tree = Tree.read(writer)
    by_path = {tree.path(node.id): node.id for node in tree.nodes.values()}
    changes: list[Change] = []
    for entry in read_tree(file):
        at = by_path.get(entry.path)
        made: list[Change] = [Change(LISTED, at, "yes")] if at else []
        if at is None:
            at, made = tree.creation(entry.path)
        changes += made + looks(tree.known.get(at), at, entry.colour, entry.codes or None)
    return writer.append("import subcategories", changes, by, detail=file.name)


def read_tree(file: Path) -> list[Entry]:
    """Read the subcategories of a file, each after those above it.

    Args:
        file: a BIIGLE label tree (.zip with labels.csv); a CSV with `path` ("A > B"), or with
            `name` and `parent` (a name) or `id` and `parent_id`, and perhaps `colour`, of which
            every further column is a code; or a list, one name or path a line.

    Raises:
        LabelError: it cannot be read, or a row repeats another, lies below itself or below what is
            not there.
    """
    if file.suffix.lower() == ".zip":
        entries = _of_table(_labels_csv(file), f"FILE {file}: labels.csv")
    else:
        text = _text(file)
        first = text.partition("\n")[0]
        columns = {
            plain(name) for name in next(csv.reader([first], delimiter=_delimiter(first)), [])
        }
        if columns & {"name", "path"}:
            entries = _of_table(text, f"FILE {file}")
        else:
            entries = _of_list(text, f"FILE {file}")
    if not entries:
        raise LabelError(f"FILE {file} has no subcategories: one name a line will do")
    return _without_repeats(entries)


def _of_list(text: str, place: str) -> list[Entry]:
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [_entry(f"{place}: row {n}", line, None, {}) for n, line in lines]


def _of_table(text: str, place: str) -> list[Entry]:
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0]))
    header = [name.strip() for name in next(rows, [])]
    names = [_COLUMNS.get(plain(name), name) for name in header]
    if not {"name", "path"} & set(names):
        raise LabelError(f"{place} has neither a column name nor path: it has {', '.join(header)}")
    table = []
    for row in rows:
        if not any(value.strip() for value in row):
            continue
        if len(row) != len(names):
            raise LabelError(
                f"{place}: row {rows.line_num} has {len(row)} values, but the header names "
                f"{len(names)}: quote values that hold the delimiter"
            )
        values = {n: v.strip() for n, v in zip(names, row, strict=True)}
        table.append((f"{place}: row {rows.line_num}", values))
    return _entries(table)


def _entries(table: list[tuple[str, dict[str, str]]]) -> list[Entry]:
    key = "id" if any(values.get("parent_id") for _, values in table) else "name"
    parent = "parent_id" if key == "id" else "parent"
    by_key = {values.get(key, ""): (place, values) for place, values in table}
    entries = []
    for place, values in table:
        codes = {
            name: value
            for name, value in values.items()
            if name not in {*_COLUMNS.values(), *_LEFT_OUT} - {"AphiaID"} and value
        }
        if values.get("path"):
            entries.append(_entry(place, values["path"], values.get("colour"), codes))
            continue
        path, seen, at = [values.get("name", "")], {values.get(key)}, values.get(parent)
        while at:
            if at in seen:
                raise LabelError(f"{place}: {path[-1]!r} lies below itself: mend its {parent}")
            if at not in by_key:
                raise LabelError(f"{place}: {parent} {at!r} is not in the file: add a row for it")
            seen.add(at)
            path.insert(0, by_key[at][1].get("name", ""))
            at = by_key[at][1].get(parent)
        entries.append(_entry(place, path, values.get("colour"), codes))
    return sorted(entries, key=lambda entry: len(entry.path))


def _entry(place: str, path: str | list[str], colour: str | None, codes: dict[str, str]) -> Entry:
    """Make an entry of a path, whole or in parts; an error of its name or colour names the row."""
    try:
        names = split_path(path) if isinstance(path, str) else tuple(map(checked_name, path))
        return Entry(place, names, checked_colour(colour) if colour else None, codes)
    except LabelError as error:
        raise LabelError(f"{place}: {error}") from error


def _without_repeats(entries: Iterable[Entry]) -> list[Entry]:
    found: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        if entry.path in found:
            raise LabelError(
                f"{entry.place} repeats {SEPARATOR.join(entry.path)!r} of "
                f"{found[entry.path].place.rpartition(': ')[2]}: leave one"
            )
        found[entry.path] = entry
    return list(found.values())


def _text(file: Path) -> str:
    try:
        return decoded(file.read_bytes(), f"FILE {file}")
    except OSError as error:
        raise LabelError(f"FILE {file}: {error.strerror}") from error


def decoded(data: bytes, place: str) -> str:
    """Return the text of a file in UTF-8.

    Raises:
        LabelError: it is in another encoding; the message names the first row that shows it.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise LabelError(
            f'{place}: row {row} is not UTF-8: save the file as "CSV UTF-8"'
        ) from error


def _labels_csv(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            return decoded(archive.read("labels.csv"), f"FILE {file}: labels.csv")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise LabelError(
            f"FILE {file} is no BIIGLE label tree, which is a ZIP with a labels.csv: {error}"
        ) from error


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
