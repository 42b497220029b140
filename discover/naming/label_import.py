"""Labels from files, of other tools or our own: matched with crops, written all or none. Light."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from discover.annotate import BURST
from discover.export.records import all_crops, image_names, plain_name
from discover.export.rows import LabelRow
from discover.labels import label_changes
from discover.naming.database import LabelError
from discover.naming.eventlog import Writer
from discover.naming.events import By, Change, Event
from discover.naming.growing import GROWN
from discover.naming.subcategories import looks
from discover.naming.tree import LABEL, Tree, subcategory_of
from discover.survey import Survey

_OVERLAP = 0.5  # intersection over union at which a box of a file is that of a crop


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        events: one for each annotator and time.
        rows: labels in the file.
        kept: crops whose label of a person stayed, since the file says otherwise.
    """

    events: list[Event]
    rows: int
    kept: list[str]


def import_labels(
    writer: Writer,
    survey: Survey,
    rows: Iterable[LabelRow],
    by: By,
    *,
    overwrite: bool = False,
) -> Imported:
    """Write the labels of a file.

    What a person decided here stays, unless `overwrite`: an import must not undo a check.

    Args:
        writer: of the events; after an error nothing is kept.
        survey: the survey, with crops.
        rows: the labels, as a reader of `discover.export` yields them.
        by: who imports, on which file; for rows that do not say who decided.
        overwrite: let the file win over what a person decided here.

    Raises:
        LabelError: a row's image or crop is unknown, a crop has two labels, or a label cannot be;
            the message names the row.
    """
    found = list(rows)
    crops = _Crops(survey)
    by_crop: dict[str, LabelRow] = {}
    for row in found:
        crop = crops.find(row)
        if crop in by_crop:
            raise LabelError(
                f"{row.place}: the same crop as {by_crop[crop].place.rpartition(': ')[2]}: "
                "leave one of the two"
            )
        by_crop[crop] = row
    kept = [] if overwrite else _decided_otherwise(writer, by_crop)
    left = [(crop, row) for crop, row in by_crop.items() if crop not in set(kept)]
    events = []
    for who, same in groupby(sorted(left, key=lambda r: _key(r[1], by)), lambda r: _key(r[1], by)):
        event = _append(writer, dict(same), by, who)
        if event is not None:
            events.append(event)
    return Imported(events, len(found), kept)


def _key(row: LabelRow, by: By) -> tuple[str, str, str, str]:
    """Return what rows of one event share: time, annotator, origin, grounds."""
    when = row.time.isoformat() if row.time else ""
    grounds = "" if _taken_over(row) else row.based_on or ""
    return when, row.annotator or by.annotator, row.origin or by.origin, grounds


def _taken_over(row: LabelRow) -> bool:
    """Whether the label was taken over from another crop, which is told crop by crop."""
    return row.based_on is not None and row.based_on.startswith((BURST, GROWN))


def _append(
    writer: Writer,
    rows: dict[str, LabelRow],
    by: By,
    key: tuple[str, str, str, str],
) -> Event | None:
    _, annotator, origin, grounds = key
    tree = Tree.read(writer)
    changes: list[Change] = []
    for crop, row in rows.items():
        try:
            value, made = label_changes(tree, row.label)
        except LabelError as error:
            raise LabelError(f"{row.place}: {error}") from error
        changes += made
        node = subcategory_of(value)
        if node is not None and row.codes:
            changes += looks(tree.known.get(node), node, None, row.codes)
        source = row.based_on if _taken_over(row) else None
        changes.append(Change(LABEL, crop, value, source, row.confidence))
    time = next(iter(rows.values())).time
    said = By(annotator, origin, grounds or None, time=time)
    return writer.append("import", changes, said, detail=by.based_on)


def _decided_otherwise(writer: Writer, by_crop: dict[str, LabelRow]) -> list[str]:
    tree = Tree.read(writer)
    standing = {s.key: s for s in writer.standing([LABEL], by_crop) if s.origin == "human"}
    return [
        crop
        for crop, s in standing.items()
        if s.value is not None and s.value != label_changes(tree, by_crop[crop].label)[0]
    ]


class _Crops:
    """The crops of a survey, found by id, box or point."""

    def __init__(self, survey: Survey) -> None:
        self._table = all_crops(survey)
        self._ids = set(self._table["crop_id"])
        self._by_image = dict(list(self._table.groupby("image")))
        names = image_names(survey)
        self._path = {
            known: path for path, name in names.items() for known in (plain_name(name), name, path)
        }
        self._root = survey

    def find(self, row: LabelRow) -> str:
        if row.crop_id is not None:
            if row.crop_id not in self._ids:
                raise LabelError(f"{row.place}: crop {row.crop_id!r} is not in the survey")
            return row.crop_id
        name = row.image or ""
        path = self._path.get(name.replace("\\", "/")) or self._path.get(
            self._root.stored_path(Path(name))
        )
        if path is None:
            raise LabelError(
                f"{row.place}: image {name!r} is not in the survey, or several frames have that "
                "name: `discover add` it, or give its path"
            )
        crops = self._by_image.get(path)
        crop = None if crops is None else _match(crops, row)
        if crop is None:
            where = f"box {row.box}" if row.box else f"point {row.point}"
            raise LabelError(
                f"{row.place}: no crop of image {name!r} is at {where}: cut it first, as with "
                "`discover embed --boxes`"
            )
        return crop


def _match(crops: pd.DataFrame, row: LabelRow) -> str | None:
    """Return the crop that overlaps the box most, or the smallest that holds the point."""
    boxes = crops[["x", "y", "w", "h"]].to_numpy(float)
    left, top, wide, high = boxes.T
    if row.box is not None:
        x, y, w, h = row.box
        shared_w = np.minimum(left + wide, x + w) - np.maximum(left, x)
        shared_h = np.minimum(top + high, y + h) - np.maximum(top, y)
        shared = shared_w.clip(0) * shared_h.clip(0)
        overlap = shared / (wide * high + w * h - shared)
        best = int(overlap.argmax())
        return str(crops["crop_id"].iloc[best]) if overlap[best] >= _OVERLAP else None
    if row.point is None:
        return None
    x, y = row.point
    holds = (left <= x) & (x < left + wide) & (top <= y) & (y < top + high)
    if not holds.any():
        return None
    return str(crops["crop_id"].iloc[int(np.where(holds, wide * high, np.inf).argmin())])
